//! Speech that came faster than it can be said: it waits here, as it came, until the session has room.

use std::collections::VecDeque;

use vultus::audio::{RateError, Resampler};
use vultus::session::CLOCK_RATE;
use vultus::stream::live::LiveSession;

/// What may wait: seconds, and bytes where that is less.
const SECS: usize = 90;
const BYTES: usize = 8 << 20;
/// Pieces of sound that are handed to the session at a time, each a tenth of a second: resampling a whole minute at once would hold up
/// everybody else's packets.
const PIECES: usize = 5;
const PIECES_PER_SEC: usize = 10;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    S16,
    F32,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::S16, Self::F32].into_iter().find(|format| format.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S16 => "s16le",
            Self::F32 => "f32le",
        }
    }

    /// Bytes of a sample.
    pub(super) fn unit(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::F32 => 4,
        }
    }

    fn read(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::S16 => bytes.as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32768.0).collect(),
            Self::F32 => {
                // What is no number must not get into the resampler's memory.
                let clean = |b: &[u8; 4]| Some(f32::from_le_bytes(*b)).filter(|x| x.is_finite()).unwrap_or(0.0);
                bytes.as_chunks().0.iter().map(|b| clean(b).clamp(-1.0, 1.0)).collect()
            }
        }
    }
}

/// See the module's text.
pub(super) struct Backlog {
    format: Format,
    rate: usize,
    resampler: Resampler,
    bytes: VecDeque<u8>,
    /// Bytes that ever came in, and that were handed on.
    pushed: u64,
    taken: u64,
    /// Ends of utterances: what had come in by then, and their marks.
    ends: VecDeque<(u64, u64)>,
    /// The resampler's filter holds nothing.
    flushed: bool,
    /// A piece at 48 kHz that the session had no room for.
    refused: Vec<f32>,
}

impl Backlog {
    pub(super) fn new(format: Format, rate: usize) -> Result<Self, RateError> {
        Ok(Self {
            format,
            rate,
            resampler: Resampler::low_delay(rate, CLOCK_RATE as usize, 1)?,
            bytes: VecDeque::new(),
            pushed: 0,
            taken: 0,
            ends: VecDeque::new(),
            flushed: true,
            refused: Vec::new(),
        })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn rate(&self) -> usize {
        self.rate
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > BYTES.min(SECS * self.rate * self.format.unit())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.refused.is_empty() && self.ends.is_empty()
    }

    pub(super) fn millis(&self) -> usize {
        self.bytes.len() / self.format.unit() * 1000 / self.rate
    }

    /// Takes whole samples.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.pushed += bytes.len() as u64;
    }

    /// What came so far is an utterance.
    pub(super) fn end(&mut self, mark: u64) {
        self.ends.push_back((self.pushed, mark));
    }

    /// What waits is not said.
    pub(super) fn forget(&mut self) {
        self.bytes = VecDeque::new();
        self.taken = self.pushed;
        self.ends.clear();
        self.refused = Vec::new();
        self.resampler.forget();
    }

    /// Hands as much on as the session has room for, at most half a second.
    pub(super) fn hand_on(&mut self, live: &LiveSession) {
        for _ in 0..PIECES {
            let mut piece = std::mem::take(&mut self.refused);
            if piece.is_empty() {
                self.next_piece(&mut piece);
            }
            if !piece.is_empty()
                && let Err(back) = live.say(piece)
            {
                self.refused = back;
                return;
            }
            while let Some(&(end, mark)) = self.ends.front()
                && end == self.taken
                && self.flushed
            {
                if live.end_speech(mark).is_err() {
                    return;
                }
                self.ends.pop_front();
            }
            if self.bytes.is_empty() && self.flushed {
                return;
            }
        }
    }

    /// The next tenth of a second, but not beyond the end of an utterance.
    fn next_piece(&mut self, piece: &mut Vec<f32>) {
        let end = self.ends.front().map(|(end, _)| *end);
        let left = end.unwrap_or(self.pushed).saturating_sub(self.taken) as usize;
        let count = left.min(self.rate / PIECES_PER_SEC * self.format.unit());
        if count > 0 {
            let bytes: Vec<u8> = self.bytes.drain(..count).collect();
            self.taken += count as u64;
            self.flushed = false;
            self.resampler.push(&self.format.read(&bytes), |samples| piece.extend_from_slice(samples));
            if self.bytes.is_empty() {
                // Megabytes, after a burst.
                self.bytes = VecDeque::new();
            }
        }
        if end == Some(self.taken) && !self.flushed {
            // The last samples are still in the filter.
            self.resampler.finish(|samples| piece.extend_from_slice(samples));
            self.flushed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_utterances_do() {
        let mut backlog = Backlog::new(Format::S16, 24_000).unwrap();
        for mark in [1, 2] {
            backlog.push(&[0; 3000]);
            backlog.end(mark);
        }
        let mut lengths = Vec::new();
        for _ in 0..2 {
            let mut piece = Vec::new();
            backlog.next_piece(&mut piece);
            lengths.push(piece.len());
            assert!(backlog.flushed);
            backlog.ends.pop_front();
        }
        assert_eq!(lengths, [3000, 3000], "samples at twice the rate");
        assert!(backlog.is_empty());
    }

    #[test]
    fn samples_are_read_and_what_is_no_number_is_silence() {
        assert_eq!(Format::S16.read(&[0, 0x80, 0, 0x40]), [-1.0, 0.5]);
        let bytes: Vec<u8> = [f32::NAN, f32::INFINITY, 2.0, 0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(Format::F32.read(&bytes), [0.0, 0.0, 1.0, 0.25]);
    }

    #[test]
    fn what_waits_is_bounded_and_let_go_of() {
        for (format, rate) in [(Format::F32, 192_000), (Format::S16, 8_000)] {
            let mut backlog = Backlog::new(format, rate).unwrap();
            while !backlog.is_full() {
                backlog.push(&[0; 1 << 20]);
            }
            assert!(backlog.bytes.len() <= BYTES + (1 << 20) && backlog.millis() <= SECS * 1000 + 66_000);
            backlog.forget();
            assert!(backlog.is_empty() && backlog.bytes.capacity() == 0);
        }
    }
}
