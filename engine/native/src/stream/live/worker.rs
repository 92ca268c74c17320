//! The session's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::RenderError;
use super::sinks::{Listener, PictureUnit, Sink, Sinks, VideoUnit, VoiceUnit, Wanted};
use super::{Command, LiveStatus, STAGES, Shared};
use crate::media::{I420, LiveH264Encoder, OpusEncoder};
use vultus::session::{Due, Session, SessionEvent, SessionFrame};
use vultus::timing::RecentTimes;

/// Bits a second until the listener's network says otherwise.
const FIRST_BITS: u32 = 1_500_000;
/// How often the thread looks about where nothing is due.
const PERIOD: Duration = Duration::from_millis(5);
/// How much one frame moves the estimate of how long a frame takes.
const WORK_WEIGHT: f64 = 0.05;

pub(super) struct Worker {
    session: Session,
    size: usize,
    listener: Box<dyn Listener>,
    sinks: Sinks,
    /// What they wanted when they were asked last.
    wanted: Wanted,
    shared: Arc<Shared>,
    start: Instant,
    picture: I420,
    video: LiveH264Encoder,
    voice: OpusEncoder,
    /// In the order of [`STAGES`].
    times: [RecentTimes; STAGES.len()],
    turned: Duration,
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
        listener: Box<dyn Listener>,
        first: impl IntoIterator<Item = Sink>,
        shared: Arc<Shared>,
    ) -> Result<Self, RenderError> {
        let mut sinks = Sinks::default();
        first.into_iter().for_each(|sink| sinks.add(sink));
        Ok(Self {
            session,
            size,
            listener,
            sinks,
            wanted: Wanted::default(),
            shared,
            start: Instant::now(),
            picture: I420::new(size, size),
            video: LiveH264Encoder::new(size, vultus::pipeline::MOTION_FPS, FIRST_BITS)?,
            voice: OpusEncoder::live()?,
            times: std::array::from_fn(|_| RecentTimes::default()),
            turned: Duration::ZERO,
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
            Ok(Err(error)) => self.listener.failed(&error.to_string()),
            // The panic has said on stderr where it was.
            Err(_) => self.listener.failed("the session broke down: a bug, which the server's log shows"),
        }
    }

    fn run(&mut self, inbox: &Receiver<Command>) -> Result<(), RenderError> {
        let mut pause = Duration::ZERO;
        loop {
            match inbox.recv_timeout(pause) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(command) = inbox.try_recv() {
                self.obey(command);
            }
            pause = self.turn()?;
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
            Command::Mood(mood, ease) => self.session.set_mood(&mood, ease),
            Command::Avatar(generator) => self.session.set_avatar(generator),
            Command::VoiceLead(lead) => self.session.set_voice_lead(lead),
            Command::Bits(bits) => self.video.set_bits(bits),
            Command::Sink(sink) => self.sinks.add(sink),
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

    fn ask_sinks(&mut self) {
        let wanted = self.sinks.ask();
        self.video.set_short_units(self.shared.short_units.load(Ordering::Relaxed));
        if wanted.drive != self.wanted.drive {
            self.session.set_watched(wanted.drive);
        }
        if self.shared.key_frame.swap(false, Ordering::Relaxed) || wanted.key_frame {
            self.video.force_keyframe();
        }
        self.wanted = wanted;
    }

    /// One round: what is due now is made and handed out, one picture at most. Says how long nothing is due unless something comes in.
    fn turn(&mut self) -> Result<Duration, RenderError> {
        self.ask_sinks();
        self.stands(self.interrupts);
        let now = self.start.elapsed();
        let pause = loop {
            match self.session.poll(now)? {
                Due::Event(SessionEvent::Voice { clock, wait, pcm }) if self.wanted.packets => {
                    self.voice(clock, Instant::now() + wait, &pcm)?;
                }
                Due::Event(SessionEvent::Voice { .. }) => {}
                Due::Event(SessionEvent::Started { mark }) => self.listener.started(mark),
                Due::Event(SessionEvent::Spoken { mark, said }) => self.listener.spoken(mark, said),
                Due::Event(SessionEvent::Interrupted { at }) => self.listener.interrupted(at),
                Due::Frame(frame) => {
                    self.frame(&frame)?;
                    // It took its time: what came in meanwhile is looked at first.
                    break Duration::ZERO;
                }
                // Sinks are asked again before long, whatever the session says.
                Due::Later(at) => break at.saturating_sub(self.start.elapsed()).min(PERIOD),
            }
        };
        let left = self.session.queued_samples();
        self.shared.speech.fetch_sub(self.queued - left, Ordering::AcqRel);
        self.queued = left;
        if now.saturating_sub(self.second.1) >= Duration::from_secs(1) {
            self.report(now);
        }
        Ok(pause)
    }

    fn voice(&mut self, clock: u64, due: Instant, pcm: &[f32]) -> Result<(), RenderError> {
        // What a decoder gives for a packet began this much earlier: the encoder's own delay.
        let Some(clock) = clock.checked_sub(self.voice.pre_skip() as u64) else { return Ok(()) };
        let sinks = &mut self.sinks;
        self.voice.push(pcm, |packet| {
            sinks.voice(&VoiceUnit { data: Bytes::copy_from_slice(packet), clock, due });
            Ok(())
        })?;
        Ok(())
    }

    fn frame(&mut self, frame: &SessionFrame) -> Result<(), RenderError> {
        self.sinks.drive(frame);
        if !self.wanted.pictures {
            return Ok(());
        }
        let began = Instant::now();
        let drawn = self.session.draw(frame)?;
        let face = drawn.face_time.unwrap_or_default();
        self.sinks.picture(PictureUnit { planes: drawn.bytes, side: self.size, clock: frame.clock });
        if !self.wanted.packets {
            return Ok(());
        }
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
        self.sinks.video(&unit);
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
            fps: if self.wanted.pictures { self.fps } else { 0.0 },
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
