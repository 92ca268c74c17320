//! What all decoders give, and why they give nothing.

use symphonia::core::audio::Channels;

/// Decoded frames of one file, in order.
pub(super) trait Frames: Send {
    /// Replaces `samples` with the next frames, interleaved, within ±1 where full scale is.
    fn next(&mut self, samples: &mut Vec<f32>) -> Piece;
}

/// What came of decoding the next piece.
pub(super) enum Piece {
    /// Frames; there may be none in this piece.
    Frames,
    /// A piece that cannot be decoded; the next one may.
    Damaged(String),
    /// The sound is over.
    End,
    /// The bytes end, or become unreadable, before the sound is over.
    Cut(String),
    /// The file cannot be read.
    Unreadable(std::io::Error),
}

/// A file that can be heard.
pub(super) struct Opened {
    /// Its sound.
    pub(super) frames: Box<dyn Frames>,
    /// Frames a second, as the file says.
    pub(super) rate: u32,
    /// Channels of the frames.
    pub(super) channels: Channels,
    /// Frames in the file, if it says so and can be believed.
    pub(super) length: Option<u64>,
}

/// Why a file cannot be heard.
pub(super) enum Refusal {
    /// It cannot be read.
    Unreadable(std::io::Error),
    /// Nothing in it looks like sound.
    NotAudio,
    /// It uses this, for which there is no decoder.
    Unsupported(String),
    /// It is a film without sound.
    NoTrack,
    /// It holds not one sample.
    NoSamples,
    /// It can only be read from a file, not from a pipe.
    NeedsFile,
    /// Nothing in it can be decoded.
    Damaged(String),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}
