//! Motion: what the face does, from what is heard.
//!
//! [`eac`] turns windows of log-mel into expression coefficients; [`idle`] adds what no audio tells: head sway, blinks, gaze. [`MotionModel`]
//! is both as one stream: mel columns in, one [`MotionFrame`] every 40 ms out.

pub mod eac;
pub mod idle;
mod model;

pub use model::{LOOK_AHEAD_MAX, MotionFrame, MotionModel, MotionSettings};
