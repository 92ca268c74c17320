//! A whole conversation on a speak socket from bytes, for the fuzzer: the room has one floor, the session says at once what it is given.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use vultus_native::audio::stream::{Promise, SampleFormat};

use super::backlog::Session;
use super::control::Control;
use super::talk::{Effect, Floor, Talk};

#[derive(Default)]
struct Room {
    mine: Cell<bool>,
    marks: Cell<u64>,
    /// Utterances that are being said, and those that are over.
    open: Cell<Option<u64>>,
    over: RefCell<VecDeque<u64>>,
}

impl Floor for Room {
    fn take_floor(&self) -> bool {
        self.mine.set(true);
        true
    }
    fn give_floor(&self) {
        self.mine.set(false);
    }
    fn mark(&self) -> u64 {
        self.marks.set(self.marks.get() + 1);
        self.marks.get()
    }
}

impl Session for Room {
    fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        assert!(self.open.get().is_some(), "sound outside of an utterance");
        assert!(pcm.iter().all(|x| x.is_finite()), "a sample is no number");
        Ok(())
    }
    fn begin(&self, mark: u64) -> bool {
        assert!(self.open.replace(Some(mark)).is_none(), "an utterance begins in another");
        true
    }
    fn end(&self, mark: u64) -> bool {
        assert_eq!(self.open.take(), Some(mark), "an end without its beginning");
        self.over.borrow_mut().push_back(mark);
        true
    }
}

/// What is promised of the sound (format, rate, channels: a byte each), then messages: whether it is text (its lowest bit), length (u16), content.
pub(crate) fn conversation(bytes: &[u8]) -> String {
    let [format, rate, channels, messages @ ..] = bytes else { return String::new() };
    let promise = Promise {
        format: SampleFormat::NAMES.get(usize::from(format % 10)).map(|(format, _)| *format),
        rate: [None, Some(8_000), Some(16_000), Some(24_000), Some(48_000), Some(192_000)][usize::from(rate % 6)],
        channels: [None, Some(1), Some(2), Some(6)][usize::from(channels % 4)],
    };
    let room = Room::default();
    let mut talk = Talk::new(promise, Default::default());
    let mut rest = messages;
    let mut told = String::new();
    while let [kind, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (message, next) = tail.split_at(length);
        if kind & 1 == 1 {
            talk.text(&String::from_utf8_lossy(message), &room);
        } else {
            talk.binary(message, &room);
        }
        talk.hand_on(&room);
        while let Some(mark) = { room.over.borrow_mut().pop_front() } {
            talk.started(mark);
            talk.spoken(mark, Duration::from_millis(20), &room);
        }
        while let Some(effect) = talk.next_effect() {
            match effect {
                Effect::Tell(message) => told.push_str(message["code"].as_str().unwrap_or(" ")),
                Effect::Close(_, message) => return format!("{told} closed: {}", message["error"]),
                Effect::Interrupt => {
                    talk.interrupted();
                    let cut = room.open.take();
                    talk.stopped(cut.map(|mark| (mark, Duration::ZERO)));
                    told.push('i');
                }
                Effect::Emotion(_) | Effect::Avatar(_) | Effect::Background(_) | Effect::Playout(_) => told.push('c'),
            }
        }
        rest = next;
    }
    format!("{told} {}", talk.has_effects())
}

/// What a text message says, in short.
pub(crate) fn message(text: &str) -> String {
    Control::parse(text).map_or_else(|wrong| wrong.sentence, |_| "understood".to_owned())
}
