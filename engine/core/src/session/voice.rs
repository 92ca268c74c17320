//! The delay line that keeps the voice back until the lips are ready.

use std::collections::VecDeque;

use super::BLOCK;

/// Samples in a packet of voice: 20 ms at 48 kHz.
pub const VOICE_PACKET: usize = 960;
/// An interrupted voice is faded over this many samples (5 ms), so that it does not click.
const FADE: usize = 240;

/// See the module's text.
#[derive(Debug)]
pub(super) struct VoiceLine {
    samples: VecDeque<f32>,
    /// Clock of the first sample that waits.
    first: u64,
}

impl VoiceLine {
    pub(super) fn new() -> Self {
        Self { samples: VecDeque::new(), first: 0 }
    }

    pub(super) fn push(&mut self, block: &[f32; BLOCK]) {
        self.samples.extend(block);
    }

    /// The next packet with the clock of its first sample, once the clock has reached `delay` samples beyond that.
    pub(super) fn take(&mut self, clock: u64, delay: u64, packet: &mut [f32; VOICE_PACKET]) -> Option<u64> {
        let at = self.first;
        if clock < at + delay.max(VOICE_PACKET as u64) {
            return None;
        }
        for (to, from) in packet.iter_mut().zip(self.samples.drain(..VOICE_PACKET)) {
            *to = from;
        }
        self.first += VOICE_PACKET as u64;
        Some(at)
    }

    /// The clock jumps: what waits keeps its distance to it.
    pub(super) fn jump(&mut self, samples: u64) {
        self.first += samples;
    }

    /// Everything that waits becomes silence.
    pub(super) fn hush(&mut self) {
        for (i, sample) in self.samples.iter_mut().enumerate() {
            *sample *= 1.0 - (i as f32 / FADE as f32).min(1.0);
        }
    }

    /// Clock of the first sample that has not been given out.
    pub(super) fn position(&self) -> u64 {
        self.first
    }
}
