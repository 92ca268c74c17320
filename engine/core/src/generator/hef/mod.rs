//! HEF: the learned generator (paper A, eq. 7–10; supplement 1.3), with the geometric generator as its prior.
//!
//! The network sees a square crop of the picture around the head and says what changes there; untrained, nothing does. PyTorch's
//! `train/hef/model.py` is the reference, and the text of `train/hef/README.md` says what the tensors hold. E_src runs once a portrait
//! ([`record_source`]), everything else once a frame ([`record`]).

mod channels;
mod config;
mod crop;
mod layers;
mod observe;
mod portrait;
mod record;
mod style_range;
mod style_sigma;
mod trust;
mod weights;

pub use crate::generator::frame::FrameTensors;
pub use crate::nn::Step;
pub use channels::{DRIVEN, RESULT, SOURCE, STYLE, STYLE_WORDS, portrait};
pub use config::{HefConfig, Up};
pub(in crate::generator) use crop::Person;
pub use crop::{Blend, Crop, Driven, record_blend, record_inputs, record_range};
pub use observe::{Observation, Observer, Style};
pub(in crate::generator) use portrait::{LearnedFrame, LearnedPortrait, LearnedPortraits};
pub use record::{HefInputs, HefOutputs, record, record_source};
pub use style_range::StyleRange;
pub use style_sigma::StyleSigma;
pub use weights::HefWeights;
