//! Films: H.264 and AAC (or Opus) in an MP4 that everything plays.
//!
//! [`Film`] is the whole: frames and sound in, a finished file out, or no file at all. Its parts are the colour conversion
//! ([`I420`]), the two encoders, the container and the file that only appears when it is complete ([`AtomicFile`]).

mod aac;
mod atomic;
mod entries;
mod film;
mod fragments;
mod front;
mod h264;
mod h264_live;
mod h264_receiver;
mod interleave;
mod marked;
mod mp4;
mod opus;
mod opus_receiver;
mod sound;
mod yuv;

use thiserror::Error;

use crate::io_advice;

pub use atomic::{AtomicFile, output_place, remove_unfinished, sweep};
pub use film::Film;
pub use fragments::Fragments;
pub use h264::{EncodedFrame, H264Encoder};
pub use h264_live::{LIVE_BITS, LiveFrame, LiveH264Encoder};
pub(crate) use h264_receiver::to_rgb;
pub use h264_receiver::{H264Receiver, Received};
pub use opus::{OPUS_RATE, OpusEncoder};
pub use opus_receiver::{OpusPacket, OpusReceiver};
pub use sound::SoundCodec;
pub use yuv::I420;

/// Why a film could not be made.
#[derive(Debug, Error)]
pub enum MediaError {
    /// The output cannot be created or written.
    #[error("cannot write {file}: {}", io_advice::writing(.cause))]
    Write {
        /// File as the user gave it.
        file: String,
        /// The operating system's answer.
        cause: std::io::Error,
    },
    /// An encoder refused.
    #[error("the {0} encoder failed: {1}")]
    Encoder(&'static str, String),
    /// What came in is not of the format.
    #[error("the {0} decoder failed: {1}")]
    Decoder(&'static str, String),
    /// The container could not be written: a size or count that MP4 cannot express.
    #[error("cannot describe the film as MP4: {0}")]
    Container(String),
}

impl MediaError {
    pub(crate) fn write(file: &std::path::Path, cause: std::io::Error) -> Self {
        Self::Write { file: file.display().to_string(), cause }
    }
}
