//! A session on its thread: what it does for nobody, and how its end is told. Motion and pictures are simple ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vultus::audio::{COLUMNS_PER_FRAME, MELS};
use vultus::avatar::{EXPRESSION, POSE};
use vultus::compute::ComputeError;
use vultus::emotion::Emotion;
use vultus::generator::{Frame, Generator, OutputFormat};
use vultus::motion::{Motion, MotionFrame};
use vultus::session::{CLOCK_RATE, SPEECH_CAPACITY_SECS, Session};
use vultus::stream::live::{LiveSession, MediaSink, VideoUnit, VoiceUnit};

const SIZE: usize = 64;

/// A face at rest, which counts how often it was asked for.
struct Still(u64);

impl Motion for Still {
    fn look_ahead(&self) -> usize {
        0
    }
    fn set_emotion(&mut self, _: Emotion, _: f32) {}
    fn push(&mut self, _: &[[f32; MELS]; COLUMNS_PER_FRAME]) -> Result<Option<MotionFrame>, ComputeError> {
        self.0 += 1;
        Ok(Some(MotionFrame { index: self.0 - 1, beta: [0.0; EXPRESSION], pose: [0.0; POSE] }))
    }
    fn forget(&mut self) {}
}

struct Grey(Vec<u8>);

impl Generator for Grey {
    fn frame(&mut self, _: &[f32; EXPRESSION], _: &[f32; POSE]) -> Result<Frame<'_>, ComputeError> {
        Ok(Frame { size: SIZE, format: OutputFormat::I420, bytes: &self.0, face_time: None })
    }
}

struct Broken;

impl Generator for Broken {
    fn frame(&mut self, _: &[f32; EXPRESSION], _: &[f32; POSE]) -> Result<Frame<'_>, ComputeError> {
        panic!("this generator is broken, for a test")
    }
}

#[derive(Default)]
struct Seen {
    pictures: AtomicUsize,
    packets: AtomicUsize,
    first_is_key: Mutex<Option<bool>>,
    started: Mutex<Vec<u64>>,
    spoken: Mutex<Vec<u64>>,
    interrupted: Mutex<Vec<Option<(u64, Duration)>>>,
    failed: Mutex<Vec<String>>,
}

struct Sink(Arc<Seen>);

impl MediaSink for Sink {
    fn video(&self, unit: VideoUnit) {
        self.0.first_is_key.lock().unwrap().get_or_insert(unit.key);
        self.0.pictures.fetch_add(1, Ordering::Relaxed);
    }
    fn voice(&self, _: VoiceUnit) {
        self.0.packets.fetch_add(1, Ordering::Relaxed);
    }
    fn started(&self, mark: u64) {
        self.0.started.lock().unwrap().push(mark);
    }
    fn spoken(&self, mark: u64, _: Duration) {
        self.0.spoken.lock().unwrap().push(mark);
    }
    fn interrupted(&self, at: Option<(u64, Duration)>) {
        self.0.interrupted.lock().unwrap().push(at);
    }
    fn failed(&self, why: &str) {
        self.0.failed.lock().unwrap().push(why.to_owned());
    }
}

fn start() -> (LiveSession, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let grey = Grey(vec![128; SIZE * SIZE * 3 / 2]);
    let session = Session::new(Box::new(Still(0)), Box::new(grey)).unwrap();
    (LiveSession::start(session, SIZE, Box::new(Sink(Arc::clone(&seen)))).unwrap(), seen)
}

/// The time is a guard against waiting for ever.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "this never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn for_nobody_speech_is_said_and_nothing_is_drawn() {
    let (live, seen) = start();
    live.say(vec![0.5; 24_000]).unwrap();
    live.end_speech(3).unwrap();
    eventually("spoken", || *seen.spoken.lock().unwrap() == [3]);
    assert_eq!((seen.pictures.load(Ordering::Relaxed), seen.packets.load(Ordering::Relaxed)), (0, 0));
    live.set_watched(true);
    eventually("pictures and voice", || {
        seen.pictures.load(Ordering::Relaxed) > 2 && seen.packets.load(Ordering::Relaxed) > 2
    });
    assert_eq!(*seen.first_is_key.lock().unwrap(), Some(true), "who joins can decode the first picture");
}

#[test]
fn an_interrupt_is_never_behind_speech_nor_refused() {
    let (live, seen) = start();
    for round in 1..=5 {
        // As many commands as there is room for, so that another one would be refused; then an interrupt, and a word of the time after it.
        live.begin_speech(round).unwrap();
        while live.say(vec![0.5; 4800]).is_ok() {}
        while live.begin_speech(99).is_ok() {}
        live.interrupt();
        eventually("there is room again", || live.begin_speech(round + 100).is_ok());
        live.say(vec![0.5; 4800]).unwrap();
        live.end_speech(round + 100).unwrap();
        eventually("what came after it is said", || seen.spoken.lock().unwrap().last() == Some(&(round + 100)));
        assert!(!seen.interrupted.lock().unwrap().is_empty());
    }
    assert_eq!(*seen.spoken.lock().unwrap(), [101, 102, 103, 104, 105], "nothing else was said to its end");
    // Nothing of what was dropped holds room.
    eventually("all is empty", || live.say(vec![0.0; SPEECH_CAPACITY_SECS * CLOCK_RATE as usize]).is_ok());
}

#[test]
fn a_session_that_breaks_down_says_so_and_takes_no_more() {
    let (live, seen) = start();
    live.set_avatar(Box::new(Broken)).unwrap();
    live.set_watched(true);
    eventually("the end is told", || !seen.failed.lock().unwrap().is_empty());
    assert_eq!(seen.failed.lock().unwrap().len(), 1);
    // What is given back holds no room: the whole capacity can be tried again and again.
    eventually("the thread is gone", || live.say(vec![0.0; 1]).is_err());
    let whole = SPEECH_CAPACITY_SECS * CLOCK_RATE as usize / 2;
    for _ in 0..5 {
        assert_eq!(live.say(vec![0.0; whole]).unwrap_err().len(), whole);
    }
    let (other, seen) = start();
    other.set_watched(true);
    eventually("others go on", || seen.pictures.load(Ordering::Relaxed) > 0);
}
