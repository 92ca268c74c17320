//! A live voice from a network: Opus in RTP packets (RFC 7587) to sound.

use opus::{Channels, Decoder};

use super::MediaError;
use super::opus::{OPUS_RATE, PACKET_FRAMES};
use vultus::audio::LiveMix;

/// The longest packet that Opus knows: 120 ms.
const LONGEST: usize = OPUS_RATE * 120 / 1000;
/// Lost packets that are made up. A longer gap is a pause: the sender was muted, or the network gone.
const CONCEALED: usize = 5;
/// A sequence number this far ahead still belongs to the run (RFC 3550, A.1).
const DROPOUT: i16 = 3000;
/// One this far behind is a late packet or a double (the same).
const MISORDER: i16 = -100;
/// A run of so many packets that do not belong to the present one is the new one (the same)...
const NEW_RUN: u32 = 2;
/// ...or of so many where they could be late ones.
const NEW_RUN_LATE: u32 = 5;

/// A packet of a live voice as it came.
#[derive(Clone, Copy, Debug)]
pub struct OpusPacket<'a> {
    /// Who sent it: the stream's number (SSRC), which may change.
    pub source: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 48 kHz (RFC 7587, section 4.1).
    pub timestamp: u32,
    /// One Opus packet.
    pub data: &'a [u8],
}

/// Packets of a live voice, as they arrive from a network, to mono sound at 48 kHz. Lost packets are made up; late ones and
/// doubles are left out, since their place has been filled. Decoded in stereo, which libopus makes of mono too, since its own mono
/// would be silent where one channel is the other upside down.
///
/// Numbers, times and sources may jump: what goes on from the last packet's sequence number is heard whatever time it claims, and what does
/// not is heard from its second packet on.
pub struct OpusReceiver {
    decoder: Decoder,
    run: Option<Run>,
    newcomer: Option<Newcomer>,
    /// Samples of the last packet, for the size of one that is lost.
    packet: usize,
    /// Interleaved stereo.
    pcm: Vec<f32>,
    mix: LiveMix,
    lost: u64,
}

/// Packets of one source with sequence numbers that follow on each other.
struct Run {
    source: u32,
    /// Of the last packet.
    sequence: u16,
    /// Timestamp of the packet that comes next if none is lost.
    next: u32,
}

/// What may become the run.
struct Newcomer {
    source: u32,
    next: u16,
    count: u32,
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
        Ok(Self { decoder, run: None, newcomer: None, packet: PACKET_FRAMES, pcm, mix, lost: 0 })
    }

    /// Packets that never came in time.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Decodes a packet and hands its sound to `emit`, after what makes up for packets lost before it.
    ///
    /// # Errors
    /// When this is no Opus packet; the stream may go on with the next one.
    pub fn push(&mut self, packet: &OpusPacket<'_>, mut emit: impl FnMut(&mut [f32])) -> Result<(), MediaError> {
        let failed = |e: opus::Error| MediaError::Decoder("Opus", e.to_string());
        match self.follows(packet) {
            Some(missing) => {
                self.lost += missing as u64;
                for missing in (1..=missing).rev() {
                    // The newest lost packet stands, coarsely, in the one after it (FEC); earlier ones are extrapolated.
                    let (data, fec) = if missing == 1 { (packet.data, true) } else { (&[][..], false) };
                    if let Ok(count) = self.decoder.decode_float(data, &mut self.pcm[..2 * self.packet], fec) {
                        emit(self.mix.mix(&self.pcm[..2 * count]));
                    }
                }
            }
            None if self.is_new_run(packet) => self.decoder.reset_state().map_err(failed)?,
            None => return Ok(()),
        }
        let count = self.decoder.decode_float(packet.data, &mut self.pcm, false).map_err(failed)?;
        self.newcomer = None;
        self.packet = count.max(1);
        self.run = Some(Run {
            source: packet.source,
            sequence: packet.sequence,
            next: packet.timestamp.wrapping_add(count as u32),
        });
        emit(self.mix.mix(&self.pcm[..2 * count]));
        Ok(())
    }

    /// How many packets are to be made up before this one, where it goes on from the last one.
    fn follows(&self, packet: &OpusPacket<'_>) -> Option<usize> {
        let run = self.run.as_ref().filter(|run| run.source == packet.source)?;
        let ahead = packet.sequence.wrapping_sub(run.sequence) as i16;
        if !(1..=DROPOUT).contains(&ahead) {
            return None;
        }
        // Numbers alone would not do, since browsers spend some on packets without sound; nor would times, which senders set anew, and which
        // go on while a sender that hears silence sends nothing (DTX).
        let time = packet.timestamp.wrapping_sub(run.next) as i32;
        let missing = usize::try_from(time).unwrap_or(0) / self.packet;
        Some(if missing > CONCEALED { 0 } else { missing.min(ahead as usize - 1) })
    }

    /// Whether a packet that does not go on from the last one is heard nevertheless.
    fn is_new_run(&mut self, packet: &OpusPacket<'_>) -> bool {
        let Some(run) = &self.run else { return true };
        let behind = packet.sequence.wrapping_sub(run.sequence) as i16;
        let may_be_late = run.source == packet.source && (MISORDER..=0).contains(&behind);
        let count = match &self.newcomer {
            Some(known) if (known.source, known.next) == (packet.source, packet.sequence) => known.count + 1,
            _ => 1,
        };
        self.newcomer = Some(Newcomer { source: packet.source, next: packet.sequence.wrapping_add(1), count });
        count >= if may_be_late { NEW_RUN_LATE } else { NEW_RUN }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OpusEncoder;
    use super::*;

    /// A tone of one second in packets of 20 ms.
    fn tone() -> Vec<Vec<u8>> {
        let (mut encoder, mut packets) = (OpusEncoder::live().unwrap(), Vec::new());
        let tone: Vec<f32> = (0..48_000).map(|n| 0.4 * (n as f32 * 0.03).sin()).collect();
        let keep = |packet: &[u8]| {
            packets.push(packet.to_vec());
            Ok(())
        };
        encoder.push(&tone, keep).unwrap();
        packets
    }

    struct Ear {
        receiver: OpusReceiver,
        heard: Vec<f32>,
    }

    impl Ear {
        fn new() -> Self {
            Self { receiver: OpusReceiver::new().unwrap(), heard: Vec::new() }
        }

        /// How many samples come out for this packet.
        fn take(&mut self, source: u32, sequence: u32, timestamp: u32, data: &[u8]) -> usize {
            let before = self.heard.len();
            let packet = OpusPacket { source, sequence: sequence as u16, timestamp, data };
            self.receiver.push(&packet, |pcm| self.heard.extend_from_slice(pcm)).unwrap();
            self.heard.len() - before
        }
    }

    #[test]
    fn a_stereo_microphone_with_one_channel_upside_down_is_heard() {
        let tone: Vec<f32> = (0..48_000).map(|n| 0.4 * (n as f32 * 0.05).sin()).collect();
        for (name, other) in [("upside down", -1.0), ("dead", 0.0), ("the same", 1.0)] {
            let (mut encoder, mut ear, mut number) = (OpusEncoder::new(2).unwrap(), Ear::new(), 0);
            let stereo: Vec<f32> = tone.iter().flat_map(|x| [*x, other * x]).collect();
            encoder
                .push(&stereo, |packet| {
                    ear.take(1, number, number * 960, packet);
                    number += 1;
                    Ok(())
                })
                .unwrap();
            let end = &ear.heard[9600..];
            let rms = (end.iter().map(|x| x * x).sum::<f32>() / end.len() as f32).sqrt();
            assert!((rms - 0.4 / 2f32.sqrt()).abs() < 0.03, "{name}: {rms}");
        }
    }

    #[test]
    fn lost_late_and_broken_packets_keep_the_time() {
        let packets = tone();
        let mut ear = Ear::new();
        let take = |ear: &mut Ear, n: u32, data: &[u8]| ear.take(1, 65_520 + n, (n * 960).wrapping_sub(6000), data);
        for n in 0..50u32 {
            if ![7, 20, 21].contains(&n) {
                take(&mut ear, n, &packets[n as usize]);
            }
            if n == 30 {
                assert_eq!(take(&mut ear, 28, &packets[28]), 0);
                assert_eq!(take(&mut ear, 29, &[]), 0, "a late one is not even looked at");
                assert_eq!(take(&mut ear, 30, &packets[30]), 0, "a double");
            }
        }
        assert_eq!((ear.heard.len(), ear.receiver.lost()), (48_000, 3));
        let rms = |from: usize| (ear.heard[from..from + 960].iter().map(|x| x * x).sum::<f32>() / 960.0).sqrt();
        assert!(rms(7 * 960) > 0.2, "the lost packet is silent");
        let mut receiver = OpusReceiver::new().unwrap();
        let broken = OpusPacket { source: 1, sequence: 0, timestamp: 0, data: &[0xff; 3] };
        assert!(receiver.push(&broken, |_| {}).is_err());
    }

    /// Whatever a sender does to its numbers after the 25th packet, at most two packets get lost by it, and nothing is made up.
    #[test]
    fn a_voice_whose_numbers_jump_is_heard_again_at_once() {
        let packets = tone();
        // By how much source, sequence number and time change.
        for (what, source, sequence, time) in [
            ("time jumps back by an hour", 0, 0, 0u32.wrapping_sub(3600 * 48_000)),
            ("time jumps back by a second", 0, 0, 0u32.wrapping_sub(48_000)),
            ("time jumps ahead by an hour", 0, 0, 3600 * 48_000),
            ("time jumps to its other half", 0, 0, 1 << 31),
            ("a new source", 1, 0, 0),
            ("a new source with its own numbers and time", 1, 40_000, 1_000_000_007),
            ("a new source from before", 1, 65_000, 0u32.wrapping_sub(960_000)),
            ("numbers restart", 0, 30_000, 12_345),
            ("numbers jump ahead", 0, 10_000, 0),
            ("numbers jump back", 0, 55_536, 0),
            ("numbers jump back a little, as if late", 0, 65_516, 5),
        ] {
            let mut ear = Ear::new();
            for n in 0..50u32 {
                let (mut from, mut number, mut at) = (7, 65_530 + n, (n * 960).wrapping_sub(9000));
                if n >= 25 {
                    (from, number, at) = (from + source, number + sequence, at.wrapping_add(time));
                }
                ear.take(from, number, at, &packets[n as usize]);
            }
            let lost = 50 - ear.heard.len() / 960;
            let allowed = if what.ends_with("late") { 4 } else { 1 };
            assert!(
                lost <= allowed && ear.receiver.lost() == 0,
                "{what}: {lost} packets, {} made up",
                ear.receiver.lost()
            );
        }
    }

    #[test]
    fn a_second_source_does_not_chop_the_first_and_takes_over_when_that_ends() {
        let packets = tone();
        let mut ear = Ear::new();
        for n in 0..30u32 {
            assert_eq!(ear.take(1, n, n * 960, &packets[n as usize]), 960);
            assert_eq!(ear.take(2, 9000 + n, 77 + n * 960, &packets[n as usize]), 0);
        }
        for n in 30..50u32 {
            let heard = ear.take(2, 9000 + n, 77 + n * 960, &packets[n as usize]);
            // Its last packet before counts as its first.
            assert_eq!(heard, 960, "packet {n}");
        }
        // A straggler of the first.
        assert_eq!(ear.take(1, 30, 30 * 960, &packets[30]), 0);
    }

    #[test]
    fn silence_that_is_not_sent_is_not_made_up() {
        let packets = tone();
        let mut ear = Ear::new();
        for n in 0..20u32 {
            // Every other packet comes three packets' time later, under the next number.
            assert_eq!(ear.take(1, n, n / 2 * 4 * 960 + n % 2 * 960, &packets[n as usize]), 960);
        }
        assert_eq!(ear.receiver.lost(), 0);
    }

    #[test]
    fn form_and_length_of_packets_may_change() {
        let mut ear = Ear::new();
        let (mut number, mut time) = (0, 0);
        for (channels, length) in [(2, 960), (1, 480), (2, 2880), (1, 120), (1, 1920)] {
            let layout = if channels == 1 { Channels::Mono } else { Channels::Stereo };
            let mut encoder = opus::Encoder::new(48_000, layout, opus::Application::Voip).unwrap();
            for _ in 0..4 {
                let sound: Vec<f32> = (0..length * channels).map(|n| 0.3 * (n as f32 * 0.05).sin()).collect();
                let data = encoder.encode_vec_float(&sound, 1500).unwrap();
                assert_eq!(ear.take(1, number, time, &data), length, "{channels} × {length}");
                (number, time) = (number + 1, time + length as u32);
            }
        }
        assert_eq!(ear.receiver.lost(), 0);
    }
}
