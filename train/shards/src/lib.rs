//! Writes what HEF is trained on: pictures of people, and what the engine's own kernels make of their portraits.
//!
//! [`Task::person`] turns a folder of `train/crowd` into one shard, `NAME.safetensors`, whose tensors `train/hef/data.py` describes and reads.
#![forbid(unsafe_code)]

mod shard;
mod sight;
mod task;

pub use task::{Done, Task};

/// Which square of the picture the network is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    /// The whole of it: the pictures are crops already.
    Whole,
    /// Around the head, as in live use.
    Head,
}
