//! Conversations without a socket: a room with one floor, and a session that says what it is given when it is asked to.

use std::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;

/// The room and its session: what was begun, how much of it was said, what was ended.
#[derive(Default)]
struct Room {
    taken_by_other: Cell<bool>,
    mine: Cell<bool>,
    marks: Cell<u64>,
    said: RefCell<Vec<(u64, usize, bool)>>,
    /// The session takes no more than so many samples.
    capacity: Cell<Option<usize>>,
}

impl Floor for Room {
    fn take_floor(&self) -> bool {
        self.mine.set(self.mine.get() || !self.taken_by_other.get());
        self.mine.get()
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
        assert!(pcm.len() <= 48_000, "a piece of {} samples holds everybody up", pcm.len());
        assert!(pcm.iter().all(|x| x.is_finite()));
        let mut said = self.said.borrow_mut();
        if self.capacity.get().is_some_and(|capacity| said.iter().map(|it| it.1).sum::<usize>() + pcm.len() > capacity)
        {
            return Err(pcm);
        }
        let last = said.last_mut().expect("sound without a beginning");
        assert!(!last.2, "sound behind the end of utterance {}", last.0);
        last.1 += pcm.len();
        Ok(())
    }
    fn begin(&self, mark: u64) -> bool {
        let mut said = self.said.borrow_mut();
        assert!(said.last().is_none_or(|last| last.2 && last.0 < mark), "{mark} begins in the middle of {said:?}");
        said.push((mark, 0, false));
        true
    }
    fn end(&self, mark: u64) -> bool {
        let mut said = self.said.borrow_mut();
        let last = said.last_mut().expect("an end without a beginning");
        assert_eq!((last.0, last.2), (mark, false));
        last.2 = true;
        true
    }
}

impl Room {
    /// Everything that waits goes through.
    fn pump(&self, talk: &mut Talk) {
        for _ in 0..100_000 {
            if talk.backlog.is_empty() {
                return;
            }
            let before = self.said.borrow().clone();
            talk.hand_on(self);
            if *self.said.borrow() == before {
                return;
            }
        }
        panic!("it never ends");
    }

    fn spoken(&self, talk: &mut Talk) {
        for (mark, samples, ended) in self.said.take() {
            if samples > 0 {
                talk.started(mark);
            }
            if ended {
                talk.spoken(mark, Duration::from_nanos(samples as u64 * 1_000_000 / 48), self);
            }
        }
    }
}

fn talk(promise: Promise) -> Talk {
    Talk::new(promise, Arc::default())
}

fn told(talk: &mut Talk) -> Vec<Value> {
    std::iter::from_fn(|| talk.next_effect())
        .map(|effect| match effect {
            Effect::Tell(message) => message,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn utterances_are_numbered_named_and_told() {
    let (mut talk, room) = (talk(Promise::default()), Room::default());
    talk.text(r#"{"type":"begin","id":"greeting"}"#, &room);
    talk.binary(&[0; 24_000], &room);
    talk.text(r#"{"type":"begin"}"#, &room);
    talk.text(r#"{"type":"end"}"#, &room);
    talk.binary(&[0; 48_001], &room);
    talk.text(r#"{"type":"end","id":"rest"}"#, &room);
    room.pump(&mut talk);
    room.spoken(&mut talk);
    let words = told(&mut talk);
    let kinds: Vec<&str> = words.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["error", "error", "started", "spoken", "started", "spoken"], "{words:?}");
    assert_eq!(words[0]["code"], "bad_message");
    assert_eq!((&words[1]["code"], &words[1]["byte"]), (&json!("odd_byte"), &json!(48_000)));
    assert_eq!(words[2], json!({ "type": "started", "utterance": 1, "id": "greeting" }));
    assert_eq!(words[3], json!({ "type": "spoken", "utterance": 1, "id": "greeting", "position_ms": 500 }));
    assert_eq!(words[5], json!({ "type": "spoken", "utterance": 2, "id": "rest", "position_ms": 1000 }));
    assert!(!room.mine.get(), "the floor is given back");
}

#[test]
fn an_interrupt_drops_what_waits_and_tells_how_far_it_was() {
    let (mut talk, room) = (talk(Promise::default()), Room::default());
    room.capacity.set(Some(48_000));
    // Five minutes in one message, and another utterance behind.
    talk.binary(&vec![0; 300 * 48_000], &room);
    talk.text(r#"{"type":"end"}"#, &room);
    talk.binary(&[0; 480], &room);
    room.pump(&mut talk);
    assert!((298_000..300_100).contains(&talk.millis()), "{} ms wait", talk.millis());
    talk.text(r#"{"type":"interrupt"}"#, &room);
    assert_eq!(talk.next_effect(), Some(Effect::Interrupt));
    talk.interrupted();
    assert!(talk.backlog.is_empty() && talk.millis() == 0);
    // What comes now is new, before the session has told.
    room.said.take();
    talk.binary(&[0; 480], &room);
    talk.stopped(Some((1, Duration::from_millis(730))));
    talk.text(r#"{"type":"end"}"#, &room);
    room.pump(&mut talk);
    room.spoken(&mut talk);
    let words = told(&mut talk);
    assert_eq!(words[0], json!({ "type": "interrupted", "utterance": 1, "position_ms": 730 }));
    assert_eq!(words[1], json!({ "type": "started", "utterance": 3 }));
    assert_eq!(words[2], json!({ "type": "spoken", "utterance": 3, "position_ms": 10 }));
    // Of somebody else's nothing is ours.
    talk.stopped(Some((77, Duration::from_millis(20))));
    assert_eq!(told(&mut talk), [json!({ "type": "interrupted", "position_ms": 20 })]);
    talk.binary(&[0; 480], &room);
    talk.interrupted();
    talk.stopped(None);
    assert_eq!(told(&mut talk), [json!({ "type": "interrupted", "utterance": 4, "position_ms": 0 })]);
}

#[test]
fn what_has_no_room_is_refused_in_one_piece_and_told_once() {
    let (mut talk, room) = (talk(Promise::default()), Room::default());
    room.capacity.set(Some(0));
    for _ in 0..200 {
        talk.binary(&vec![0; 1 << 20], &room);
    }
    let words = told(&mut talk);
    assert_eq!((words.len(), &words[0]["code"]), (1, &json!("queue_full")), "{words:?}");
    assert!(words[0]["error"].as_str().unwrap().contains("30 min"));
    let waits = talk.millis();
    assert!(waits > 29 * 60_000 && waits < 31 * 60_000, "{waits}");
    // The next utterance is tried again.
    talk.text(r#"{"type":"end"}"#, &room);
    talk.interrupted();
    talk.binary(&[0; 480], &room);
    assert_eq!(talk.millis(), 10);
}

#[test]
fn only_who_has_the_floor_speaks_or_ends() {
    let (mut talk, room) = (talk(Promise::default()), Room::default());
    room.taken_by_other.set(true);
    talk.text(r#"{"type":"end"}"#, &room);
    assert_eq!(told(&mut talk)[0]["code"], "taken");
    talk.text(r#"{"type":"emotion","emotion":"sad"}"#, &room);
    assert!(matches!(talk.next_effect(), Some(Effect::Emotion(_))));
    talk.binary(&[0; 2], &room);
    assert!(matches!(talk.next_effect(), Some(Effect::Close(Close::Policy, _))));
    assert!(room.said.borrow().is_empty() && talk.backlog.is_empty());
}

#[test]
fn a_header_that_contradicts_closes_with_field_and_byte() {
    let promise = Promise { rate: Some(16_000), ..Promise::default() };
    let (mut talk, room) = (talk(promise), Room::default());
    let header = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0data\0\0\0\0";
    talk.binary(header, &room);
    let Some(Effect::Close(Close::Invalid, message)) = talk.next_effect() else { panic!("it was taken") };
    assert_eq!((&message["field"], &message["byte"]), (&json!("rate"), &json!(20)), "{message}");
}

#[test]
fn sound_in_text_is_sound() {
    let (mut talk, room) = (talk(Promise::default()), Room::default());
    for _ in 0..10 {
        // Three bytes at a time: odd pieces here as well.
        talk.text(r#"{"type":"audio","data":"AAAA"}"#, &room);
    }
    talk.text(r#"{"type":"end"}"#, &room);
    room.pump(&mut talk);
    assert_eq!(room.said.borrow()[..], [(1, 30, true)]);
    assert_eq!(told(&mut talk), [] as [Value; 0]);
}

#[derive(Clone, Debug)]
enum Act {
    Binary(Vec<u8>),
    Text(String),
    HandOn,
    Interrupted,
    Stopped(Option<u64>),
    SayAll,
    Other(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let json = prop_oneof![
        Just(r#"{"type":"end"}"#.to_owned()),
        Just(r#"{"type":"end","id":"x"}"#.to_owned()),
        Just(r#"{"type":"begin","id":"y"}"#.to_owned()),
        Just(r#"{"type":"interrupt"}"#.to_owned()),
        Just(r#"{"type":"audio","data":"UklGRgAAAABXQVZF"}"#.to_owned()),
        ".{0,40}",
        (r#"[a-z"{}:,\[\]0-9]{0,12}"#).prop_map(|rest| format!(r#"{{"type":"{rest}"#)),
    ];
    let header = |rate: u32, channels: u8, length: u32| {
        let mut it = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        it.extend([channels, 0]);
        it.extend([rate, rate].map(u32::to_le_bytes).concat());
        it.extend([2 * channels, 0, 16, 0]);
        it.extend([&b"data"[..], &length.to_le_bytes()].concat());
        it
    };
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..5000).prop_map(Act::Binary),
        2 => (prop::sample::select(vec![8_000, 44_100, 7]), 0u8..4, any::<u32>()).prop_map(move |(r, c, l)| Act::Binary(header(r, c, l))),
        4 => json.prop_map(Act::Text),
        3 => Just(Act::HandOn),
        1 => Just(Act::Interrupted),
        1 => prop::option::of(0u64..20).prop_map(Act::Stopped),
        1 => Just(Act::SayAll),
        1 => any::<bool>().prop_map(Act::Other),
    ]
}

proptest! {
    /// Whatever a client does and whatever happens in the session: no panic, each utterance begins and ends once and in order (the room checks
    /// that), and everything that is ended is told of, as spoken or as interrupted.
    #[test]
    fn any_conversation_is_orderly(acts in prop::collection::vec(act(), 0..60), channels in prop::option::of(1u16..5)) {
        let promise = Promise { channels, ..Promise::default() };
        let (mut talk, room) = (talk(promise), Room::default());
        let mut last_told = 0;
        for act in acts {
            match act {
                Act::Binary(bytes) => talk.binary(&bytes, &room),
                Act::Text(text) => talk.text(&text, &room),
                Act::HandOn => talk.hand_on(&room),
                Act::Interrupted => {
                    talk.interrupted();
                    room.said.take();
                    room.mine.set(false);
                }
                Act::Stopped(mark) => talk.stopped(mark.map(|mark| (mark, Duration::from_millis(5)))),
                Act::SayAll => {
                    room.pump(&mut talk);
                    // One that has no end yet goes on.
                    let open = room.said.borrow_mut().pop_if(|last| !last.2);
                    room.spoken(&mut talk);
                    room.said.borrow_mut().extend(open);
                }
                Act::Other(taken) => room.taken_by_other.set(taken),
            }
            let mut closed = false;
            while let Some(effect) = talk.next_effect() {
                match effect {
                    Effect::Tell(message) if message["type"] == "spoken" => {
                        let number = message["utterance"].as_u64().unwrap();
                        prop_assert!(number > last_told, "{} again", number);
                        last_told = number;
                    }
                    Effect::Close(_, message) => {
                        prop_assert!(message["error"].is_string());
                        closed = true;
                    }
                    _ => {}
                }
            }
            if closed {
                return Ok(());
            }
        }
        talk.text(r#"{"type":"end"}"#, &room);
        room.pump(&mut talk);
        room.spoken(&mut talk);
        prop_assert!(talk.utterances.is_empty(), "{:?} never ended", talk.utterances);
        prop_assert!(talk.backlog.is_empty() && talk.millis() == 0);
    }
}
