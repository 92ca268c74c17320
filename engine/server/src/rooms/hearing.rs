//! A peer's microphone, decoded at a measure.
//!
//! What a packet of a few bytes costs is for its sender to say: it may hold 120 ms, and have five lost ones made up before it. All sessions
//! share the threads that do this.

use std::time::Instant;

use vultus_native::media::{MediaError, OPUS_RATE, OpusPacket, OpusReceiver};

use crate::transport::rate::Bucket;

/// Sound that is decoded at once, seconds: what a network may have held back.
const AT_ONCE: f32 = 4.0;
/// Sound that is decoded over time, seconds a second. A clock that runs fast, and a network that catches up, need little more than one.
const PER_SECOND: f32 = 1.5;
/// The least that a packet counts, samples: 2.5 ms.
const LEAST: usize = OPUS_RATE / 400;

/// See the module's text.
pub(super) struct Hearing {
    receiver: OpusReceiver,
    budget: Bucket,
}

impl Hearing {
    /// # Errors
    /// When libopus does not start.
    pub(super) fn new() -> Result<Self, MediaError> {
        let rate = OPUS_RATE as f32;
        Ok(Self { receiver: OpusReceiver::new()?, budget: Bucket::new(AT_ONCE * rate, PER_SECOND * rate) })
    }

    /// Hands the sound of a packet to `emit`, or drops the packet where more has been sent than time has passed.
    pub(super) fn push(&mut self, now: Instant, packet: &OpusPacket<'_>, mut emit: impl FnMut(&mut [f32])) {
        if !self.budget.take(now, LEAST as f32) {
            return;
        }
        let mut samples = 0;
        // A packet that is no Opus counts as lost: the next one is concealed up to.
        let _ = self.receiver.push(packet, |pcm| {
            samples += pcm.len();
            emit(pcm);
        });
        self.budget.owe(samples.saturating_sub(LEAST) as f32);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Six frames of 20 ms, of any bytes (RFC 6716, section 3.2.5).
    fn long_packet() -> Vec<u8> {
        [&[0xfb, 6][..], &[0x5a; 60]].concat()
    }

    /// Seconds that are heard of ten in which `per_second` packets come that are `step` apart in number and time.
    fn heard(per_second: u32, data: &[u8], step: u16, samples: u32) -> f32 {
        let (mut hearing, start, mut heard) = (Hearing::new().unwrap(), Instant::now(), 0);
        for n in 0..per_second * 10 {
            let packet = OpusPacket {
                source: 1,
                sequence: (n as u16).wrapping_mul(step),
                timestamp: n.wrapping_mul(samples),
                data,
            };
            hearing.push(start + Duration::from_secs(1) * n / per_second, &packet, |pcm| heard += pcm.len());
        }
        heard as f32 / OPUS_RATE as f32
    }

    #[test]
    fn a_microphone_is_heard_wholly_and_a_flood_at_a_measure() {
        let frame = [&[0xf8][..], &[0x5a; 40]].concat();
        assert!((heard(50, &frame, 1, 960) - 10.0).abs() < 0.05);
        assert!(heard(1000, &frame, 1, 960) < 25.0);
        assert!(heard(600, &long_packet(), 6, 6 * 5760) < 25.0);
        assert!(heard(600, &long_packet(), 6, 6 * 5760) > 15.0, "it is heard all the same");
    }
}
