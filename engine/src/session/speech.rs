//! Speech that is sent ahead of time: text-to-speech and agents deliver faster (or slower) than real time.

use std::collections::VecDeque;

use super::BLOCK;

/// Seconds of speech that may wait. A queue that is full takes no more; the sender has to wait.
pub const SPEECH_CAPACITY_SECS: usize = 30;
const CAPACITY: usize = SPEECH_CAPACITY_SECS * super::CLOCK_RATE as usize;
/// Speech begins when this much is there (60 ms), so that a sender that is barely in time does not stutter at once.
const PREROLL: usize = 2880;
/// Complete utterances that may wait to be said; of more than these the last two count as one.
const UTTERANCES: usize = 256;
/// An empty queue lets go of memory beyond this many samples (one second).
const KEPT: usize = super::CLOCK_RATE as usize;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct SpeechQueue {
    samples: VecDeque<f32>,
    /// Samples are being given out.
    speaking: bool,
    /// Samples that ever came in, and that were given out or dropped.
    pushed: u64,
    taken: u64,
    /// Complete utterances that wait: what had come in by their end, and their mark.
    ends: VecDeque<(u64, u64)>,
}

impl SpeechQueue {
    /// Takes as much as there is room for and says how much that was.
    pub(super) fn push(&mut self, pcm: &[f32]) -> usize {
        let taken = pcm.len().min(CAPACITY - self.samples.len());
        self.samples.extend(&pcm[..taken]);
        self.pushed += taken as u64;
        taken
    }

    /// The utterance is complete: what is there is said even if it is shorter than the preroll.
    pub(super) fn end(&mut self, mark: u64) {
        if self.ends.len() == UTTERANCES {
            self.ends.pop_back();
        }
        self.ends.push_back((self.pushed, mark));
    }

    /// The mark of the next utterance that has been given out to its end.
    pub(super) fn said(&mut self) -> Option<u64> {
        let &(end, mark) = self.ends.front()?;
        (self.taken >= end).then(|| {
            self.ends.pop_front();
            mark
        })
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the next block comes from here.
    pub(super) fn is_speaking(&mut self) -> bool {
        let enough = if self.speaking { 1 } else { PREROLL };
        self.speaking = self.samples.len() >= enough || (!self.ends.is_empty() && !self.samples.is_empty());
        self.speaking
    }

    /// The next block; where too little is left, faded out and filled with silence.
    pub(super) fn take(&mut self, block: &mut [f32; BLOCK]) {
        block.fill(0.0);
        let have = self.samples.len().min(BLOCK);
        for (to, from) in block.iter_mut().zip(self.samples.drain(..have)) {
            *to = from;
        }
        self.taken += have as u64;
        if self.samples.is_empty() {
            self.samples.shrink_to(KEPT);
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
        self.ends.clear();
        (self.speaking, self.taken) = (false, self.pushed);
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
        queue.end(7);
        let mut block = [0.0; BLOCK];
        assert!(queue.is_speaking());
        queue.take(&mut block);
        assert_eq!(block, [0.5; BLOCK]);
        assert!(queue.is_speaking());
        queue.take(&mut block);
        assert!(block[0] == 0.5 && block[99] == 0.0 && block[100..] == [0.0; BLOCK - 100]);
        assert_eq!(queue.said(), Some(7));
        assert!(!queue.is_speaking() && queue.said().is_none());
    }

    #[test]
    fn a_short_utterance_does_not_wait_for_the_next_one() {
        let mut queue = SpeechQueue::default();
        for mark in [1, 2] {
            queue.push(&[0.5; BLOCK]);
            queue.end(mark);
        }
        let mut block = [0.0; BLOCK];
        for mark in [1, 2] {
            assert!(queue.is_speaking() && queue.said().is_none());
            queue.take(&mut block);
            assert_eq!(queue.said(), Some(mark));
        }
    }

    #[test]
    fn marks_are_bounded_and_the_last_one_is_kept() {
        let mut queue = SpeechQueue::default();
        (0..10_000).for_each(|mark| queue.end(mark));
        let said: Vec<u64> = std::iter::from_fn(|| queue.said()).collect();
        assert_eq!((said.len(), said.last()), (UTTERANCES, Some(&9999)));
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = SpeechQueue::default();
        queue.push(&vec![0.1; CAPACITY]);
        let mut block = [0.0; BLOCK];
        while queue.is_speaking() {
            queue.take(&mut block);
        }
        assert!(queue.samples.capacity() < 2 * KEPT, "{}", queue.samples.capacity());
    }
}
