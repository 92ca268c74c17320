//! Speech that is sent ahead of time: text-to-speech and agents deliver faster (or slower) than real time.

use std::collections::VecDeque;

use super::BLOCK;

/// Seconds of speech that may wait. A queue that is full takes no more; the sender has to wait.
pub const SPEECH_CAPACITY_SECS: usize = 30;
const CAPACITY: usize = SPEECH_CAPACITY_SECS * super::CLOCK_RATE as usize;
/// Speech begins when this much is there (60 ms), so that a sender that is barely in time does not stutter at once.
const PREROLL: usize = 2880;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct SpeechQueue {
    samples: VecDeque<f32>,
    /// Samples are being given out.
    speaking: bool,
    /// Nothing more belongs to this utterance.
    ended: bool,
}

impl SpeechQueue {
    /// Takes as much as there is room for and says how much that was.
    pub(super) fn push(&mut self, pcm: &[f32]) -> usize {
        let taken = pcm.len().min(CAPACITY - self.samples.len());
        self.samples.extend(&pcm[..taken]);
        if taken > 0 {
            self.ended = false;
        }
        taken
    }

    /// The utterance is complete: what is there is said even if it is shorter than the preroll.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the next block comes from here.
    pub(super) fn is_speaking(&mut self) -> bool {
        let enough = if self.speaking { 1 } else { PREROLL };
        self.speaking = self.samples.len() >= enough || (self.ended && !self.samples.is_empty());
        self.speaking
    }

    /// The next block; where too little is left, faded out and filled with silence.
    pub(super) fn take(&mut self, block: &mut [f32; BLOCK]) {
        block.fill(0.0);
        let have = self.samples.len().min(BLOCK);
        for (to, from) in block.iter_mut().zip(self.samples.drain(..have)) {
            *to = from;
        }
        if have < BLOCK {
            let fade = have.min(96);
            for i in 0..fade {
                block[have - 1 - i] *= i as f32 / fade as f32;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        // An interrupted minute of speech should not keep its memory.
        self.samples = VecDeque::new();
        (self.speaking, self.ended) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_takes_no_more() {
        let mut queue = SpeechQueue::default();
        assert_eq!(queue.push(&vec![0.1; CAPACITY - 10]), CAPACITY - 10);
        assert_eq!(queue.push(&[0.1; 100]), 10);
        assert_eq!(queue.push(&[0.1; 100]), 0);
        queue.clear();
        assert_eq!(queue.push(&[0.1; 100]), 100);
    }

    #[test]
    fn it_waits_for_a_preroll_or_the_end() {
        let mut queue = SpeechQueue::default();
        queue.push(&[0.5; BLOCK + 100]);
        assert!(!queue.is_speaking());
        queue.end();
        let mut block = [0.0; BLOCK];
        assert!(queue.is_speaking());
        queue.take(&mut block);
        assert_eq!(block, [0.5; BLOCK]);
        assert!(queue.is_speaking());
        queue.take(&mut block);
        assert!(block[0] == 0.5 && block[99] == 0.0 && block[100..] == [0.0; BLOCK - 100]);
        assert!(!queue.is_speaking());
    }
}
