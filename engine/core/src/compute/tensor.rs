//! What a tensor is: a shape and a type.

use std::borrow::Cow;
use std::fmt;
use std::ops::Index;

use half::f16;
pub use vultus_shaders::Element;

/// Up to four dimensions, the outermost first; elements lie row by row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; 4],
    rank: usize,
}

impl Shape {
    /// Every dimension.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// Elements.
    pub fn elements(&self) -> usize {
        self.dims().iter().fold(1, |all, d| all.saturating_mul(*d))
    }

    /// The same with another innermost dimension.
    #[must_use]
    pub fn with_last(mut self, last: usize) -> Self {
        self.dims[self.rank - 1] = last;
        self
    }

    /// The innermost dimension.
    pub fn last(&self) -> usize {
        self.dims[self.rank - 1]
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        const { assert!(N >= 1 && N <= 4, "a tensor has one to four dimensions") };
        Self { dims: std::array::from_fn(|i| dims.get(i).copied().unwrap_or(1)), rank: N }
    }
}

impl From<usize> for Shape {
    fn from(len: usize) -> Self {
        [len].into()
    }
}

impl Index<usize> for Shape {
    type Output = usize;

    fn index(&self, i: usize) -> &usize {
        &self.dims()[i]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tensor of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    pub(super) id: u32,
    shape: Shape,
    element: Element,
}

impl Tensor {
    pub(super) fn new(id: usize, shape: Shape, element: Element) -> Self {
        Self { id: id as u32, shape, element }
    }

    /// Its dimensions.
    pub fn shape(self) -> Shape {
        self.shape
    }

    /// What its elements are.
    pub fn element(self) -> Element {
        self.element
    }

    /// Elements.
    pub fn elements(self) -> usize {
        self.shape.elements()
    }

    pub(super) fn index(self) -> usize {
        self.id as usize
    }

    pub(super) fn bytes(self) -> usize {
        self.elements().saturating_mul(self.element.bytes())
    }

    /// 32-bit words.
    pub(super) fn words(self) -> usize {
        self.bytes() / 4
    }
}

/// `f32 [4, 64]`.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.element, self.shape)
    }
}

/// What the host writes into tensors and reads from them. Arrays are rows of the innermost dimension, bytes are four to a u32.
pub trait Data: bytemuck::NoUninit + bytemuck::AnyBitPattern {
    /// What a tensor of these holds.
    const ELEMENT: Element;
}

macro_rules! data {
    ($($element:ident: $($ty:ty),+;)+) => { $($(impl Data for $ty { const ELEMENT: Element = Element::$element; })+)+ };
}
data! {
    F32: f32, [f32; 2], [f32; 3], [f32; 4];
    F16: f16;
    U32: u32, [u32; 2], [u32; 4], u8;
}

/// The words of `data`, whose bytes are whole words.
pub(super) fn words_of<T: Data>(data: &[T]) -> Cow<'_, [u32]> {
    // Bytes and halves need not lie where words may.
    bytemuck::try_cast_slice(data).map_or_else(|_| Cow::Owned(bytemuck::pod_collect_to_vec(data)), Cow::Borrowed)
}

/// `f32, 60 elements`: host data, for errors.
pub(super) fn described(element: Element, bytes: usize) -> String {
    format!("{element}, {} elements", bytes / element.bytes())
}
