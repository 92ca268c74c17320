//! What convolutional networks are recorded from: weights and layers, over the kernels `conv2d` and `upsample`.

mod conv;
mod record;

pub(crate) use conv::{Conv, Tensors};
pub use record::Step;
pub(crate) use record::{Modulation, Recorder, SLOPE, Span, Styles};
