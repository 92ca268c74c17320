//! A pass as data: what is computed from what, recorded once.

use vultus_shaders::{Kernel, KernelParams};

use super::lifetimes::{self, Slabs};

/// A tensor of a plan: `len` 32-bit words. Shapes are the recorder's business and stand in its comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    pub(super) id: u32,
    len: u32,
}

impl Tensor {
    /// Words.
    #[expect(clippy::len_without_is_empty, reason = "a tensor has at least one word")]
    pub fn len(self) -> usize {
        self.len as usize
    }

    pub(super) fn index(self) -> usize {
        self.id as usize
    }
}

/// Where a tensor's words come from and how long they stay.
#[derive(Debug)]
pub(super) enum Role {
    /// Written by the host before a replay.
    Input,
    /// Fixed words (weights).
    Constant(Vec<u32>),
    /// Kept from one replay to the next, zero at first; the host may write it.
    State,
    /// Lives inside one replay; its memory is shared with others whose lives do not overlap.
    Temp,
}

#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) label: &'static str,
    pub(super) role: Role,
    pub(super) len: usize,
    pub(super) output: bool,
}

/// How many invocations a dispatch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// At least these many invocations along x, y, z (rounded up to whole workgroups of the variant that runs).
    Threads([u32; 3]),
    /// Exactly these many workgroups.
    Groups([u32; 3]),
}

impl Grid {
    /// `n` invocations along x.
    pub fn linear(n: usize) -> Self {
        Self::Threads([n as u32, 1, 1])
    }

    /// `width` × `height` invocations.
    pub fn image(width: usize, height: usize) -> Self {
        Self::Threads([width as u32, height as u32, 1])
    }

    pub(super) fn workgroups(self, size: [u32; 3]) -> [u32; 3] {
        match self {
            Self::Threads(t) => [t[0].div_ceil(size[0]), t[1].div_ceil(size[1]), t[2].div_ceil(size[2])],
            Self::Groups(g) => g,
        }
    }
}

#[derive(Debug)]
pub(super) enum Step {
    Dispatch { kernel: &'static Kernel, params: Vec<u8>, tensors: Vec<Tensor>, grid: Grid },
    Copy { from: Tensor, from_at: usize, to: Tensor, to_at: usize, len: usize },
}

impl Step {
    /// Tensors that the step reads and tensors that it writes (a `read_write` binding is both).
    pub(super) fn uses(&self) -> (Vec<Tensor>, Vec<Tensor>) {
        match self {
            Self::Dispatch { kernel, tensors, .. } => {
                let writes = tensors.iter().zip(kernel.bindings).filter(|(_, b)| b.writes).map(|(t, _)| *t).collect();
                (tensors.clone(), writes)
            }
            Self::Copy { from, to, .. } => (vec![*from], vec![*to]),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Dispatch { kernel, .. } => kernel.name,
            Self::Copy { .. } => "copy",
        }
    }
}

/// Records a [`Plan`].
#[derive(Debug)]
pub struct PlanBuilder {
    label: &'static str,
    tensors: Vec<TensorInfo>,
    steps: Vec<Step>,
    mark: Option<usize>,
}

impl PlanBuilder {
    /// An empty plan; `label` names it in errors.
    pub fn new(label: &'static str) -> Self {
        Self { label, tensors: Vec::new(), steps: Vec::new(), mark: None }
    }

    fn add(&mut self, label: &'static str, role: Role, len: usize) -> Tensor {
        assert!(len > 0, "{}: tensor `{label}` is empty", self.label);
        let tensor = Tensor {
            id: self.tensors.len() as u32,
            len: u32::try_from(len).expect("tensors have fewer than 2³² words"),
        };
        self.tensors.push(TensorInfo { label, role, len, output: false });
        tensor
    }

    /// A tensor that the host writes before a replay.
    pub fn input(&mut self, label: &'static str, len: usize) -> Tensor {
        self.add(label, Role::Input, len)
    }

    /// Fixed words: weights, tables, images of the portrait.
    pub fn constant<T: bytemuck::NoUninit>(&mut self, label: &'static str, data: &[T]) -> Tensor {
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(data);
        let len = words.len();
        self.add(label, Role::Constant(words), len)
    }

    /// A tensor that keeps its words from one replay to the next.
    pub fn state(&mut self, label: &'static str, len: usize) -> Tensor {
        self.add(label, Role::State, len)
    }

    /// A tensor that lives inside a replay. Its words are undefined until they are written.
    pub fn temp(&mut self, label: &'static str, len: usize) -> Tensor {
        self.add(label, Role::Temp, len)
    }

    /// Makes `tensor` readable by the host after a replay.
    pub fn output(&mut self, tensor: Tensor) {
        self.tensors[tensor.index()].output = true;
    }

    /// Records a kernel. `tensors` are its storage bindings in order; all different.
    ///
    /// # Panics
    /// Where the number of tensors is not the kernel's, one appears twice, or a constant or an input would be written: mistakes in the recorder.
    pub fn dispatch<P: KernelParams>(&mut self, params: P, tensors: &[Tensor], grid: Grid) {
        let kernel = P::KERNEL;
        let at = format!("{}: {}", self.label, kernel.name);
        assert_eq!(tensors.len(), kernel.bindings.len(), "{at}: number of tensors");
        for (i, (t, b)) in tensors.iter().zip(kernel.bindings).enumerate() {
            assert!(!tensors[..i].contains(t), "{at}: tensor `{}` is bound twice", self.tensors[t.index()].label);
            let fixed = matches!(self.tensors[t.index()].role, Role::Constant(_) | Role::Input);
            assert!(!(b.writes && fixed), "{at}: binding `{}` would write `{}`", b.name, self.tensors[t.index()].label);
        }
        self.steps.push(Step::Dispatch {
            kernel,
            params: bytemuck::bytes_of(&params).to_vec(),
            tensors: tensors.to_vec(),
            grid,
        });
    }

    /// Records a copy of `len` words.
    ///
    /// # Panics
    /// Where a range is out of bounds, or the tensors are the same.
    pub fn copy(&mut self, from: Tensor, from_at: usize, to: Tensor, to_at: usize, len: usize) {
        assert!(
            from != to && from_at + len <= from.len() && to_at + len <= to.len(),
            "{}: copy out of bounds",
            self.label
        );
        self.steps.push(Step::Copy { from, from_at, to, to_at, len });
    }

    /// Marks a place between two steps: executors that can tell how long a replay took up to here.
    pub fn mark(&mut self) {
        self.mark = Some(self.steps.len());
    }

    /// Plans the memory and ends the recording.
    pub fn finish(self) -> Plan {
        let slabs = lifetimes::plan(&self.tensors, &self.steps);
        Plan { label: self.label, tensors: self.tensors, steps: self.steps, slabs, mark: self.mark }
    }
}

/// A recorded pass with its memory planned; see [`super::Compute::executor`].
#[derive(Debug)]
pub struct Plan {
    pub(super) label: &'static str,
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) steps: Vec<Step>,
    pub(super) slabs: Slabs,
    pub(super) mark: Option<usize>,
}

impl Plan {
    /// Words of memory that a replay needs, constants included.
    pub fn words(&self) -> usize {
        self.slabs.lens.iter().sum()
    }

    /// The words of a slab that belongs to a constant.
    pub(super) fn constant(&self, slab: usize) -> Option<&[u32]> {
        self.tensors.iter().zip(&self.slabs.of).find_map(|(info, of)| match &info.role {
            Role::Constant(words) if *of == slab => Some(words.as_slice()),
            _ => None,
        })
    }

    pub(super) fn tensor(&self, index: usize) -> Tensor {
        Tensor { id: index as u32, len: self.tensors[index].len as u32 }
    }

    pub(super) fn slab(&self, tensor: Tensor) -> usize {
        self.slabs.of[tensor.index()]
    }

    pub(super) fn check_write(&self, tensor: Tensor, len: usize) {
        let info = &self.tensors[tensor.index()];
        assert!(
            matches!(info.role, Role::Input | Role::State),
            "{}: `{}` is not written by the host",
            self.label,
            info.label
        );
        assert_eq!(len, info.len, "{}: `{}`: words", self.label, info.label);
    }

    pub(super) fn check_read(&self, tensor: Tensor) {
        let info = &self.tensors[tensor.index()];
        assert!(info.output, "{}: `{}` is not an output", self.label, info.label);
    }
}
