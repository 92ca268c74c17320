//! A session on its thread: what it does for nobody, and how its end is told. Motion and pictures are simple ones.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vultus::audio::SAMPLES_PER_FRAME;
use vultus::compute::ComputeError;
use vultus::drive::{Drive, MotionFrame};
use vultus::emotion::Mood;
use vultus::generator::{Frame, Generator, OutputFormat};
use vultus::motion::Motion;
use vultus::session::{CLOCK_RATE, SPEECH_CAPACITY_SECS, Session, SessionFrame};
use vultus_native::stream::live::{
    DriveSink, Listener, LiveSession, PacketSink, PictureSink, PictureUnit, Sink, VideoUnit, VoiceUnit, Wish,
};

const SIZE: usize = 64;

/// A face at rest, which counts samples and frames.
struct Still(usize, u64);

impl Motion for Still {
    fn delay(&self) -> usize {
        0
    }
    fn set_mood(&mut self, _: &Mood, _: Duration) {}
    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        self.0 += samples.len();
        while self.0 >= SAMPLES_PER_FRAME {
            self.0 -= SAMPLES_PER_FRAME;
            decided(MotionFrame { index: self.1, drive: Drive::default() });
            self.1 += 1;
        }
        Ok(())
    }
    fn forget(&mut self) {}
    fn finish(&mut self, _: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        Ok(())
    }
}

struct Grey(Vec<u8>);

impl Generator for Grey {
    fn frame(&mut self, _: &Drive) -> Result<Frame<'_>, ComputeError> {
        Ok(Frame { size: SIZE, format: OutputFormat::I420, bytes: &self.0, face_time: None })
    }
}

struct Broken;

impl Generator for Broken {
    fn frame(&mut self, _: &Drive) -> Result<Frame<'_>, ComputeError> {
        panic!("this generator is broken, for a test")
    }
}

#[derive(Default)]
struct Seen {
    watched: AtomicBool,
    drives: AtomicUsize,
    drawn: AtomicUsize,
    pictures: AtomicUsize,
    packets: AtomicUsize,
    first_is_key: Mutex<Option<bool>>,
    started: Mutex<Vec<u64>>,
    spoken: Mutex<Vec<u64>>,
    interrupted: Mutex<Vec<Option<(u64, Duration)>>>,
    failed: Mutex<Vec<String>>,
}

impl Seen {
    fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    fn count(&self, of: fn(&Self) -> &AtomicUsize) -> usize {
        of(self).load(Ordering::Relaxed)
    }
}

struct Watcher(Arc<Seen>);

impl PacketSink for Watcher {
    fn wish(&mut self) -> Wish {
        if self.0.watched.load(Ordering::Relaxed) { Wish::More } else { Wish::Rest }
    }
    fn video(&mut self, unit: &VideoUnit) {
        self.0.first_is_key.lock().unwrap().get_or_insert(unit.key);
        self.0.pictures.fetch_add(1, Ordering::Relaxed);
    }
    fn voice(&mut self, _: &VoiceUnit) {
        self.0.packets.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes so many frames and has enough.
struct Few(Arc<Seen>, usize);

impl DriveSink for Few {
    fn wish(&mut self) -> Wish {
        if self.0.count(|seen| &seen.drives) < self.1 { Wish::More } else { Wish::Over }
    }
    fn drive(&mut self, _: &SessionFrame) {
        self.0.drives.fetch_add(1, Ordering::Relaxed);
    }
}

impl PictureSink for Few {
    fn wish(&mut self) -> Wish {
        if self.0.count(|seen| &seen.drawn) < self.1 { Wish::More } else { Wish::Over }
    }
    fn picture(&mut self, unit: PictureUnit<'_>) {
        assert_eq!((unit.side, unit.planes.len()), (SIZE, SIZE * SIZE * 3 / 2));
        self.0.drawn.fetch_add(1, Ordering::Relaxed);
    }
}

struct Ear(Arc<Seen>);

impl Listener for Ear {
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
    let session = Session::new(Box::new(Still(0, 0)), Box::new(grey)).unwrap();
    let watcher = Sink::Packet(Box::new(Watcher(Arc::clone(&seen))));
    (LiveSession::start(session, SIZE, Box::new(Ear(Arc::clone(&seen))), [watcher]).unwrap(), seen)
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
    seen.set_watched(true);
    eventually("pictures and voice", || {
        seen.pictures.load(Ordering::Relaxed) > 2 && seen.packets.load(Ordering::Relaxed) > 2
    });
    assert_eq!(*seen.first_is_key.lock().unwrap(), Some(true), "who joins can decode the first picture");
}

#[test]
fn each_level_costs_no_more_than_it_needs_and_sinks_come_and_go() {
    let (live, seen) = start();
    let (drawn, drives) = (|seen: &Seen| seen.count(|seen| &seen.drawn), |seen: &Seen| seen.count(|seen| &seen.drives));
    live.add_sink(Sink::Drive(Box::new(Few(Arc::clone(&seen), 5)))).unwrap();
    eventually("what the face does", || drives(&seen) == 5);
    assert_eq!((drawn(&seen), seen.count(|seen| &seen.pictures)), (0, 0), "nothing was drawn for it");
    live.add_sink(Sink::Picture(Box::new(Few(Arc::clone(&seen), 7)))).unwrap();
    eventually("pictures", || drawn(&seen) == 7);
    assert_eq!(seen.count(|seen| &seen.pictures), 0, "nothing was encoded for it");
    // Two more beside the watcher, and none of them keeps another from its units.
    seen.set_watched(true);
    eventually("packets", || seen.count(|seen| &seen.pictures) > 2);
    live.add_sink(Sink::Picture(Box::new(Few(Arc::clone(&seen), 20)))).unwrap();
    live.add_sink(Sink::Drive(Box::new(Few(Arc::clone(&seen), 30)))).unwrap();
    eventually("all of them", || drawn(&seen) == 20 && drives(&seen) == 30);
    let before = seen.count(|seen| &seen.pictures);
    eventually("the watcher goes on", || seen.count(|seen| &seen.pictures) > before + 2);
    assert_eq!((drawn(&seen), drives(&seen)), (20, 30), "those that had enough get no more");
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
        assert_eq!(seen.interrupted.lock().unwrap().len(), round as usize, "each interrupt is told once");
    }
    assert_eq!(*seen.spoken.lock().unwrap(), [101, 102, 103, 104, 105], "nothing else was said to its end");
    // Nothing of what was dropped holds room.
    eventually("all is empty", || live.say(vec![0.0; SPEECH_CAPACITY_SECS * CLOCK_RATE as usize]).is_ok());
}

#[test]
fn a_session_that_breaks_down_says_so_and_takes_no_more() {
    let (live, seen) = start();
    live.set_avatar(Box::new(Broken)).unwrap();
    seen.set_watched(true);
    eventually("the end is told", || !seen.failed.lock().unwrap().is_empty());
    assert_eq!(seen.failed.lock().unwrap().len(), 1);
    // What is given back holds no room: the whole capacity can be tried again and again.
    eventually("the thread is gone", || live.say(vec![0.0; 1]).is_err());
    let whole = SPEECH_CAPACITY_SECS * CLOCK_RATE as usize / 2;
    for _ in 0..5 {
        assert_eq!(live.say(vec![0.0; whole]).unwrap_err().len(), whole);
    }
    let (_other, seen) = start();
    seen.set_watched(true);
    eventually("others go on", || seen.pictures.load(Ordering::Relaxed) > 0);
}
