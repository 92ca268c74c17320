//! Hearing: sound of any rate and channels to 16 kHz mono log-mel columns, block by block.
//!
//! [`LiveMix`] makes one voice of a live sound's channels, [`Resampler`] brings it to another
//! rate, [`LogMel`] turns 16 kHz samples into columns. Each of them gives the same output, bit for bit, whatever the sizes of the blocks it is fed, and keeps no more than
//! its window: an hour of audio needs the memory of a minute.

mod mel;
pub mod mix;
mod resample;

pub use mel::{LogMel, MELS, REACH, mel_filters, silent_column};
pub use mix::LiveMix;
pub use resample::{RateError, Resampler};

/// Sample rate of everything the motion model hears, Hz.
pub const RATE: usize = 16_000;
/// Samples of one video frame at 25 Hz.
pub const SAMPLES_PER_FRAME: usize = 640;
/// Mel columns of one video frame.
pub const COLUMNS_PER_FRAME: usize = 4;
