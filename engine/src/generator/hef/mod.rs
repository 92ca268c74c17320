//! HEF: the learned generator (paper A, eq. 7–10; supplement 1.3), with the geometric generator as its prior.
//!
//! The network sees a square crop of the picture around the head and says what changes there; untrained, nothing does. PyTorch's
//! `train/hef/model.py` is the reference, and the text of `train/hef/README.md` says what the tensors hold. E_src runs once a portrait
//! ([`record_source`]), everything else once a frame ([`record`]).

mod config;
mod crop;
mod layers;
mod observe;
mod portrait;
mod record;
mod style_range;
mod trust;
mod weights;

pub use config::{HefConfig, Up};
pub use crop::{Crop, FrameTensors, record_blend, record_inputs, record_range};
pub(in crate::generator) use crop::{Person, record_bound, record_cut_out};
pub use observe::{Observation, Observer, Style};
pub use portrait::LearnedPortrait;
pub use record::{HefInputs, HefOutputs, record, record_source};
pub use style_range::StyleRange;
pub use weights::HefWeights;

pub use crate::layers::Step;
use vultus_shaders::shared::hef_channels;

/// Channels of a frame's input `driven`.
pub const DRIVEN: usize = hef_channels::DRIVEN_CHANNELS as usize;
/// Channels of a portrait's input `source`.
pub const SOURCE: usize = 8;
/// Words of the style vector that the network uses: α 80, β 64, δ 80, γ 27, p 6, σ̂ 1.
pub const STYLE: usize = 258;
/// Words of the style tensor: [`STYLE`], and zeros that make it whole vectors.
pub const STYLE_WORDS: usize = 260;
/// Channels of the result: what changes 3, matte 1, residual flow 2.
pub const RESULT: usize = hef_channels::RESULT_CHANNELS as usize;

/// (B, C, C, 4) from `source` (B, 8, C, C): what [`HefInputs::portrait`] holds.
pub fn portrait(source: &[f32], crop: usize) -> Vec<[f32; 4]> {
    let plane = crop * crop;
    source
        .chunks_exact(SOURCE * plane)
        .flat_map(|s| (0..plane).map(|k| std::array::from_fn(|c| s[c * plane + k])))
        .collect()
}
