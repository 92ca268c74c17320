//! Sound to Opus, by libopus.

use opus::{Application, Bitrate, Channels, Encoder, SoftClip};

use super::MediaError;

/// Sample rate of everything that is encoded, Hz.
pub const OPUS_RATE: usize = 48_000;
/// Frames in a packet: 20 ms.
pub(super) const PACKET_FRAMES: usize = 960;
/// The longest packet that libopus makes, bytes.
const PACKET_BYTES: usize = 4000;

/// Encodes 48 kHz sound, mono or stereo, in packets of 20 ms.
pub struct OpusEncoder {
    encoder: Encoder,
    clip: SoftClip,
    channels: usize,
    pre_skip: usize,
    pcm: Vec<f32>,
    packet: Vec<u8>,
    frames: u64,
    packets: u64,
}

impl OpusEncoder {
    /// An encoder for 1 or 2 interleaved channels.
    ///
    /// # Errors
    /// When libopus does not start.
    pub fn new(channels: usize) -> Result<Self, MediaError> {
        let failed = |e: opus::Error| MediaError::Encoder("Opus", e.to_string());
        let (layout, bits) = match channels {
            1 => (Channels::Mono, 64_000),
            2 => (Channels::Stereo, 96_000),
            _ => return Err(MediaError::Encoder("Opus", format!("{channels} channels; 1 or 2 are possible"))),
        };
        let mut encoder = Encoder::new(OPUS_RATE as u32, layout, Application::Audio).map_err(failed)?;
        encoder.set_bitrate(Bitrate::Bits(bits)).map_err(failed)?;
        let pre_skip = encoder.get_lookahead().map_err(failed)?;
        Ok(Self {
            encoder,
            clip: SoftClip::new(layout),
            channels,
            pre_skip: usize::try_from(pre_skip).unwrap_or(0),
            pcm: Vec::with_capacity(PACKET_FRAMES * channels),
            packet: vec![0; PACKET_BYTES],
            frames: 0,
            packets: 0,
        })
    }

    /// An encoder for one live voice: robust against losses (in-band FEC) rather than of the best quality.
    ///
    /// # Errors
    /// When libopus does not start.
    pub fn live() -> Result<Self, MediaError> {
        let failed = |e: opus::Error| MediaError::Encoder("Opus", e.to_string());
        let mut live = Self::new(1)?;
        live.encoder.set_application(Application::Voip).map_err(failed)?;
        live.encoder.set_bitrate(Bitrate::Bits(40_000)).map_err(failed)?;
        live.encoder.set_inband_fec(true).map_err(failed)?;
        live.encoder.set_packet_loss_perc(5).map_err(failed)?;
        Ok(live)
    }

    /// Frames that a decoder must drop from the start: the encoder's delay.
    pub fn pre_skip(&self) -> usize {
        self.pre_skip
    }

    /// Frames pushed so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes the next interleaved samples and hands every complete packet to `emit`.
    ///
    /// # Errors
    /// When libopus refuses, or what `emit` returns.
    pub fn push(
        &mut self,
        mut samples: &[f32],
        mut emit: impl FnMut(&[u8]) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        self.frames += (samples.len() / self.channels) as u64;
        while !samples.is_empty() {
            let room = PACKET_FRAMES * self.channels - self.pcm.len();
            let (now, later) = samples.split_at(samples.len().min(room));
            self.pcm.extend_from_slice(now);
            samples = later;
            if self.pcm.len() == PACKET_FRAMES * self.channels {
                self.encode(&mut emit)?;
            }
        }
        Ok(())
    }

    /// Ends the stream: encodes silence until the decoder, behind its delay, has every frame that was pushed.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, mut emit: impl FnMut(&[u8]) -> Result<(), MediaError>) -> Result<(), MediaError> {
        while self.packets * (PACKET_FRAMES as u64) < self.frames + self.pre_skip as u64 {
            self.pcm.resize(PACKET_FRAMES * self.channels, 0.0);
            self.encode(&mut emit)?;
        }
        Ok(())
    }

    fn encode(&mut self, emit: &mut impl FnMut(&[u8]) -> Result<(), MediaError>) -> Result<(), MediaError> {
        // Folding many channels into two may exceed full scale; a hard edge there would click.
        self.clip.apply(&mut self.pcm);
        let len = self
            .encoder
            .encode_float(&self.pcm, &mut self.packet)
            .map_err(|e| MediaError::Encoder("Opus", e.to_string()))?;
        self.pcm.clear();
        self.packets += 1;
        emit(&self.packet[..len])
    }
}
