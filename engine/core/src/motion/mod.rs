//! Motion: what the face does, from what is heard.
//!
//! [`eac`] turns windows of log-mel into expression coefficients; [`idle`] adds what no audio tells: head sway, blinks, gaze. [`MotionModel`]
//! is both as one stream: mel columns in, one [`MotionFrame`] every 40 ms out.

pub mod eac;
pub mod idle;
mod model;

use std::time::Duration;

use crate::audio::{COLUMNS_PER_FRAME, MELS, silent_column};
use crate::compute::ComputeError;
use crate::drive::MotionFrame;
use crate::emotion::Mood;

pub use model::{LOOK_AHEAD_MAX, MotionModel, MotionNetwork};

/// Anything that turns what is heard into what the face does, frame by frame.
pub trait Motion: Send {
    /// Frames of audio heard before a frame is decided.
    fn look_ahead(&self) -> usize;

    /// Turns to another mood, within `ease` from the next frame on.
    fn set_mood(&mut self, mood: &Mood, ease: Duration);

    /// Hears one frame's four mel columns (normalised, oldest first). Returns the frame that became decidable: the one [`Self::look_ahead`] before.
    ///
    /// # Errors
    /// The GPU was lost.
    fn push(&mut self, columns: &[[f32; MELS]; COLUMNS_PER_FRAME]) -> Result<Option<MotionFrame>, ComputeError>;

    /// Takes back what was heard and not yet shown, as if it had been silence: the speaker was interrupted.
    fn forget(&mut self);

    /// The frames that still wait at the end of a stream, decided as if silence followed.
    ///
    /// # Errors
    /// The GPU was lost.
    fn flush(&mut self) -> Result<Vec<MotionFrame>, ComputeError> {
        let mut frames = Vec::with_capacity(self.look_ahead());
        // One silence a frame of look-ahead, however few frames were heard.
        for _ in 0..self.look_ahead() {
            frames.extend(self.push(&[silent_column(); COLUMNS_PER_FRAME])?);
        }
        Ok(frames)
    }
}
