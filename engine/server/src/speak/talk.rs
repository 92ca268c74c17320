//! What a speak socket says and is told, sans I/O: messages and what happens in the session go in, effects come out.
//!
//! Sound goes into the [`Backlog`] as soon as it comes, whatever waits there, so that the socket can always be read: no control message is ever
//! behind sound. Where the backlog is full, the rest of the utterance is refused, in one piece: a hole in the middle would be said as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vultus_native::audio::stream::{Promise, SoundStream, StreamNotes};

use super::backlog::{self, Backlog, Full, Session, Store};
use super::control::{Change, Control, Wrong};

/// Utterances of one client that may wait to be said; more are refused.
pub const UTTERANCES: usize = 1024;

/// The room that the client is in.
pub trait Floor {
    /// Takes the floor, if nobody else has it.
    fn take_floor(&self) -> bool;
    /// Leaves it to others.
    fn give_floor(&self);
    /// A mark for an utterance, which nothing else in the room has.
    fn mark(&self) -> u64;
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the client.
    Tell(Value),
    /// Tell the client this and close the socket: it did something that cannot be put right. Comes last.
    Close(Close, Value),
    /// Stop speaking: then [`Talk::interrupted`], and [`Talk::stopped`] when the session has.
    Interrupt,
    /// Another emotion, or another intensity.
    Emotion(Change),
    /// Another face, by its name as the client wrote it.
    Avatar(String),
    /// Something else behind it, as the client wrote it.
    Background(String),
    /// At the client's glass the voice is so many milliseconds later than its picture.
    Playout(f64),
}

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// What it sent is no sound.
    Invalid,
    /// Somebody else is speaking.
    Policy,
}

#[derive(Debug)]
struct Utterance {
    /// Counted by the client's own, from 1.
    number: u64,
    mark: u64,
    id: Option<String>,
    ended: bool,
}

impl Utterance {
    fn told(&self, kind: &str) -> Map<String, Value> {
        let mut message = Map::new();
        message.insert("type".into(), kind.into());
        message.insert("utterance".into(), self.number.into());
        if let Some(id) = &self.id {
            message.insert("id".into(), id.as_str().into());
        }
        message
    }
}

/// See the module's text.
pub struct Talk {
    stream: SoundStream,
    backlog: Backlog,
    /// Those that have not been said to their end; only the last may be without an end.
    utterances: VecDeque<Utterance>,
    /// How many there have been.
    count: u64,
    /// What the next one is called.
    name: Option<String>,
    /// The one that an interrupt cut, until the session has told how far it was.
    cut: Option<Utterance>,
    /// There was no room: nothing is taken until this utterance is over.
    full: bool,
    effects: VecDeque<Effect>,
}

impl Talk {
    /// With a client who promises this of its sound.
    pub fn new(promise: Promise, store: Arc<Store>) -> Self {
        Self {
            stream: SoundStream::new(promise),
            backlog: Backlog::new(store),
            utterances: VecDeque::new(),
            count: 0,
            name: None,
            cut: None,
            full: false,
            effects: VecDeque::new(),
        }
    }

    /// How its sound is read.
    pub fn stream(&self) -> &SoundStream {
        &self.stream
    }

    /// How much sound waits outside of the session, in milliseconds.
    pub fn millis(&self) -> u64 {
        self.backlog.millis()
    }

    /// What is to be done next. To be asked until there is nothing, after each call of another method.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether [`Talk::next_effect`] gives anything.
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Hands as much on as the session has room for, at most half a second: to be called about every 20 ms.
    pub fn hand_on(&mut self, session: &impl Session) {
        self.backlog.hand_on(session);
    }

    /// A binary message.
    pub fn binary(&mut self, bytes: &[u8], room: &impl Floor) {
        if bytes.is_empty() || self.full {
            return;
        }
        if !room.take_floor() {
            self.close(Close::Policy, error_message("another client is speaking in this session", "taken"));
            return;
        }
        if self.open_mark().is_none() {
            if self.utterances.len() >= UTTERANCES {
                self.refuse(&too_many());
                return;
            }
            self.open(room);
        }
        let (mut room_left, backlog) = (Ok(()), &mut self.backlog);
        let read = self.stream.push(bytes, |rate, mono| {
            if room_left.is_ok() {
                room_left = backlog.push(rate, mono);
            }
        });
        if let Err(error) = read {
            let mut message = error_message(&error.to_string(), "bad_sound");
            message.insert("byte".into(), error.byte().into());
            if let Some(field) = error.field() {
                message.insert("field".into(), field.into());
            }
            self.close(Close::Invalid, message);
        } else if room_left == Err(Full) {
            let sentence = format!(
                "{} s of sound wait to be said, and there is room for no more ({} min or {} MiB for a client, less where many speak at once); \
                 the rest of this utterance is left out",
                self.backlog.millis() / 1000,
                backlog::SECS / 60,
                backlog::BYTES >> 20
            );
            self.refuse(&sentence);
        }
    }

    fn refuse(&mut self, sentence: &str) {
        self.full = true;
        self.stream.forget();
        let message = error_message(sentence, "queue_full");
        self.tell(message);
    }

    fn open_mark(&self) -> Option<u64> {
        self.utterances.back().filter(|last| !last.ended).map(|last| last.mark)
    }

    fn open(&mut self, room: &impl Floor) -> u64 {
        let mark = room.mark();
        self.count += 1;
        self.utterances.push_back(Utterance { number: self.count, mark, id: self.name.take(), ended: false });
        self.backlog.begin(mark);
        mark
    }

    /// A text message.
    pub fn text(&mut self, text: &str, room: &impl Floor) {
        match Control::parse(text) {
            Ok(Control::Audio(bytes)) => self.binary(&bytes, room),
            Ok(Control::Begin(_)) if self.open_mark().is_some() => {
                let sentence = "an utterance has begun already; send {\"type\":\"end\"} before the next one begins";
                self.tell(error_message(sentence, "bad_message"));
            }
            Ok(Control::Begin(id)) => self.name = id,
            Ok(Control::End(id)) => self.end(id, room),
            Ok(Control::Interrupt) => self.effects.push_back(Effect::Interrupt),
            Ok(Control::Emotion(change)) => self.effects.push_back(Effect::Emotion(change)),
            Ok(Control::Avatar(name)) => self.effects.push_back(Effect::Avatar(name)),
            Ok(Control::Background(text)) => self.effects.push_back(Effect::Background(text)),
            Ok(Control::Playout(offset)) => self.effects.push_back(Effect::Playout(offset)),
            Err(Wrong { sentence, field, byte }) => {
                let mut message = error_message(&sentence, "bad_message");
                if let Some(field) = field {
                    message.insert("field".into(), field.into());
                }
                if let Some(byte) = byte {
                    message.insert("byte".into(), byte.into());
                }
                self.tell(message);
            }
        }
    }

    fn end(&mut self, id: Option<String>, room: &impl Floor) {
        let was_full = std::mem::take(&mut self.full);
        let backlog = &mut self.backlog;
        let mut room_left = Ok(());
        // The last bytes of an utterance: at most a few samples.
        match self.stream.end(|rate, mono| room_left = room_left.and_then(|()| backlog.push(rate, mono))) {
            Ok(notes) if !was_full => self.note(&notes),
            Ok(_) => {}
            Err(error) => {
                let mut message = error_message(&error.to_string(), "bad_sound");
                message.insert("byte".into(), error.byte().into());
                self.tell(message);
            }
        }
        let mark = match self.open_mark() {
            Some(mark) => mark,
            None if self.utterances.len() >= UTTERANCES => {
                self.tell(error_message(&too_many(), "queue_full"));
                return;
            }
            None if !room.take_floor() => {
                let sentence = "there is nothing to end: another client is speaking in this session";
                self.tell(error_message(sentence, "taken"));
                return;
            }
            // One with nothing in it.
            None => self.open(room),
        };
        if let Some(last) = self.utterances.back_mut() {
            last.ended = true;
            last.id = id.or(last.id.take());
        }
        self.backlog.end(mark);
    }

    fn note(&mut self, notes: &StreamNotes) {
        if let Some((byte, rest, frame)) = notes.rest {
            let sentence = format!(
                "the sound ended in the middle of a sample: {rest} of {frame} bytes at byte {byte} of the utterance were left out"
            );
            let mut message = error_message(&sentence, "odd_byte");
            message.insert("byte".into(), byte.into());
            self.tell(message);
        }
        if let Some((byte, count)) = notes.not_finite {
            let sentence = format!(
                "{count} samples are no finite numbers and were taken as silence, the first at byte {byte} of the utterance"
            );
            let mut message = error_message(&sentence, "not_finite");
            message.insert("byte".into(), byte.into());
            self.tell(message);
        }
    }

    /// The session was interrupted, by whomever: what waits is not said. Before anything else is done that comes after it.
    pub fn interrupted(&mut self) {
        self.backlog.forget();
        self.stream.forget();
        (self.full, self.name) = (false, None);
        let first = self.utterances.pop_front();
        self.utterances.clear();
        self.cut = self.cut.take().or(first);
    }

    /// The session has stopped. `at`: the mark of what it was saying, and how much of that had left.
    pub fn stopped(&mut self, at: Option<(u64, Duration)>) {
        let cut = self.cut.take();
        let mut message = cut.as_ref().map_or_else(
            || Map::from_iter([("type".to_owned(), Value::from("interrupted"))]),
            |cut| cut.told("interrupted"),
        );
        // Where another one's was being said, nothing of ours was.
        let said = at.filter(|(mark, _)| cut.as_ref().is_none_or(|cut| cut.mark == *mark));
        message.insert("position_ms".into(), millis(said.map_or(Duration::ZERO, |(_, said)| said)));
        self.tell(message);
    }

    /// The first sound of this utterance leaves, whoever's it is.
    pub fn started(&mut self, mark: u64) {
        if let Some(it) = self.utterances.iter().find(|it| it.mark == mark) {
            let message = it.told("started");
            self.tell(message);
        }
    }

    /// The utterance of this mark is over, whoever said it. Of a client's utterances that one ends after those before it.
    pub fn spoken(&mut self, mark: u64, said: Duration, room: &impl Floor) {
        let Some(at) = self.utterances.iter().position(|it| it.mark == mark) else { return };
        for it in self.utterances.drain(..=at).collect::<Vec<_>>() {
            self.backlog.said();
            let mut message = it.told("spoken");
            message.insert("position_ms".into(), millis(if it.mark == mark { said } else { Duration::ZERO }));
            self.tell(message);
        }
        if self.utterances.is_empty() && self.backlog.is_empty() {
            room.give_floor();
        }
    }

    fn tell(&mut self, message: Map<String, Value>) {
        self.effects.push_back(Effect::Tell(message.into()));
    }

    fn close(&mut self, why: Close, message: Map<String, Value>) {
        self.effects.push_back(Effect::Close(why, message.into()));
    }
}

fn too_many() -> String {
    format!("{UTTERANCES} utterances are waiting to be said; wait for one to be spoken")
}

fn millis(time: Duration) -> Value {
    (time.as_millis() as u64).into()
}

/// An error that ends nothing.
pub(super) fn error_message(sentence: &str, code: &str) -> Map<String, Value> {
    let Value::Object(message) = json!({ "type": "error", "error": sentence, "code": code }) else { return Map::new() };
    message
}

#[cfg(test)]
mod tests;
