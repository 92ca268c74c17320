//! Opus, by libopus.

use opus::{Application, Bitrate, Channels, Decoder, Encoder, SoftClip};

use super::MediaError;
use crate::audio::LiveMix;

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

/// The longest packet that Opus knows: 120 ms.
const LONGEST: usize = OPUS_RATE * 120 / 1000;
/// Lost packets that are made up. A longer gap is a pause: the sender was muted, or the network gone.
const CONCEALED: usize = 5;

/// Packets of a live voice, as they arrive from a network, to mono sound at 48 kHz. Lost packets are made up; late ones and
/// doubles are left out, since their place has been filled. Decoded in stereo, which libopus makes of mono too, since its own mono
/// would be silent where one channel is the other upside down.
pub struct OpusReceiver {
    decoder: Decoder,
    /// Timestamp of the packet that comes next if none is lost.
    expected: Option<u32>,
    /// Samples of the last packet, for the size of one that is lost.
    packet: usize,
    pcm: Vec<f32>,
    mix: LiveMix,
    lost: u64,
}

impl OpusReceiver {
    /// A receiver at the start of a stream.
    ///
    /// # Errors
    /// When libopus does not start.
    pub fn new() -> Result<Self, MediaError> {
        let decoder =
            Decoder::new(OPUS_RATE as u32, Channels::Stereo).map_err(|e| MediaError::Decoder("Opus", e.to_string()))?;
        let (pcm, mix) = (vec![0.0; 2 * LONGEST], LiveMix::new(OPUS_RATE as u32, 2));
        Ok(Self { decoder, expected: None, packet: PACKET_FRAMES, pcm, mix, lost: 0 })
    }

    /// Packets that never came in time.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Decodes the packet of this RTP timestamp (48 kHz; RFC 7587, section 4.1) and hands its sound to `emit`, after what makes up for
    /// packets lost before it. Sequence numbers would not do: browsers spend some on packets without sound.
    ///
    /// # Errors
    /// When this is no Opus packet; the stream may go on with the next one.
    pub fn push(&mut self, packet: &[u8], timestamp: u32, mut emit: impl FnMut(&mut [f32])) -> Result<(), MediaError> {
        let ahead = self.expected.map_or(0, |expected| timestamp.wrapping_sub(expected) as i32);
        if ahead < 0 {
            return Ok(());
        }
        let gap = ahead as usize / self.packet;
        if gap <= CONCEALED {
            self.lost += gap as u64;
            for missing in (1..=gap).rev() {
                // The newest lost packet stands, coarsely, in the one after it (FEC); earlier ones are extrapolated.
                let (data, fec) = if missing == 1 { (packet, true) } else { (&[][..], false) };
                if let Ok(count) = self.decoder.decode_float(data, &mut self.pcm[..2 * self.packet], fec) {
                    emit(self.mix.mix(&self.pcm[..2 * count]));
                }
            }
        }
        let count = self
            .decoder
            .decode_float(packet, &mut self.pcm, false)
            .map_err(|e| MediaError::Decoder("Opus", e.to_string()))?;
        self.expected = Some(timestamp.wrapping_add(count as u32));
        self.packet = count.max(1);
        emit(self.mix.mix(&self.pcm[..2 * count]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stereo_microphone_with_one_channel_upside_down_is_heard() {
        let tone: Vec<f32> = (0..48_000).map(|n| 0.4 * (n as f32 * 0.05).sin()).collect();
        for (name, other) in [("upside down", -1.0), ("dead", 0.0), ("the same", 1.0)] {
            let (mut encoder, mut receiver) = (OpusEncoder::new(2).unwrap(), OpusReceiver::new().unwrap());
            let stereo: Vec<f32> = tone.iter().flat_map(|x| [*x, other * x]).collect();
            let (mut heard, mut time) = (Vec::new(), 0);
            encoder
                .push(&stereo, |packet| {
                    receiver.push(packet, time, |pcm| heard.extend_from_slice(pcm)).unwrap();
                    time += PACKET_FRAMES as u32;
                    Ok(())
                })
                .unwrap();
            let end = &heard[9600..];
            let rms = (end.iter().map(|x| x * x).sum::<f32>() / end.len() as f32).sqrt();
            assert!((rms - 0.4 / 2f32.sqrt()).abs() < 0.03, "{name}: {rms}");
        }
    }

    #[test]
    fn lost_late_and_broken_packets_keep_the_time() {
        let (mut encoder, mut packets) = (OpusEncoder::live().unwrap(), Vec::new());
        let tone: Vec<f32> = (0..48_000).map(|n| 0.4 * (n as f32 * 0.03).sin()).collect();
        encoder
            .push(&tone, |packet| {
                packets.push(packet.to_vec());
                Ok(())
            })
            .unwrap();
        let mut receiver = OpusReceiver::new().unwrap();
        let mut heard = Vec::new();
        let mut push = |receiver: &mut OpusReceiver, n: usize, packet: &[u8]| {
            receiver.push(packet, (n as u32 * 960).wrapping_sub(6000), |pcm| heard.extend_from_slice(pcm))
        };
        for n in 0..50 {
            if ![7, 20, 21].contains(&n) {
                push(&mut receiver, n, &packets[n]).unwrap();
            }
            if n == 30 {
                push(&mut receiver, 28, &packets[28]).unwrap();
                assert!(push(&mut receiver, 29, &[]).is_ok(), "a late one is not even looked at");
            }
        }
        assert_eq!((heard.len(), receiver.lost()), (48_000, 3));
        let rms = |from: usize| (heard[from..from + 960].iter().map(|x| x * x).sum::<f32>() / 960.0).sqrt();
        assert!(rms(7 * 960) > 0.2, "the lost packet is silent");
        let mut receiver = OpusReceiver::new().unwrap();
        assert!(receiver.push(&[0xff; 3], 0, |_| {}).is_err());
    }
}
