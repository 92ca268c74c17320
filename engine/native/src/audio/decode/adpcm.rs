//! ADPCM in blocks of WAV, AIFF-C and CAF, decoded by Symphonia.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_QT, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::frames::{Frames, Opened, Piece, Refusal};
use super::guard::guarded;
use super::input::Input;
use super::pcm::Length;

/// Which ADPCM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Microsoft,
    Ima,
    /// Apple's blocks of 34 bytes a channel.
    Apple,
}

/// A stream of blocks.
pub(super) struct Adpcm {
    decoder: Box<dyn AudioDecoder>,
    block: usize,
    frames: u64,
    rate: u32,
    channels: Channels,
    length: Length,
}

impl Adpcm {
    /// For blocks of so many bytes.
    pub(super) fn new(
        kind: Kind,
        block: usize,
        bits: u16,
        rate: u32,
        channels: Channels,
        length: Length,
    ) -> Result<Self, Refusal> {
        let count = channels.count();
        let unsupported = |what: String| Refusal::Unsupported(what);
        if count > 2 || (bits != 4 && bits != 0) {
            return Err(unsupported(format!("ADPCM of {bits} bits with {count} channels")));
        }
        // Bytes at the start of a block, and frames that they hold.
        let (head, first) = match kind {
            Kind::Microsoft => (7 * count, 2),
            Kind::Ima => (4 * count, 1),
            Kind::Apple => (2 * count, 0),
        };
        let codec = match kind {
            Kind::Microsoft => CODEC_ID_ADPCM_MS,
            Kind::Ima => CODEC_ID_ADPCM_IMA_WAV,
            Kind::Apple => CODEC_ID_ADPCM_IMA_QT,
        };
        let frames = block.checked_sub(head).map_or(0, |bytes| 2 * bytes / count + first) as u64;
        if frames < 8 {
            return Err(unsupported(format!("ADPCM in blocks of {block} bytes")));
        }
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(codec)
            .with_sample_rate(rate)
            .with_channels(channels.clone())
            .with_max_frames_per_packet(frames)
            .with_frames_per_block(frames);
        let decoder = guarded(|| {
            symphonia::default::get_codecs().make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        })
        .map_err(|error| unsupported(format!("an ADPCM that has no decoder here ({error})")))?;
        Ok(Self { decoder, block, frames, rate, channels, length })
    }

    /// The sound that begins here, `total` frames if that is known.
    pub(super) fn open(self, input: Input, total: Option<u64>) -> Opened {
        let blocks = self.length.bytes.map(|bytes| bytes / self.block as u64);
        let room = blocks.map(|blocks| blocks * self.frames).filter(|_| self.length.sure);
        // The last block is filled up; who wrote the file says how many frames count.
        let length = match (room, total) {
            (Some(room), Some(total)) if total <= room && total + self.frames > room => Some(total),
            (room, _) => room,
        };
        let (rate, channels) = (self.rate, self.channels.clone());
        let blocks = Blocks { input, adpcm: self, left: blocks, frames_left: length, packet: Vec::new() };
        Opened { frames: Box::new(blocks), rate, channels, length }
    }
}

struct Blocks {
    input: Input,
    adpcm: Adpcm,
    left: Option<u64>,
    frames_left: Option<u64>,
    packet: Vec<u8>,
}

impl Frames for Blocks {
    fn next(&mut self, samples: &mut Vec<f32>) -> Piece {
        samples.clear();
        if self.left == Some(0) || self.frames_left == Some(0) {
            return Piece::End;
        }
        self.packet.resize(self.adpcm.block, 0);
        match self.input.fill(&mut self.packet) {
            Ok(got) if got < self.adpcm.block => {
                let cut = self.left.is_some() && self.adpcm.length.sure;
                return if cut { Piece::Cut("the file ends too early".into()) } else { Piece::End };
            }
            Ok(_) => {}
            Err(error) => return Piece::Unreadable(error),
        }
        self.left = self.left.map(|left| left - 1);
        let packet = Packet::new(0, Timestamp::new(0), Duration::new(self.adpcm.frames), self.packet.as_slice());
        let decoded = guarded(|| {
            self.adpcm.decoder.decode(&packet)?.copy_to_vec_interleaved(samples);
            Ok(())
        });
        if let Err(error) = decoded {
            return Piece::Damaged(error.to_string());
        }
        if let Some(left) = &mut self.frames_left {
            let channels = self.adpcm.channels.count();
            samples.truncate(usize::try_from(*left).unwrap_or(usize::MAX).saturating_mul(channels));
            *left -= (samples.len() / channels) as u64;
        }
        Piece::Frames
    }
}
