//! What a plan is made of: tensors, and steps over them.

use vultus_shaders::Kernel;

use super::store::Constant;
use super::tensor::Tensor;

/// Where a tensor's words come from and how long they stay.
#[derive(Debug)]
pub(super) enum Role {
    /// Written by the host before a replay.
    Input,
    /// Fixed words (weights).
    Constant(Constant),
    /// Fixed words that an executor is made with (an avatar's).
    Bound,
    /// Kept from one replay to the next, zero at first; the host may write it.
    State,
    /// Lives inside one replay; its memory is shared with others whose lives do not overlap.
    Temp,
}

impl Role {
    /// Whether its words lie outside an executor's memory.
    pub(super) fn resident(&self) -> bool {
        matches!(self, Self::Constant(_) | Self::Bound)
    }
}

#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) label: &'static str,
    pub(super) role: Role,
    pub(super) tensor: Tensor,
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
    Dispatch {
        kernel: &'static Kernel,
        params: Vec<u8>,
        /// Whether each executor brings its own parameters.
        bound: bool,
        tensors: Vec<Tensor>,
        grid: Grid,
    },
    /// In words.
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
