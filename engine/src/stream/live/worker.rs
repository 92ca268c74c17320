//! The session's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::RenderError;
use super::{Command, LiveStatus, MediaSink, STAGES, Shared, VideoUnit, VoiceUnit};
use crate::media::{I420, LiveH264Encoder, OpusEncoder};
use crate::session::{PERIOD, Session, SessionEvent, SessionFrame};
use crate::timing::RecentTimes;

/// Bits a second until the listener's network says otherwise.
const FIRST_BITS: u32 = 1_500_000;
/// How much one frame moves the estimate of how long a frame takes.
const WORK_WEIGHT: f64 = 0.05;

pub(super) struct Worker {
    session: Session,
    sink: Box<dyn MediaSink>,
    shared: Arc<Shared>,
    start: Instant,
    picture: I420,
    video: LiveH264Encoder,
    voice: OpusEncoder,
    /// In the order of [`STAGES`].
    times: [RecentTimes; STAGES.len()],
    turned: Duration,
    watched: bool,
    /// Seconds from a frame's decision to its end, smoothed.
    work: f64,
    /// Frames so far at the time of the last report.
    second: (u64, Duration),
    fps: f64,
    video_bytes: u64,
    /// Samples of speech in the session after the last turn.
    queued: usize,
    /// Interrupts that have been carried out.
    interrupts: u64,
}

impl Worker {
    pub(super) fn new(
        session: Session,
        size: usize,
        sink: Box<dyn MediaSink>,
        shared: Arc<Shared>,
    ) -> Result<Self, RenderError> {
        Ok(Self {
            session,
            sink,
            shared,
            start: Instant::now(),
            picture: I420::new(size, size),
            video: LiveH264Encoder::new(size, crate::pipeline::MOTION_FPS, FIRST_BITS)?,
            voice: OpusEncoder::live()?,
            times: std::array::from_fn(|_| RecentTimes::default()),
            turned: Duration::ZERO,
            watched: false,
            work: 0.025,
            second: (0, Duration::ZERO),
            fps: 0.0,
            video_bytes: 0,
            queued: 0,
            interrupts: 0,
        })
    }

    /// Runs to the session's end. An end that nobody asked for is told, whatever it was.
    pub(super) fn work(mut self, inbox: &Receiver<Command>) {
        self.session.set_watched(false);
        match catch_unwind(AssertUnwindSafe(|| self.run(inbox))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.sink.failed(&error.to_string()),
            // The panic has said on stderr where it was.
            Err(_) => self.sink.failed("the session broke down: a bug, which the server's log shows"),
        }
    }

    fn run(&mut self, inbox: &Receiver<Command>) -> Result<(), RenderError> {
        loop {
            match inbox.recv_timeout(PERIOD) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(command) = inbox.try_recv() {
                self.obey(command);
            }
            self.turn()?;
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Microphone(mut pcm, at) => self.session.hear(&mut pcm, at.saturating_duration_since(self.start)),
            Command::Say(mut pcm, interrupts) if self.stands(interrupts) => {
                // Room was reserved before.
                self.queued += self.session.say(&mut pcm);
            }
            Command::Say(pcm, _) => {
                self.shared.speech.fetch_sub(pcm.len(), Ordering::AcqRel);
            }
            Command::BeginSpeech(mark, interrupts) if self.stands(interrupts) => self.session.begin_speech(mark),
            Command::EndSpeech(mark, interrupts) if self.stands(interrupts) => self.session.end_speech(mark),
            Command::BeginSpeech(..) | Command::EndSpeech(..) => {}
            Command::Emotion(emotion, intensity) => self.session.set_emotion(emotion, intensity),
            Command::Avatar(generator) => self.session.set_avatar(generator),
            Command::VoiceLead(lead) => self.session.set_voice_lead(lead),
            Command::Bits(bits) => self.video.set_bits(bits),
        }
    }

    /// Carries an interrupt out if there is one, and says whether what was sent after so many of them is still to be said.
    fn stands(&mut self, interrupts: u64) -> bool {
        let now = self.shared.interrupts.load(Ordering::Acquire);
        if now != self.interrupts {
            self.interrupts = now;
            self.session.interrupt();
        }
        interrupts == now
    }

    fn look_who_watches(&mut self) {
        let watched = self.shared.watched.load(Ordering::Relaxed);
        let joined = watched && !self.watched;
        self.video.set_short_units(self.shared.short_units.load(Ordering::Relaxed));
        if watched != self.watched {
            self.watched = watched;
            self.session.set_watched(watched);
        }
        if self.shared.key_frame.swap(false, Ordering::Relaxed) || joined {
            self.video.force_keyframe();
        }
    }

    /// One round: what is due now is made and handed out.
    fn turn(&mut self) -> Result<(), RenderError> {
        self.look_who_watches();
        self.stands(self.interrupts);
        let now = self.start.elapsed();
        self.session.advance(now)?;
        while let Some(event) = self.session.next_event() {
            match event {
                SessionEvent::Voice { clock, wait, pcm } if self.watched => {
                    self.voice(clock, Instant::now() + wait, &pcm)?;
                }
                SessionEvent::Voice { .. } => {}
                SessionEvent::Started { mark } => self.sink.started(mark),
                SessionEvent::Spoken { mark, said } => self.sink.spoken(mark, said),
                SessionEvent::Interrupted { at } => self.sink.interrupted(at),
            }
        }
        if let Some(frame) = self.session.next_frame()
            && self.watched
        {
            self.video(&frame)?;
        }
        let left = self.session.queued_samples();
        self.shared.speech.fetch_sub(self.queued - left, Ordering::AcqRel);
        self.queued = left;
        if now.saturating_sub(self.second.1) >= Duration::from_secs(1) {
            self.report(now);
        }
        Ok(())
    }

    fn voice(&mut self, clock: u64, due: Instant, pcm: &[f32]) -> Result<(), RenderError> {
        // What a decoder gives for a packet began this much earlier: the encoder's own delay.
        let Some(clock) = clock.checked_sub(self.voice.pre_skip() as u64) else { return Ok(()) };
        let sink = &self.sink;
        self.voice.push(pcm, |packet| {
            sink.voice(VoiceUnit { data: Bytes::copy_from_slice(packet), clock, due });
            Ok(())
        })?;
        Ok(())
    }

    fn video(&mut self, frame: &SessionFrame) -> Result<(), RenderError> {
        let began = Instant::now();
        let drawn = self.session.draw(frame)?;
        let face = drawn.face_time.unwrap_or_default();
        self.picture.set_planes(drawn.bytes);
        let generated = began.elapsed();
        let encoded = self.video.encode(&self.picture, frame.clock)?;
        let unit = VideoUnit {
            data: Bytes::copy_from_slice(encoded.annex_b),
            key: encoded.keyframe,
            clock: frame.clock,
            heard: self.start + frame.heard,
            encoded: Instant::now(),
        };
        self.video_bytes += unit.data.len() as u64;
        let [_, _, _, faces, generators, encodes, server] = &mut self.times;
        faces.record(face);
        generators.record(generated.saturating_sub(face));
        encodes.record(began.elapsed().saturating_sub(generated));
        server.record(unit.encoded.saturating_duration_since(unit.heard));
        self.sink.video(unit);
        let work = self.start.elapsed().saturating_sub(frame.heard).as_secs_f64();
        // A stall is not how long frames usually take.
        self.work += (work.min(0.1) - self.work) * WORK_WEIGHT;
        self.session.set_work(Duration::from_secs_f64(self.work));
        Ok(())
    }

    fn report(&mut self, now: Duration) {
        for (recent, times) in self.times.iter_mut().zip(self.session.take_times()) {
            recent.absorb(&times);
        }
        let counts = self.session.counts();
        let (before, at) = self.second;
        self.fps = (counts.frames - before) as f64 / now.saturating_sub(at).as_secs_f64();
        self.second = (counts.frames, now);
        let status = LiveStatus {
            fps: if self.watched { self.fps } else { 0.0 },
            counts,
            stages: STAGES.into_iter().zip(self.times.iter().map(|times| times.all().summary())).collect(),
            speaking: self.session.is_speaking(),
            hearing: self.session.is_hearing(now),
            queued: self.session.queued(),
            voice_delay: self.session.voice_delay(),
            bits: self.video.bits(),
            video_bytes: self.video_bytes,
            refused: 0,
        };
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        if now.saturating_sub(self.turned) >= RecentTimes::STRETCH {
            self.turned = now;
            self.times.iter_mut().for_each(RecentTimes::turn);
        }
    }
}
