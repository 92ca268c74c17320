//! The sound of a film: which codec, and what the container has to know of it.

use super::MediaError;
use super::aac::{self, AacEncoder};
use super::opus::{self, OpusEncoder};

/// How the sound of a film is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoundCodec {
    /// AAC-LC, which everything plays: 96 kbit/s mono, 160 stereo.
    #[default]
    Aac,
    /// Opus, smaller and freer, which browsers and ffmpeg play: 64 kbit/s mono, 96 stereo.
    Opus,
}

/// What the container says of the sound.
#[derive(Clone, Debug)]
pub(super) struct SoundFormat {
    pub(super) codec: SoundCodec,
    pub(super) channels: u8,
    /// Frames at 48 kHz in a packet.
    pub(super) packet: u32,
    /// Frames at 48 kHz that a decoder drops from the start.
    pub(super) delay: u16,
    /// Packets that should be decoded ahead of the one that a player starts at, as a negative number.
    pub(super) roll: i16,
    /// Set-up of the decoder, where the codec has one.
    pub(super) config: Vec<u8>,
    /// Sample rate before it was made 48 kHz, for information.
    pub(super) input_rate: u32,
}

/// Packets that Opus should be decoded ahead, so that it has settled: 80 ms (RFC 7845, section 4.6).
const OPUS_ROLL: i16 = -4;
/// The one before: windows overlap by half.
const AAC_ROLL: i16 = -1;

/// Encodes 48 kHz sound, mono or stereo.
pub(super) enum SoundEncoder {
    Aac(AacEncoder),
    Opus(OpusEncoder),
}

impl SoundEncoder {
    /// # Errors
    /// When the encoder does not start.
    pub(super) fn new(codec: SoundCodec, channels: usize) -> Result<Self, MediaError> {
        Ok(match codec {
            SoundCodec::Aac => Self::Aac(AacEncoder::new(channels)?),
            SoundCodec::Opus => Self::Opus(OpusEncoder::new(channels)?),
        })
    }

    pub(super) fn format(&self, channels: u8, input_rate: u32) -> SoundFormat {
        let (codec, packet, delay, roll, config) = match self {
            Self::Aac(aac) => (SoundCodec::Aac, aac::PACKET_FRAMES, aac::DELAY, AAC_ROLL, aac.config().to_vec()),
            Self::Opus(opus) => (SoundCodec::Opus, opus::PACKET_FRAMES, opus.pre_skip(), OPUS_ROLL, Vec::new()),
        };
        SoundFormat { codec, channels, packet: packet as u32, delay: delay as u16, roll, config, input_rate }
    }

    /// Frames pushed so far.
    pub(super) fn frames(&self) -> u64 {
        match self {
            Self::Aac(aac) => aac.frames(),
            Self::Opus(opus) => opus.frames(),
        }
    }

    /// Takes the next interleaved samples and hands every complete packet to `emit`.
    pub(super) fn push(
        &mut self,
        samples: &[f32],
        emit: impl FnMut(&[u8]) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        match self {
            Self::Aac(aac) => aac.push(samples, emit),
            Self::Opus(opus) => opus.push(samples, emit),
        }
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self, emit: impl FnMut(&[u8]) -> Result<(), MediaError>) -> Result<(), MediaError> {
        match self {
            Self::Aac(aac) => aac.finish(emit),
            Self::Opus(opus) => opus.finish(emit),
        }
    }
}
