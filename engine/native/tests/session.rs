//! The live session, sans I/O: hours pass in seconds here. Motion and pictures are simple ones, so that what is tested is time.

use std::time::Duration;

use vultus::audio::SAMPLES_PER_FRAME;
use vultus::compute::ComputeError;
use vultus::drive::{Drive, MotionFrame};
use vultus::emotion::Mood;
use vultus::generator::{Frame, Generator, OutputFormat};
use vultus::motion::Motion;
use vultus::session::{Due, FRAME_SAMPLES, Session, SessionEvent, VOICE_PACKET};

const MS: Duration = Duration::from_millis(1);
const LOOK_AHEAD: usize = 2;
const JAW: usize = 24;

/// Opens the jaw where it is loud: coefficient 24 of a frame is the loudness of that frame.
struct Loudness {
    /// The loudest sample so far of a frame that is not complete, and how many samples it has.
    loudest: f32,
    samples: usize,
    heard: Vec<f32>,
    next: u64,
}

impl Loudness {
    fn frame(&mut self) -> Option<MotionFrame> {
        self.heard.push(std::mem::take(&mut self.loudest).min(1.0));
        self.samples = 0;
        if self.heard.len() <= LOOK_AHEAD {
            return None;
        }
        let mut drive = Drive::default();
        drive.beta[JAW] = self.heard.remove(0);
        self.next += 1;
        Some(MotionFrame { index: self.next - 1, drive })
    }
}

impl Motion for Loudness {
    fn delay(&self) -> usize {
        SAMPLES_PER_FRAME * LOOK_AHEAD
    }
    fn set_mood(&mut self, _: &Mood, _: Duration) {}
    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        for sample in samples {
            self.loudest = self.loudest.max(sample.abs());
            self.samples += 1;
            if self.samples == SAMPLES_PER_FRAME {
                self.frame().into_iter().for_each(&mut *decided);
            }
        }
        Ok(())
    }
    fn forget(&mut self) {
        self.loudest = 0.0;
        self.heard.fill(0.0);
    }
    fn finish(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        for _ in 0..LOOK_AHEAD {
            self.frame().into_iter().for_each(&mut *decided);
        }
        Ok(())
    }
}

struct NoPicture;

impl Generator for NoPicture {
    fn frame(&mut self, _: &Drive) -> Result<Frame<'_>, ComputeError> {
        Ok(Frame { size: 0, format: OutputFormat::Rgba, bytes: &[], face_time: None })
    }
}

fn session() -> Session {
    Session::new(Box::new(Loudness { loudest: 0.0, samples: 0, heard: Vec::new(), next: 0 }), Box::new(NoPicture))
        .unwrap()
}

/// What came out of a session, with the time of each.
#[derive(Default)]
struct Out {
    /// Time, media clock, jaw.
    frames: Vec<(Duration, u64, f32)>,
    /// Time to leave, media clock, loudest sample.
    voice: Vec<(Duration, u64, f32)>,
    /// Time, mark.
    spoken: Vec<(Duration, u64)>,
    started: Vec<(Duration, u64)>,
    /// How long each was that was spoken.
    lengths: Vec<Duration>,
    interrupted: Vec<Option<(u64, Duration)>>,
}

impl Out {
    fn take(&mut self, session: &mut Session, now: Duration) {
        loop {
            let event = match session.poll(now).unwrap() {
                Due::Later(at) => {
                    assert!(at > now, "at {now:?} something was due at {at:?}, and nothing came");
                    return;
                }
                Due::Frame(frame) => {
                    session.draw(&frame).unwrap();
                    self.frames.push((now, frame.clock, frame.drive.beta[JAW]));
                    continue;
                }
                Due::Event(event) => event,
            };
            match event {
                SessionEvent::Voice { clock, wait, pcm } => {
                    let loud = pcm.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                    self.voice.push((now + wait, clock, loud));
                }
                SessionEvent::Started { mark } => self.started.push((now, mark)),
                SessionEvent::Spoken { mark, said } => {
                    self.spoken.push((now, mark));
                    self.lengths.push(said);
                }
                SessionEvent::Interrupted { at } => self.interrupted.push(at),
            }
        }
    }

    /// No frame and no packet is missing or doubled.
    fn assert_seamless(&self) {
        assert!(self.frames.len() > 1 && self.voice.len() > 1, "there is nothing to look at");
        assert!(self.frames.windows(2).all(|w| w[1].1 == w[0].1 + FRAME_SAMPLES), "a frame is missing");
        assert!(self.voice.windows(2).all(|w| w[1].1 == w[0].1 + VOICE_PACKET as u64), "a packet is missing");
    }
}

/// A 200 Hz tone, `len` samples from sample `from` on.
fn tone(from: usize, len: usize) -> Vec<f32> {
    (from..from + len).map(|n| 0.5 * (n as f32 * std::f32::consts::TAU * 200.0 / 48_000.0).sin()).collect()
}

#[test]
fn in_silence_frames_and_voice_go_on_for_ever() {
    let (mut session, mut out) = (session(), Out::default());
    for n in 0..2000 {
        out.take(&mut session, n * 5 * MS);
    }
    out.assert_seamless();
    assert!((240..=250).contains(&out.frames.len()), "{} frames in 10 s", out.frames.len());
    assert!((490..=505).contains(&out.voice.len()), "{} packets in 10 s", out.voice.len());
    assert!(out.frames.iter().all(|f| f.2 == 0.0) && out.voice.iter().all(|v| v.2 == 0.0));
}

#[test]
fn a_microphone_is_heard_at_once_and_voice_leaves_with_its_lips() {
    let (mut session, mut out) = (session(), Out::default());
    session.set_work(25 * MS);
    session.set_voice_lead(40 * MS);
    // 10 ms packets that come 12 ms after their first sample, the tone from 2 s to 3 s.
    for n in 0..1000u32 {
        let now = n * 5 * MS;
        if n % 2 == 0 {
            let at = n as usize * 240;
            let loud = (96_000..144_000).contains(&at);
            let mut pcm = if loud { tone(at, 480) } else { vec![0.0; 480] };
            session.hear(&mut pcm, now + 12 * MS);
        }
        out.take(&mut session, now + 12 * MS);
    }
    out.assert_seamless();
    let first_open = out.frames.iter().find(|f| f.2 > 0.3).unwrap();
    let first_loud = out.voice.iter().find(|v| v.2 > 0.1).unwrap();
    // The frame in which the tone begins needs its own 40 ms, two more, and 35 ms for the last column.
    let latency = (first_open.0 - 2000 * MS).as_millis();
    assert!((80..=195).contains(&latency), "the mouth opens {latency} ms after the sound");
    // Picture at the glass: when it was decided, and the work. Voice at the glass: when it left, and the buffer that the lead makes up for.
    let picture = first_open.0.as_secs_f64() + 0.025 - first_open.1 as f64 / 48_000.0;
    let voice = first_loud.0.as_secs_f64() + 0.040 - first_loud.1 as f64 / 48_000.0;
    assert!((picture - voice).abs() < 0.012, "voice {voice}, picture {picture}");
}

/// A/V offset, picture minus voice, over a stretch of frames and packets.
fn offset(out: &Out, from: Duration, to: Duration) -> f64 {
    let mean = |all: &[(Duration, u64, f32)]| {
        let inside: Vec<f64> = all
            .iter()
            .filter(|x| (from..to).contains(&x.0))
            .map(|x| x.0.as_secs_f64() - x.1 as f64 / 48_000.0)
            .collect();
        inside.iter().sum::<f64>() / inside.len() as f64
    };
    mean(&out.frames) - mean(&out.voice)
}

#[test]
fn an_hour_later_lips_and_voice_are_as_close_as_in_the_first_minute() {
    // The sender's crystal is 100 ppm fast in one run and slow in the other, and packets jitter by up to 15 ms.
    for (drift, seconds) in [(1.0001, 3600), (0.9999, 900)] {
        let (mut session, mut out) = (session(), Out::default());
        let (mut sent, mut state) = (0u64, 1u32);
        for n in 0..200 * seconds {
            let now = n * 5 * MS;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let jitter = 0.015 * f64::from(state >> 8) / f64::from(1u32 << 24);
            while (sent + 480) as f64 / 48_000.0 / drift + jitter < now.as_secs_f64() {
                let loud = sent / 24_000 % 2 == 0;
                let mut pcm = if loud { tone(sent as usize, 480) } else { vec![0.0; 480] };
                session.hear(&mut pcm, now);
                sent += 480;
            }
            out.take(&mut session, now);
        }
        out.assert_seamless();
        let first = offset(&out, Duration::ZERO, Duration::from_secs(60));
        let last = offset(&out, Duration::from_secs(u64::from(seconds) - 60), Duration::from_secs(seconds.into()));
        assert!((last - first).abs() < 0.010, "drifted from {first} to {last} s");
        // What is heard now is shown now: no delay has built up.
        let (time, clock, _) = out.frames[out.frames.len() - 1];
        let behind = time.as_secs_f64() - clock as f64 / 48_000.0;
        assert!(behind < 0.4, "{behind} s behind");
        assert_eq!(session.counts().dropped, 0);
    }
}

#[test]
fn speech_is_said_in_real_time_and_reported_when_it_is_over() {
    let (mut session, mut out) = (session(), Out::default());
    let mut pcm = tone(0, 96_000);
    for n in 0..800u32 {
        if n == 200 {
            assert_eq!(session.say(&mut pcm), 96_000);
            session.end_speech(1);
        }
        out.take(&mut session, n * 5 * MS);
    }
    out.assert_seamless();
    let open: Vec<_> = out.frames.iter().filter(|f| f.2 > 0.3).collect();
    assert!((49..=54).contains(&open.len()), "two seconds of speech opened {} frames", open.len());
    let said = out.voice.iter().filter(|v| v.2 > 0.1).count();
    assert!((99..=102).contains(&said), "{said} packets of voice");
    assert_eq!(out.spoken.len(), 1);
    let last = out.voice.iter().rfind(|v| v.2 > 0.1).unwrap().0;
    let spoken = out.spoken[0].0;
    assert!(spoken + 100 * MS > last && spoken < last + 100 * MS);
}

#[test]
fn an_interrupt_shuts_mouth_and_voice_at_once() {
    let (mut session, mut out) = (session(), Out::default());
    let mut pcm = tone(0, 5 * 48_000);
    session.say(&mut pcm);
    let when = 1500 * MS;
    for n in 0..600u32 {
        let now = n * 5 * MS;
        if now == when {
            session.interrupt();
            assert_eq!(session.queued(), Duration::ZERO);
        }
        out.take(&mut session, now);
    }
    out.assert_seamless();
    let last_open = out.frames.iter().rfind(|f| f.2 > 0.1).unwrap().0;
    assert!(last_open <= when + 80 * MS, "the mouth is open until {last_open:?}");
    let last_loud = out.voice.iter().rfind(|v| v.2 > 0.01).unwrap().0;
    // A packet of 20 ms that was handed out 45 ms before it leaves.
    assert!(last_loud <= when + 70 * MS, "the voice is heard until {last_loud:?}");
}

#[test]
fn a_slow_machine_drops_frames_but_not_the_time() {
    let (mut session, mut out) = (session(), Out::default());
    // Comes round every 110 ms only.
    for n in 0..200u32 {
        out.take(&mut session, n * 110 * MS);
    }
    let counts = session.counts();
    assert!(counts.dropped > 200, "{counts:?}");
    assert_eq!(counts.dropped + counts.frames, session.clock() / FRAME_SAMPLES - LOOK_AHEAD as u64, "{counts:?}");
    assert!(out.frames.windows(2).all(|w| w[1].1 > w[0].1));
}

#[test]
fn after_a_stall_it_goes_on_at_once_and_where_time_is() {
    let (mut session, mut out) = (session(), Out::default());
    let stall = Duration::from_secs(60);
    for n in 0..1200u32 {
        // The machine sleeps for a minute after three seconds.
        let now = n * 5 * MS + if n < 600 { Duration::ZERO } else { stall };
        let mut pcm = tone(n as usize * 240, 240);
        session.hear(&mut pcm, now);
        out.take(&mut session, now);
    }
    let counts = session.counts();
    assert!(counts.dropped <= 3, "{} frames were made for nothing", counts.dropped);
    assert!((2_800_000..=2_880_000).contains(&counts.jumped), "{counts:?}");
    let back = out.frames.iter().find(|f| f.0 >= 3000 * MS + stall).unwrap();
    assert!(back.0 <= 3300 * MS + stall, "the first picture after the stall comes at {:?}", back.0);
    for after in [&out.frames, &out.voice] {
        let (time, clock, _) = after[after.len() - 1];
        let behind = time.as_secs_f64() - clock as f64 / 48_000.0;
        assert!((0.0..0.4).contains(&behind), "{behind} s behind");
    }
    assert!(out.frames.iter().rev().take(20).all(|f| f.2 > 0.3), "it does not hear after that");
}

#[test]
fn what_is_no_number_is_silence() {
    let (mut session, mut out) = (session(), Out::default());
    for n in 0..400u32 {
        let mut pcm =
            if n < 200 { [f32::NAN, f32::INFINITY, 1e30, -1e30].repeat(60) } else { tone(n as usize * 240, 240) };
        session.hear(&mut pcm, n * 5 * MS);
        out.take(&mut session, n * 5 * MS);
    }
    out.assert_seamless();
    assert!(out.frames.iter().all(|f| f.2.is_finite()) && out.voice.iter().all(|v| v.2.is_finite() && v.2 <= 1.0));
    assert!(out.frames.iter().rev().take(10).all(|f| f.2 > 0.3), "it does not hear after that");
}

#[test]
fn every_utterance_is_reported_with_its_mark() {
    let (mut session, mut out) = (session(), Out::default());
    for mark in [5, 6] {
        session.say(&mut tone(0, 24_000));
        session.end_speech(mark);
    }
    // One without a sound is over with the one before it.
    session.end_speech(7);
    (0..600u32).for_each(|n| out.take(&mut session, n * 5 * MS));
    assert_eq!(out.spoken.iter().map(|(_, mark)| *mark).collect::<Vec<_>>(), [5, 6, 7]);
    let gap = out.spoken[1].0 - out.spoken[0].0;
    assert!(gap > 450 * MS && gap < 550 * MS, "half a second of speech was over after {gap:?}");
    assert_eq!(out.spoken[1].0, out.spoken[2].0);
}

#[test]
fn an_utterance_tells_when_it_starts_and_how_far_it_got() {
    let (mut session, mut out) = (session(), Out::default());
    (0..100u32).for_each(|n| out.take(&mut session, n * 5 * MS));
    session.begin_speech(1);
    session.say(&mut tone(0, 24_000));
    session.end_speech(1);
    session.begin_speech(2);
    session.say(&mut tone(0, 240_000));
    for n in 100..500u32 {
        if n == 400 {
            session.interrupt();
        }
        out.take(&mut session, n * 5 * MS);
    }
    assert_eq!(out.started.iter().map(|(_, mark)| *mark).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((out.spoken.len(), out.lengths[0]), (1, 500 * MS));
    let first_loud = out.voice.iter().find(|v| v.2 > 0.1).unwrap().0;
    let started = out.started[0].0;
    assert!(started < first_loud + 25 * MS && first_loud < started + 70 * MS, "{started:?}, heard at {first_loud:?}");
    // What was heard of the second one is what is told: packets of 20 ms.
    let second = out.started[1].0;
    let [Some((2, said))] = out.interrupted[..] else { panic!("{:?}", out.interrupted) };
    let loud = out.voice.iter().filter(|v| v.2 > 0.1 && v.0 > second).count() as u32 * 20 * MS;
    assert!(said > 800 * MS && said + 80 * MS > loud && loud + 80 * MS > said, "{said:?} told, {loud:?} heard");
    // Where nothing is being said there is nothing to be cut.
    session.interrupt();
    out.take(&mut session, 500 * 5 * MS);
    assert_eq!(out.interrupted[1], None);
}

#[test]
fn unwatched_and_silent_it_rests_until_there_is_something_to_see_or_to_hear() {
    let (mut session, mut out) = (session(), Out::default());
    session.set_watched(false);
    let mut took = |session: &mut Session, from: u32, to: u32| {
        let before = out.frames.len();
        (from..to).for_each(|n| out.take(session, n * 5 * MS));
        out.frames.len() - before
    };
    // A minute: it works until it may have forgotten everything, and then no more.
    assert!(took(&mut session, 0, 12_000) <= 51, "the motion model runs for nobody");
    assert_eq!(took(&mut session, 12_000, 12_600), 0);
    // Speech is said, and moves the face, though nobody watches.
    session.say(&mut tone(0, 48_000));
    session.end_speech(1);
    let moved = took(&mut session, 12_600, 12_900);
    assert!((25..=75).contains(&moved), "{moved} frames in one and a half seconds");
    // A long silence; then somebody looks.
    assert!(took(&mut session, 12_900, 24_000) <= 75);
    session.set_watched(true);
    let joined = 24_000 * 5 * MS;
    took(&mut session, 24_000, 24_400);

    assert_eq!(out.spoken.len(), 1);
    assert!(out.spoken[0].0 < 12_900 * 5 * MS, "it was said in time");
    assert!(out.voice.windows(2).all(|w| w[1].1 == w[0].1 + VOICE_PACKET as u64), "a packet is missing");
    let seen: Vec<_> = out.frames.iter().filter(|f| f.0 >= joined).collect();
    assert!(seen[0].0 <= joined + 60 * MS, "the first picture comes at {:?}, joined at {joined:?}", seen[0].0);
    assert!(seen.iter().all(|f| f.2 == 0.0), "the mouth is open");
    assert!(seen.windows(2).all(|w| w[1].1 == w[0].1 + FRAME_SAMPLES), "a frame is missing");
    for (time, clock, _) in seen {
        let behind = time.as_secs_f64() - *clock as f64 / 48_000.0;
        assert!((0.1..0.25).contains(&behind), "the clock of a picture is {behind} s behind");
    }
    // The lips were open while it spoke.
    assert!(out.frames.iter().any(|f| f.0 < joined && f.2 > 0.3));
}
