//! Why a file cannot be heard, and what to do about it.

use thiserror::Error;

use super::frames::Refusal;
use crate::io_advice;

/// What can be heard, for messages.
pub(super) const HEARD: &str = "a sound or film with speech in it: WAV, AIFF, CAF, AU, FLAC, MP3, AAC or ALAC in M4A, MP4 or MOV, Opus or Vorbis in OGG, WebM or Matroska";

/// Why a file could not be heard. Every message names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {}", io_advice::reading(.cause))]
    Read {
        /// File as the user gave it.
        file: String,
        /// The operating system's answer.
        cause: std::io::Error,
    },
    /// The file has no bytes.
    #[error("{0} is empty; give {HEARD}")]
    EmptyFile(String),
    /// No audio format recognises the bytes.
    #[error("{} is not a sound that can be read; give {HEARD}, or {}", .0, convert(.0))]
    NotAudio(String),
    /// The format is known but not this variant of it.
    #[error("{file} uses {what}, which is not supported; {}", convert(.file))]
    Unsupported {
        /// File as the user gave it.
        file: String,
        /// What is not supported.
        what: String,
    },
    /// A film without sound.
    #[error("{0} has pictures but no sound track; give a file in which somebody speaks")]
    NoTrack(String),
    /// The file is well-formed but holds no samples.
    #[error("{0} holds no sound: it has a header but not one sample")]
    NoSamples(String),
    /// A pipe cannot be read backwards.
    #[error(
        "{0} has its index at its end, and a pipe cannot be read backwards: save it as a file first, or write it with its index in front (ffmpeg -movflags +faststart)"
    )]
    NeedsFile(String),
    /// Not one block could be decoded.
    #[error("nothing in {file} can be decoded ({reason}); the file is damaged: copy or export it again")]
    Damaged {
        /// File as the user gave it.
        file: String,
        /// The decoder's first complaint.
        reason: String,
    },
}

impl AudioError {
    pub(super) fn new(file: &str, refusal: Refusal) -> Self {
        let file = file.to_owned();
        match refusal {
            Refusal::Unreadable(cause) => Self::Read { file, cause },
            Refusal::NotAudio => Self::NotAudio(file),
            Refusal::Unsupported(what) => Self::Unsupported { file, what },
            Refusal::NoTrack => Self::NoTrack(file),
            Refusal::NoSamples => Self::NoSamples(file),
            Refusal::NeedsFile => Self::NeedsFile(file),
            Refusal::Damaged(reason) => Self::Damaged { file, reason },
        }
    }
}

/// How to make something of it that can be heard.
fn convert(file: &str) -> String {
    let plain = file.chars().all(|c| c.is_alphanumeric() || "/._-+,:@%".contains(c)) && !file.starts_with('-');
    let quoted = if plain { file.to_owned() } else { format!("'{}'", file.replace('\'', r"'\''")) };
    format!("convert it: ffmpeg -i {quoted} -vn speech.wav")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_converts_can_be_pasted() {
        assert!(
            AudioError::NotAudio("a.amr".into()).to_string().ends_with("convert it: ffmpeg -i a.amr -vn speech.wav")
        );
        let named = AudioError::Unsupported { file: "it's me.wma".into(), what: "WMA".into() }.to_string();
        assert!(named.contains(r"ffmpeg -i 'it'\''s me.wma' -vn speech.wav"), "{named}");
    }
}
