//! Portraits that can be brought to life.
//!
//! An `.avatar` file is a safetensors file: a portrait and its matte as PNG bytes, and the face model's coefficients that
//! explain the portrait (identity, expression, texture, light, pose, camera). [`format`] reads and writes it.

mod format;
mod origin;
mod picture;

pub use format::{ALBEDO, AvatarError, AvatarFile, EXPRESSION, IDENTITY, LIGHT, Matte, POSE, Portrait};
pub use origin::{Framing, Origin};
pub(crate) use picture::srgb_to_linear;
pub use picture::{Png, SIDE_MAX};
