//! Vultus: speech in, a living, emotional face out.

pub mod assets;
pub mod avatar;
pub mod emotion;
pub mod weights;
