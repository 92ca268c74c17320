//! Films: H.264 and Opus in an MP4 that browsers and ffmpeg play.
//!
//! [`Film`] is the whole: frames and sound in, a finished file out, or no file at all. Its parts are the colour conversion
//! ([`I420`]), the two encoders, the container and the file that only appears when it is complete ([`AtomicFile`]).

mod atomic;
mod film;
mod h264;
mod mp4;
mod opus;
mod yuv;

use thiserror::Error;

pub use atomic::{AtomicFile, remove_unfinished};
pub use film::Film;
pub use h264::{EncodedFrame, H264Encoder};
pub use mp4::{Mp4Writer, Tracks};
pub use opus::{OPUS_RATE, OpusEncoder};
pub use yuv::I420;

/// Why a film could not be made.
#[derive(Debug, Error)]
pub enum MediaError {
    /// The output cannot be created or written.
    #[error("cannot write {file}: {}", explain(.source))]
    Write {
        /// File as the user gave it.
        file: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// An encoder refused.
    #[error("the {0} encoder failed: {1}")]
    Encoder(&'static str, String),
    /// The container could not be written: a size or count that MP4 cannot express.
    #[error("cannot describe the film as MP4: {0}")]
    Container(String),
}

impl MediaError {
    pub(crate) fn write(file: &std::path::Path, source: std::io::Error) -> Self {
        Self::Write { file: file.display().to_string(), source }
    }
}

/// What to do about an error of the file system.
fn explain(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    let advice = match error.kind() {
        Kind::NotFound => "its folder does not exist; create it, or choose another with -o",
        Kind::StorageFull => "the disk is full; free some space, or choose another disk with -o",
        Kind::QuotaExceeded => "your disk quota is used up; free some space, or choose another disk with -o",
        Kind::PermissionDenied => "permission denied; choose a folder that you may write to with -o",
        Kind::ReadOnlyFilesystem => "the file system is read-only; choose another folder with -o",
        Kind::IsADirectory => "it is a folder; give a file name with -o",
        Kind::NotADirectory => "a part of its path is a file, not a folder; choose another with -o",
        _ => return error.to_string(),
    };
    advice.into()
}
