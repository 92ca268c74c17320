//! The jitter buffer between a live source (a microphone, near or far) and the media clock.
//!
//! It holds nothing back on purpose: sound goes on the moment it arrives, and the buffer only says how long the clock should wait
//! for sound that is late ([`JitterBuffer::patience`]). Being late teaches it to wait longer, punctuality to wait less.

use std::collections::VecDeque;
use std::time::Duration;

use super::BLOCK;

/// Samples at 48 kHz that may wait: 200 ms. Beyond that the oldest are dropped: a conversation wants what is said now.
const CAPACITY: usize = 9600;
/// Sound that is always there in surplus for this long is cut by a block: the sender's clock is faster than ours.
const SURPLUS_SECS: u64 = 2;
const PATIENCE_MIN: Duration = Duration::from_millis(40);
const PATIENCE_MAX: Duration = Duration::from_millis(160);
/// After this long without sound the source counts as silent.
const QUIET_AFTER: Duration = Duration::from_millis(400);
/// How fast patience is lost while sound is punctual.
const FORGIVING: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(20);

/// See the module's text.
#[derive(Debug)]
pub(super) struct JitterBuffer {
    samples: VecDeque<f32>,
    last_arrival: Option<Duration>,
    patience: Duration,
    /// When patience changed last.
    changed: Duration,
    /// The clock ran out of sound and has not got any since.
    starved: bool,
    /// Since when there has been more than a block in reserve.
    surplus_since: Option<Duration>,
    /// Samples thrown away because they came in a burst, or too fast.
    dropped: u64,
}

impl JitterBuffer {
    pub(super) fn new() -> Self {
        Self {
            samples: VecDeque::with_capacity(CAPACITY + BLOCK),
            last_arrival: None,
            patience: PATIENCE_MIN,
            changed: Duration::ZERO,
            starved: false,
            surplus_since: None,
            dropped: 0,
        }
    }

    /// Takes sound that arrived at `now`.
    pub(super) fn push(&mut self, pcm: &[f32], now: Duration) {
        if self.starved && self.is_live(now) {
            // Late rather than over: next time the clock should wait longer.
            self.patience = (self.patience + STEP).min(PATIENCE_MAX);
            self.changed = now;
        }
        self.starved = false;
        self.last_arrival = Some(now);
        let pcm = &pcm[pcm.len().saturating_sub(CAPACITY)..];
        let over = (self.samples.len() + pcm.len()).saturating_sub(CAPACITY);
        self.samples.drain(..over);
        self.dropped += over as u64;
        self.samples.extend(pcm);
    }

    /// Whether sound has been arriving lately.
    pub(super) fn is_live(&self, now: Duration) -> bool {
        self.last_arrival.is_some_and(|at| now.saturating_sub(at) < QUIET_AFTER)
    }

    /// How long the clock may wait for late sound.
    pub(super) fn patience(&mut self, now: Duration) -> Duration {
        if now.saturating_sub(self.changed) > FORGIVING && self.patience > PATIENCE_MIN {
            self.patience = (self.patience - STEP).max(PATIENCE_MIN);
            self.changed = now;
        }
        self.patience
    }

    /// The next block, with the time when its last sample arrived; `None` where there is none yet.
    pub(super) fn take(&mut self, block: &mut [f32; BLOCK], now: Duration) -> Option<Duration> {
        if self.samples.len() < BLOCK {
            return None;
        }
        for (to, from) in block.iter_mut().zip(self.samples.drain(..BLOCK)) {
            *to = from;
        }
        self.trim(block, now);
        self.last_arrival
    }

    /// The clock could wait no longer: whatever there is, faded out so that it does not click.
    pub(super) fn starve(&mut self, block: &mut [f32; BLOCK]) {
        block.fill(0.0);
        let have = self.samples.len();
        for (i, from) in self.samples.drain(..).enumerate() {
            block[i] = from * (1.0 - (i + 1) as f32 / have as f32);
        }
        self.starved = true;
        self.surplus_since = None;
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Where the sender's clock is faster, its sound piles up: a block is then blended with the one after it.
    fn trim(&mut self, block: &mut [f32; BLOCK], now: Duration) {
        if self.samples.len() < 2 * BLOCK {
            self.surplus_since = None;
            return;
        }
        let since = *self.surplus_since.get_or_insert(now);
        if now.saturating_sub(since) < Duration::from_secs(SURPLUS_SECS) {
            return;
        }
        self.surplus_since = None;
        self.dropped += BLOCK as u64;
        for (i, from) in self.samples.drain(..BLOCK).enumerate() {
            let share = (i + 1) as f32 / BLOCK as f32;
            block[i] += (from - block[i]) * share;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_beyond_the_capacity_loses_its_oldest_part() {
        let mut buffer = JitterBuffer::new();
        let pcm: Vec<f32> = (0..CAPACITY + 1000).map(|n| n as f32).collect();
        buffer.push(&pcm[..2000], MS);
        buffer.push(&pcm[2000..], 2 * MS);
        let mut block = [0.0; BLOCK];
        assert_eq!(buffer.take(&mut block, 3 * MS), Some(2 * MS));
        assert_eq!((block[0], buffer.dropped()), (1000.0, 1000));
    }

    #[test]
    fn lateness_teaches_patience_and_punctuality_forgets_it() {
        let mut buffer = JitterBuffer::new();
        let mut block = [0.0; BLOCK];
        buffer.push(&[0.5; 100], 100 * MS);
        assert_eq!(buffer.take(&mut block, 100 * MS), None);
        buffer.starve(&mut block);
        assert!(block[0] > 0.4 && block[99] == 0.0 && block[100..].iter().all(|x| *x == 0.0), "a click");
        buffer.push(&[0.5; 100], 180 * MS);
        assert_eq!(buffer.patience(180 * MS), PATIENCE_MIN + STEP);
        assert_eq!(buffer.patience(6000 * MS), PATIENCE_MIN);
        // A pause in speech on a source that stopped sending is not lateness.
        buffer.starve(&mut block);
        buffer.push(&[0.5; 100], 9000 * MS);
        assert_eq!(buffer.patience(9000 * MS), PATIENCE_MIN);
    }

    #[test]
    fn a_fast_sender_does_not_pile_up() {
        let mut buffer = JitterBuffer::new();
        let mut block = [0.0; BLOCK];
        for n in 0..20_000u32 {
            let now = n * 5 * MS;
            // One block more in a thousand than is taken.
            buffer.push(&[0.1; BLOCK], now);
            if n % 1000 == 0 {
                buffer.push(&[0.1; BLOCK], now);
            }
            buffer.take(&mut block, now);
            assert!(block.iter().all(|x| (x - 0.1).abs() < 1e-6));
        }
        assert!(buffer.samples.len() < 4 * BLOCK, "{} samples wait", buffer.samples.len());
    }
}
