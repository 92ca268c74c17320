//! Words that never change, held once a process: weights, the face model's tables, what belongs to an avatar.
//!
//! Who makes a [`Constant`] keeps it and gives it to every plan and executor that reads it. On the CPU they all read the same memory; a GPU has one buffer
//! for each constant, made when the first program or executor needs it and given back when nobody holds the constant any more.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::tensor::{Data, Element, Shape};

/// A resident tensor. Cheap to clone; two of them are the same where one is a clone of the other.
#[derive(Clone)]
pub struct Constant(Arc<Held>);

struct Held {
    shape: Shape,
    element: Element,
    words: Vec<u32>,
    bytes: usize,
}

impl Constant {
    /// Holds `data`. That it fills the shape is checked where it is recorded or bound.
    pub fn new<T: Data>(shape: impl Into<Shape>, data: &[T]) -> Self {
        let bytes = size_of_val(data);
        Self(Arc::new(Held {
            shape: shape.into(),
            element: T::ELEMENT,
            words: bytemuck::pod_collect_to_vec(data),
            bytes,
        }))
    }

    /// Its dimensions.
    pub fn shape(&self) -> Shape {
        self.0.shape
    }

    /// What its elements are.
    pub fn element(&self) -> Element {
        self.0.element
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// What it holds, if that is made of `T`s.
    pub fn data<T: Data>(&self) -> Option<&[T]> {
        (T::ELEMENT == self.element()).then(|| bytemuck::try_cast_slice(self.words()).ok()).flatten()
    }

    pub(super) fn words(&self) -> &[u32] {
        &self.0.words
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.element, self.0.shape)
    }
}

/// The buffers of a device's constants.
#[derive(Default)]
pub(super) struct Store(Mutex<HashMap<usize, (Weak<Held>, wgpu::Buffer)>>);

impl Store {
    /// The buffer of `constant`; `make` gives one where there is none yet.
    pub(super) fn buffer(&self, constant: &Constant, make: impl FnOnce(&[u32]) -> wgpu::Buffer) -> wgpu::Buffer {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The weak reference keeps the address from being given to another constant.
        let key = Arc::as_ptr(&constant.0).addr();
        if let Some((_, buffer)) = held.get(&key) {
            return buffer.clone();
        }
        held.retain(|_, (constant, _)| constant.strong_count() > 0);
        let buffer = make(constant.words());
        held.insert(key, (Arc::downgrade(&constant.0), buffer.clone()));
        buffer
    }
}
