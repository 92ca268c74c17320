//! Vultus: speech in, a living, emotional face out.
#![forbid(unsafe_code)]

pub mod align;
pub mod assets;
pub mod audio;
pub mod avatar;
pub mod compute;
pub mod emotion;
pub mod face;
pub mod generator;
mod io_advice;
mod layers;
pub mod media;
pub mod motion;
pub mod pipeline;
pub mod session;
pub mod stream;
pub mod timing;
pub mod weights;
