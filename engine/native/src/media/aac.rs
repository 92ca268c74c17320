//! AAC-LC, by the crate `syom`.

use opus::{Channels, SoftClip};
use syom::{EncodeOptions, Encoder};

use super::MediaError;
use super::opus::OPUS_RATE;

/// Frames in a packet.
pub(super) const PACKET_FRAMES: usize = 1024;
/// Frames that a decoder drops from the start: the overlap of the first transform.
pub(super) const DELAY: usize = 1024;

/// Encodes 48 kHz sound, mono or stereo, in packets of 1024 frames.
pub(super) struct AacEncoder {
    encoder: Encoder,
    clip: SoftClip,
    /// Interleaved, less than a packet.
    pcm: Vec<f32>,
    planes: Vec<Vec<f32>>,
    frames: u64,
}

impl AacEncoder {
    /// An encoder for 1 or 2 interleaved channels.
    ///
    /// # Errors
    /// When the encoder does not start.
    pub(super) fn new(channels: usize) -> Result<Self, MediaError> {
        let (layout, bits) = match channels {
            1 => (Channels::Mono, 96_000),
            2 => (Channels::Stereo, 160_000),
            _ => return Err(MediaError::Encoder("AAC", format!("{channels} channels; 1 or 2 are possible"))),
        };
        // Looking ahead keeps noise from before a plosive; refining takes 1 % of the time that a picture does, and brings 3 to 5 dB.
        let options = EncodeOptions::raw().with_bitrate_bps(bits).with_lookahead(true).with_band_refine(true);
        Ok(Self {
            encoder: Encoder::new(OPUS_RATE as u32, channels, &options).map_err(failed)?,
            clip: SoftClip::new(layout),
            pcm: Vec::with_capacity(PACKET_FRAMES * channels),
            planes: vec![Vec::with_capacity(PACKET_FRAMES); channels],
            frames: 0,
        })
    }

    /// What a decoder is set up with: AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    pub(super) fn config(&self) -> &[u8] {
        self.encoder.asc()
    }

    /// Frames pushed so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes the next interleaved samples and hands every complete packet to `emit`.
    ///
    /// # Errors
    /// When the encoder refuses, or what `emit` returns.
    pub(super) fn push(
        &mut self,
        mut samples: &[f32],
        mut emit: impl FnMut(&[u8]) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let whole = PACKET_FRAMES * self.planes.len();
        self.frames += (samples.len() / self.planes.len()) as u64;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(whole - self.pcm.len()));
            self.pcm.extend_from_slice(now);
            samples = later;
            if self.pcm.len() == whole {
                self.encode(&mut emit)?;
            }
        }
        Ok(())
    }

    /// Ends the stream: the last packets hold everything that was pushed, and silence behind it.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(super) fn finish(&mut self, mut emit: impl FnMut(&[u8]) -> Result<(), MediaError>) -> Result<(), MediaError> {
        if !self.pcm.is_empty() {
            self.encode(&mut emit)?;
        }
        if self.frames == 0 {
            return Ok(());
        }
        let mut refused = Ok(());
        let mut pass_on = |frame: syom::EncodedFrame<'_>| {
            if refused.is_ok() {
                refused = emit(frame.payload);
            }
            Ok(())
        };
        self.encoder.finish(&mut pass_on).map_err(failed)?;
        refused
    }

    /// Encodes what is there, a packet or the last piece of one.
    fn encode(&mut self, emit: &mut impl FnMut(&[u8]) -> Result<(), MediaError>) -> Result<(), MediaError> {
        // Folding many channels into two may exceed full scale; a hard edge there would click.
        self.clip.apply(&mut self.pcm);
        let channels = self.planes.len();
        for (channel, plane) in self.planes.iter_mut().enumerate() {
            plane.clear();
            // The clip's rounding may leave a sample a hair beyond full scale, which is refused.
            plane.extend(self.pcm[channel..].iter().step_by(channels).map(|sample| sample.clamp(-1.0, 1.0)));
        }
        self.pcm.clear();
        let planes: Vec<&[f32]> = self.planes.iter().map(Vec::as_slice).collect();
        let mut refused = Ok(());
        let mut pass_on = |frame: syom::EncodedFrame<'_>| {
            if refused.is_ok() {
                refused = emit(frame.payload);
            }
            Ok(())
        };
        self.encoder.feed(&planes, &mut pass_on).map_err(failed)?;
        refused
    }
}

fn failed(error: syom::AacError) -> MediaError {
    MediaError::Encoder("AAC", error.to_string())
}
