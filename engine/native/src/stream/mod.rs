//! Threads and files: where frames leave the engine.
//!
//! [`hear`] takes a sound file to coefficients, [`render`] to a film. Both can be stopped from another thread by a flag and tell
//! how far they are. [`live`] runs a session in real time.

mod hear;
pub mod live;
mod render;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;

use vultus::audio::{RATE, RateError};

use crate::audio::{AudioError, AudioReader, AudioStats};
use crate::media::MediaError;
use vultus::compute::ComputeError;
use vultus::timing::StageTimes;

pub use hear::hear;
pub use render::{FilmSettings, render};

/// Why there is no film.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The sound cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// Its sample rate cannot be converted.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// The device was lost.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Encoding or writing failed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The caller asked to stop.
    #[error("stopped before the end; nothing was written")]
    Cancelled,
    /// The system has no thread left.
    #[error("cannot start a thread: {0}; end other programs or sessions")]
    NoThread(String),
    /// A thread of the engine ended without saying why.
    #[error("a thread of the engine stopped unexpectedly; please report this")]
    Thread,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Frames done.
    pub frames: u64,
    /// Frames in all, if the file says how long it is.
    pub total: Option<u64>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Frames of video.
    pub frames: u64,
    /// Length of the sound.
    pub audio_seconds: f64,
    /// From the call to the finished file.
    pub wall: Duration,
    /// From the call to the first frame handed to the encoder.
    pub first_frame: Duration,
    /// What was noticed in the sound.
    pub audio: AudioStats,
    /// Times of each stage, in the order of the data's way.
    pub stages: Vec<(&'static str, StageTimes)>,
}

fn stop_if(cancel: &AtomicBool) -> Result<(), RenderError> {
    if cancel.load(Ordering::Relaxed) { Err(RenderError::Cancelled) } else { Ok(()) }
}

fn total_frames(reader: &AudioReader, fps: u32) -> Option<u64> {
    let info = reader.info();
    let samples = info.frames?.checked_mul(RATE as u64)?.div_ceil(info.rate as u64);
    Some(samples.checked_mul(fps.into())?.div_ceil(RATE as u64))
}
