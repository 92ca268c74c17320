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
    /// Utterances that have not been given out to their end.
    utterances: VecDeque<Utterance>,
    /// From here on what came in belongs to no utterance yet.
    unclaimed: u64,
}

#[derive(Debug)]
struct Utterance {
    mark: u64,
    /// What had come in when it began, and when it ended.
    from: u64,
    to: Option<u64>,
    /// As far as [`SpeechQueue::step`] has told of it.
    told: u64,
}

/// How far an utterance has been given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) mark: u64,
    /// Samples of it so far.
    pub(super) said: u64,
    /// Its first samples are among those given out last.
    pub(super) first: bool,
    /// All of it has been given out.
    pub(super) over: bool,
}

impl SpeechQueue {
    /// Takes as much as there is room for and says how much that was.
    pub(super) fn push(&mut self, pcm: &[f32]) -> usize {
        let taken = pcm.len().min(CAPACITY - self.samples.len());
        self.samples.extend(&pcm[..taken]);
        self.pushed += taken as u64;
        taken
    }

    /// What comes in from now on belongs to this utterance, up to its end or the next beginning.
    pub(super) fn begin(&mut self, mark: u64) {
        self.close();
        self.open(mark, self.pushed);
    }

    /// The utterance is complete: what is there is said even if it is shorter than the preroll. One that was not begun has all that came in
    /// since the one before it.
    pub(super) fn end(&mut self, mark: u64) {
        if self.utterances.back().is_none_or(|last| last.mark != mark || last.to.is_some()) {
            let from = self.unclaimed;
            self.close();
            self.open(mark, from.max(self.unclaimed));
        }
        self.close();
    }

    fn open(&mut self, mark: u64, from: u64) {
        if self.utterances.len() == UTTERANCES {
            self.utterances.pop_back();
        }
        self.utterances.push_back(Utterance { mark, from, to: None, told: from });
    }

    fn close(&mut self) {
        if let Some(last) = self.utterances.back_mut()
            && last.to.is_none()
        {
            last.to = Some(self.pushed);
            self.unclaimed = self.pushed;
        }
    }

    /// What the samples given out since the last call have been, utterance by utterance.
    pub(super) fn step(&mut self) -> Option<Step> {
        let it = self.utterances.front_mut()?;
        let given = it.to.map_or(self.taken, |to| to.min(self.taken));
        let over = it.to.is_some_and(|to| to <= self.taken);
        if given <= it.told && !over {
            return None;
        }
        let first = it.told == it.from && given > it.told;
        it.told = it.told.max(given);
        let step = Step { mark: it.mark, said: it.told - it.from, first, over };
        if over {
            self.utterances.pop_front();
        }
        Some(step)
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the next block comes from here.
    pub(super) fn is_speaking(&mut self) -> bool {
        let enough = if self.speaking { 1 } else { PREROLL };
        self.speaking = self.samples.len() >= enough || (self.has_complete() && !self.samples.is_empty());
        self.speaking
    }

    fn has_complete(&self) -> bool {
        self.utterances.front().is_some_and(|first| first.to.is_some())
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
        self.utterances.clear();
        (self.speaking, self.taken, self.unclaimed) = (false, self.pushed, self.pushed);
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
        let (mark, said) = (7, BLOCK as u64 + 100);
        assert_eq!(queue.step(), Some(Step { mark, said, first: true, over: true }));
        assert!(!queue.is_speaking() && queue.step().is_none());
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
            assert!(queue.is_speaking() && queue.step().is_none());
            queue.take(&mut block);
            assert_eq!(queue.step(), Some(Step { mark, said: BLOCK as u64, first: true, over: true }));
        }
    }

    #[test]
    fn marks_are_bounded_and_the_last_one_is_kept() {
        let mut queue = SpeechQueue::default();
        (0..10_000).for_each(|mark| queue.end(mark));
        let said: Vec<u64> = std::iter::from_fn(|| queue.step()).map(|step| step.mark).collect();
        assert_eq!((said.len(), said.last()), (UTTERANCES, Some(&9999)));
    }

    #[test]
    fn an_utterance_tells_how_far_it_is() {
        let mut queue = SpeechQueue::default();
        // What belongs to nobody is told of by nobody.
        queue.push(&[0.5; BLOCK]);
        queue.begin(1);
        queue.push(&[0.5; 2 * BLOCK - 10]);
        queue.end(1);
        queue.begin(2);
        queue.push(&[0.5; PREROLL]);
        let mut block = [0.0; BLOCK];
        let mut taken = || {
            assert!(queue.is_speaking());
            queue.take(&mut block);
            std::iter::from_fn(|| queue.step()).map(|it| (it.mark, it.said, it.first, it.over)).collect::<Vec<_>>()
        };
        assert_eq!(taken(), []);
        assert_eq!(taken(), [(1, 240, true, false)]);
        assert_eq!(taken(), [(1, 470, false, true), (2, 10, true, false)]);
        assert_eq!(taken(), [(2, 250, false, false)]);
        queue.clear();
        queue.end(3);
        assert_eq!(queue.step(), Some(Step { mark: 3, said: 0, first: false, over: true }), "nothing was in it");
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
