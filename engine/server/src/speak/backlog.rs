//! Speech that came faster than it can be said: it waits here until the session has room.
//!
//! | bound | of | beyond it |
//! |---|---|---|
//! | [`SECS`], [`BYTES`] | one client | [`Full`]: the client is told, and the rest of its utterance is refused |
//! | [`Store`] | all clients together | the same |
//!
//! What waits is mono with 16 bits, in blocks that are given back one by one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vultus::audio::Resampler;
use vultus::session::CLOCK_RATE;

/// What may wait of one client: half an hour, and bytes where that is less (five minutes at 192 kHz, half an hour at 32 kHz).
pub const SECS: usize = 30 * 60;
/// See [`SECS`].
pub const BYTES: usize = 128 << 20;
/// What may wait of all clients together, bytes, beyond the first [`OWN`] of each.
const STORE: usize = 512 << 20;
/// What each client has in any case, bytes.
const OWN: usize = 1 << 20;
/// Samples of a block.
const BLOCK: usize = 1 << 15;
/// Pieces of sound that are handed to the session at a time, each a tenth of a second: resampling a whole minute at once would hold up
/// everybody else's packets.
const PIECES: usize = 5;
const PIECES_PER_SEC: usize = 10;
/// Utterances in the session that have not been said to their end; the next ones wait here.
const BEGUN: usize = 128;

/// The session that is spoken in, as far as sound is concerned.
pub trait Session {
    /// Takes mono sound at 48 kHz.
    ///
    /// # Errors
    /// Gives it back: try again later.
    fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>>;
    /// An utterance begins. False: try again later.
    fn begin(&self, mark: u64) -> bool;
    /// It is complete. False: try again later.
    fn end(&self, mark: u64) -> bool;
}

/// Memory for what waits, shared by all clients.
#[derive(Debug, Default)]
pub struct Store(AtomicUsize);

impl Store {
    fn take(&self, bytes: usize) -> bool {
        let sum = |held: usize| Some(held + bytes).filter(|sum| *sum <= STORE);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

enum Item {
    Begin(u64),
    Sound { rate: u32, samples: Vec<i16>, said: usize },
    End(u64),
}

/// See the module's text.
pub struct Backlog {
    store: Arc<Store>,
    items: VecDeque<Item>,
    /// Blocks in `items`.
    blocks: usize,
    /// Length of what waits, in microseconds.
    micros: u64,
    resampler: Option<(u32, Resampler)>,
    /// The resampler's filter holds nothing.
    flushed: bool,
    /// A piece at 48 kHz that the session had no room for.
    refused: Vec<f32>,
    /// Utterances that the session knows of and has not said.
    begun: usize,
}

impl Backlog {
    /// Of one client.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            items: VecDeque::new(),
            blocks: 0,
            micros: 0,
            resampler: None,
            flushed: true,
            refused: Vec::new(),
            begun: 0,
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.refused.is_empty()
    }

    /// How long what waits is, in milliseconds.
    pub fn millis(&self) -> u64 {
        self.micros / 1000
    }

    /// What is pushed from now on is the utterance of this mark, until its [`Backlog::end`].
    pub fn begin(&mut self, mark: u64) {
        self.items.push_back(Item::Begin(mark));
    }

    /// Takes mono samples within ±1, of `rate` a second.
    ///
    /// # Errors
    /// There is no room for all of them; a part may have been taken.
    pub fn push(&mut self, rate: u32, mono: &[f32]) -> Result<(), Full> {
        let mut rest = mono;
        while !rest.is_empty() {
            if !self.has_room_in_last(rate) {
                self.add_block(rate)?;
            }
            let Some(Item::Sound { samples, .. }) = self.items.back_mut() else { return Err(Full) };
            let (now, later) = rest.split_at(rest.len().min(BLOCK - samples.len()));
            let length = samples.len() + now.len();
            if length > samples.capacity() {
                samples.reserve_exact(length.next_power_of_two().min(BLOCK) - samples.len());
            }
            samples.extend(now.iter().map(|x| (x * 32768.0).round().clamp(-32768.0, 32767.0) as i16));
            self.micros += micros(now.len(), rate);
            rest = later;
        }
        Ok(())
    }

    fn has_room_in_last(&self, rate: u32) -> bool {
        matches!(self.items.back(), Some(Item::Sound { rate: known, samples, .. }) if *known == rate && samples.len() < BLOCK)
    }

    fn add_block(&mut self, rate: u32) -> Result<(), Full> {
        const BYTES_OF: usize = BLOCK * size_of::<i16>();
        let full = (self.blocks + 1) * BYTES_OF > BYTES || self.micros > SECS as u64 * 1_000_000;
        let shared = (self.blocks + 1) * BYTES_OF > OWN;
        if full || (shared && !self.store.take(BYTES_OF)) {
            return Err(Full);
        }
        self.blocks += 1;
        // Grows to a block and never beyond it, so that short utterances stay small.
        self.items.push_back(Item::Sound { rate, samples: Vec::new(), said: 0 });
        Ok(())
    }

    /// A block is over.
    fn drop_block(&mut self) {
        const BYTES_OF: usize = BLOCK * size_of::<i16>();
        if self.blocks * BYTES_OF > OWN {
            self.store.give(BYTES_OF);
        }
        self.blocks -= 1;
    }

    /// What came since its beginning is all of this utterance.
    pub fn end(&mut self, mark: u64) {
        self.items.push_back(Item::End(mark));
    }

    /// The session has said an utterance to its end.
    pub fn said(&mut self) {
        self.begun = self.begun.saturating_sub(1);
    }

    /// What waits is not said.
    pub fn forget(&mut self) {
        while self.blocks > 0 {
            self.drop_block();
        }
        self.items = VecDeque::new();
        self.refused = Vec::new();
        (self.micros, self.begun, self.flushed) = (0, 0, true);
        // A new one begins at the first sample; a used one would begin with what it has left out.
        self.resampler = None;
    }

    /// Hands as much on as the session has room for, at most half a second.
    pub fn hand_on(&mut self, session: &impl Session) {
        let mut pieces = 0;
        while pieces < PIECES {
            if !self.refused.is_empty() {
                pieces += 1;
                if let Err(back) = session.say(std::mem::take(&mut self.refused)) {
                    self.refused = back;
                    return;
                }
            }
            match self.items.front() {
                Some(Item::Sound { .. }) => self.refused = self.next_piece(),
                // The last samples are still in the filter.
                Some(Item::End(_)) if !self.flushed => self.refused = self.flush(),
                Some(Item::End(mark)) if session.end(*mark) => drop(self.items.pop_front()),
                Some(Item::Begin(mark)) if self.begun < BEGUN && session.begin(*mark) => {
                    self.begun += 1;
                    self.items.pop_front();
                }
                _ => return,
            }
        }
    }

    /// The next tenth of a second, at 48 kHz.
    fn next_piece(&mut self) -> Vec<f32> {
        let Some(Item::Sound { rate, samples, said }) = self.items.front_mut() else { return Vec::new() };
        let rate = *rate;
        let count = (samples.len() - *said).min(rate as usize / PIECES_PER_SEC);
        let piece: Vec<f32> = samples[*said..*said + count].iter().map(|x| f32::from(*x) / 32768.0).collect();
        *said += count;
        let over = *said == samples.len();
        if over {
            self.items.pop_front();
            self.drop_block();
        }
        self.micros = if self.blocks == 0 { 0 } else { self.micros.saturating_sub(micros(count, rate)) };
        let mut out =
            if self.resampler.as_ref().is_some_and(|(known, _)| *known != rate) { self.flush() } else { Vec::new() };
        let resampler = match &mut self.resampler {
            Some((known, resampler)) if *known == rate => resampler,
            // The stream takes no rate that cannot be converted.
            other => match Resampler::low_delay(rate as usize, CLOCK_RATE as usize, 1) {
                Ok(made) => &mut other.insert((rate, made)).1,
                Err(_) => return out,
            },
        };
        self.flushed = false;
        resampler.push(&piece, |samples| out.extend_from_slice(samples));
        out
    }

    fn flush(&mut self) -> Vec<f32> {
        let mut out = Vec::new();
        if let Some((_, resampler)) = &mut self.resampler
            && !self.flushed
        {
            resampler.finish(|samples| out.extend_from_slice(samples));
        }
        self.flushed = true;
        out
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.forget();
    }
}

fn micros(samples: usize, rate: u32) -> u64 {
    samples as u64 * 1_000_000 / u64::from(rate)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A session that takes everything, and remembers.
    #[derive(Default)]
    struct Ear(RefCell<Vec<String>>);

    impl Session for Ear {
        fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
            self.0.borrow_mut().push(format!("{}", pcm.len()));
            Ok(())
        }
        fn begin(&self, mark: u64) -> bool {
            self.0.borrow_mut().push(format!("({mark}"));
            true
        }
        fn end(&self, mark: u64) -> bool {
            self.0.borrow_mut().push(format!("{mark})"));
            true
        }
    }

    fn handed(backlog: &mut Backlog) -> Vec<String> {
        let ear = Ear::default();
        for _ in 0..1000 {
            backlog.hand_on(&ear);
        }
        assert!(backlog.is_empty());
        ear.0.into_inner()
    }

    #[test]
    fn pieces_end_where_utterances_do() {
        let mut backlog = Backlog::new(Arc::default());
        for mark in [1, 2] {
            backlog.begin(mark);
            backlog.push(24_000, &[0.0; 1500]).unwrap();
            backlog.end(mark);
        }
        let handed = handed(&mut backlog);
        let whole = |from: &str, to: &str| -> usize {
            let at = |what| handed.iter().position(|it| it == what).unwrap();
            handed[at(from) + 1..at(to)].iter().map(|it| it.parse::<usize>().unwrap()).sum()
        };
        assert_eq!((whole("(1", "1)"), whole("(2", "2)")), (3000, 3000), "samples at twice the rate: {handed:?}");
        assert_eq!(backlog.millis(), 0);
    }

    #[test]
    fn a_rate_may_change_in_the_middle() {
        let mut backlog = Backlog::new(Arc::default());
        backlog.begin(1);
        backlog.push(16_000, &[0.0; 1600]).unwrap();
        backlog.push(48_000, &[0.0; 4800]).unwrap();
        backlog.push(8_000, &[0.0; 800]).unwrap();
        backlog.end(1);
        assert_eq!(backlog.millis(), 300);
        let sum: usize = handed(&mut backlog).iter().filter_map(|it| it.parse::<usize>().ok()).sum();
        assert_eq!(sum, 3 * 4800);
    }

    #[test]
    fn five_minutes_have_room_at_any_rate_and_half_an_hour_at_usual_ones() {
        for (rate, minutes) in [(8_000, 30), (24_000, 30), (48_000, 20), (192_000, 5)] {
            let mut backlog = Backlog::new(Arc::default());
            let second = vec![0.0; rate];
            for n in 0..minutes * 60 {
                assert_eq!(backlog.push(rate as u32, &second), Ok(()), "{rate} Hz, second {n}");
            }
            while backlog.push(rate as u32, &second).is_ok() {}
            assert!(backlog.millis() <= (SECS as u64 + 10) * 1000);
            assert!(backlog.blocks * BLOCK * 2 <= BYTES);
        }
    }

    #[test]
    fn what_waits_of_all_clients_is_bounded_and_given_back() {
        let store = Arc::new(Store::default());
        let second = vec![0.0; 48_000];
        let mut all: Vec<Backlog> = (0..8).map(|_| Backlog::new(Arc::clone(&store))).collect();
        for backlog in &mut all {
            while backlog.push(48_000, &second).is_ok() {}
        }
        let held: usize = all.iter().map(|it| it.blocks * BLOCK * 2).sum();
        assert!(held <= STORE + 8 * OWN, "{held} bytes");
        assert!(all.iter().all(|it| it.blocks * BLOCK * 2 >= OWN), "each has a little of its own");
        all[0].forget();
        assert!(all[0].is_empty() && all[7].push(48_000, &second).is_ok());
        drop(all);
        assert_eq!(store.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_session_is_not_given_more_utterances_than_it_can_count() {
        let mut backlog = Backlog::new(Arc::default());
        for mark in 0..300 {
            backlog.begin(mark);
            backlog.end(mark);
        }
        let ear = Ear::default();
        for _ in 0..10 {
            backlog.hand_on(&ear);
        }
        assert_eq!(ear.0.borrow().len(), 2 * BEGUN);
        backlog.said();
        backlog.hand_on(&ear);
        assert_eq!(ear.0.borrow().len(), 2 * BEGUN + 2);
    }
}
