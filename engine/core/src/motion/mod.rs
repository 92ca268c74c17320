//! Motion: what the face does, from what is heard.
//!
//! [`eac`] turns windows of log-mel into expression coefficients; [`idle`] adds what no audio tells: head sway, blinks, gaze. [`MotionModel`]
//! is both as one stream: samples in, one [`MotionFrame`] every 40 ms out. [`Volume`] needs no network: the jaw follows the loudness. [`Mirrored`] lays a face over it
//! that a camera sees.

pub mod eac;
pub mod idle;
mod mirrored;
mod model;
mod volume;

use std::time::Duration;

use crate::compute::{ComputeError, PlanError};
use crate::drive::MotionFrame;
use crate::emotion::{EmotionTable, Mood};

pub use mirrored::{Lips, Mirror, Mirrored};
pub use model::{LOOK_AHEAD_MAX, MotionModel, MotionNetwork};
pub use volume::{Volume, VolumeStream};

/// A way to move a face, loaded: any number of streams share it.
pub trait MotionSource: Send + Sync {
    /// Where the emotions that have a name lie for it.
    fn emotions(&self) -> &EmotionTable;

    /// A new stream, which begins in `mood`; `seed` is for whatever no sound tells.
    ///
    /// # Errors
    /// A mistake in the recording.
    fn open(&self, mood: &Mood, seed: u64) -> Result<Box<dyn Motion>, PlanError>;
}

/// Anything that turns what is heard into what the face does, 25 frames a second. How it hears is its own business: it is given samples.
pub trait Motion: Send {
    /// Samples after a frame's own that are heard before it is decided: frame k is decided with sample 640 · (k + 1) + delay − 1 (16 kHz).
    fn delay(&self) -> usize;

    /// Turns to another mood, within `ease` from the next frame on.
    fn set_mood(&mut self, mood: &Mood, ease: Duration);

    /// Hears the next samples (16 kHz, mono) and gives every frame that they decide to `decided`, in order. What comes out does not depend on how the
    /// samples are cut into calls.
    ///
    /// # Errors
    /// The GPU was lost.
    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError>;

    /// Takes back what was heard and not yet shown, as if it had been silence: the speaker was interrupted.
    fn forget(&mut self);

    /// The end of what is heard: gives the frames that still wait, up to the one that the last sample lies in, as if silence followed.
    ///
    /// # Errors
    /// The GPU was lost.
    fn finish(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError>;
}
