//! What networks are written from: layers that take their weights from a [`Scope`], and the [`Recorder`] that puts them into a plan.
//!
//! A layer has its weights resident ([`crate::compute::Constant`]) and knows the path that they have in the file. Activations of transformers are
//! (B, tokens, channels), those of convolutions planar, (B, channels, side, side); a layer reads sizes from the tensors.

mod conv;
mod modulated;
mod recorder;
mod scope;
mod transformer;

pub(crate) use conv::{Conv, SLOPE, packed, taken};
pub(crate) use modulated::{ModulatedConv, ModulationTables, StyleLayers};
pub use recorder::{Probes, Step};
pub(crate) use recorder::{Recorder, Span};
pub(crate) use scope::{Scope, read};
pub(crate) use transformer::{Attention, DepthwiseConv, Linear, Mlp, Norm, Rows, TokenSum};
