//! A session on a thread of its own: sound and wishes in, encoded media out, in real time.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | commands, to the thread | 256 | microphone sound is dropped and counted; everything else is refused |
//! | speech, in the session | [`SPEECH_CAPACITY_SECS`] | refused; the caller waits |
//!
//! What leaves goes to a [`MediaSink`], which must not block. Frames are dropped in the session only (see [`crate::session`]).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use bytes::Bytes;

use super::RenderError;
use crate::emotion::Emotion;
use crate::generator::Generator;
use crate::media::{I420, LiveH264Encoder, OpusEncoder};
use crate::session::{CLOCK_RATE, PERIOD, SPEECH_CAPACITY_SECS, Session, SessionCounts, SessionEvent, SessionFrame};
use crate::timing::{RecentTimes, StageSummary};

/// Commands that may wait for the thread: more than two seconds of microphone sound.
const COMMANDS: usize = 256;
/// Bits a second until the listener's network says otherwise.
const FIRST_BITS: u32 = 1_500_000;
/// How much one frame moves the estimate of how long a frame takes.
const WORK_WEIGHT: f64 = 0.05;

/// A frame of video as it leaves.
#[derive(Clone, Debug)]
pub struct VideoUnit {
    /// H.264, annex B.
    pub data: Bytes,
    /// Whether a decoder can start here.
    pub key: bool,
    /// Media clock (48 kHz) of the frame's start.
    pub clock: u64,
    /// When the last sound came in that the frame depends on.
    pub heard: Instant,
    /// When the frame was ready.
    pub encoded: Instant,
}

/// A packet of voice as it leaves.
#[derive(Clone, Debug)]
pub struct VoiceUnit {
    /// One Opus packet of 20 ms, mono.
    pub data: Bytes,
    /// Media clock (48 kHz) of the first sample that a decoder gives for it.
    pub clock: u64,
    /// When it should leave.
    pub due: Instant,
}

/// Where a session's media go. Called on the session's thread; must not block.
pub trait MediaSink: Send {
    /// The next frame of video.
    fn video(&self, unit: VideoUnit);
    /// The next packet of voice.
    fn voice(&self, unit: VoiceUnit);
    /// Speech that was marked complete has been said.
    fn spoken(&self);
    /// The session cannot go on: the device was lost, or an encoder failed.
    fn failed(&self, why: &str);
}

/// Stages of a frame, in the order of the data's way.
pub const STAGES: [&str; 7] = ["capture", "mel", "motion", "face", "generator", "encode", "server"];

/// How a session is doing.
#[derive(Clone, Debug, Default)]
pub struct LiveStatus {
    /// Frames that left in the last second.
    pub fps: f64,
    /// Frames and samples handled so far.
    pub counts: SessionCounts,
    /// Times over the last minute, in the order of [`STAGES`]; `server` is from the last sound needed to the encoded frame.
    pub stages: Vec<(&'static str, StageSummary)>,
    /// Whether queued speech is being said.
    pub speaking: bool,
    /// Whether microphone sound is coming in.
    pub hearing: bool,
    /// Speech that waits.
    pub queued: Duration,
    /// From a sound to the moment when the voice leaves with it.
    pub voice_delay: Duration,
    /// Bits a second that the video encoder aims for.
    pub bits: u32,
    /// Bytes of video so far.
    pub video_bytes: u64,
    /// Microphone sound dropped because the thread did not keep up, in samples.
    pub refused: u64,
}

enum Command {
    Microphone(Vec<f32>, Instant),
    Say(Vec<f32>),
    EndSpeech,
    Interrupt,
    Emotion(Emotion, f32),
    Avatar(Box<dyn Generator>),
    VoiceLead(Duration),
    Bits(u32),
    KeyFrame,
    Watched(bool),
}

/// A command was refused: the session's thread is busy or gone. Try again a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is busy; try again in a moment")]
pub struct Busy;

#[derive(Debug)]
struct Shared {
    status: Mutex<LiveStatus>,
    /// Samples of speech that are on their way or wait.
    speech: AtomicUsize,
    refused: AtomicUsize,
}

/// A running session. Dropping it ends the thread.
#[derive(Debug)]
pub struct LiveSession {
    commands: Option<SyncSender<Command>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LiveSession {
    /// Starts `session`, whose generator draws pictures of side `size`.
    ///
    /// # Errors
    /// No thread could be started, or an encoder.
    pub fn start(session: Session, size: usize, sink: Box<dyn MediaSink>) -> Result<Self, RenderError> {
        let (commands, inbox) = sync_channel(COMMANDS);
        let shared =
            Arc::new(Shared { status: Mutex::default(), speech: AtomicUsize::new(0), refused: AtomicUsize::new(0) });
        let worker = Worker {
            session,
            sink,
            shared: Arc::clone(&shared),
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
        };
        let thread = thread::Builder::new()
            .name("vultus-session".into())
            .spawn(move || worker.run(&inbox))
            .map_err(|cause: io::Error| RenderError::NoThread(cause.to_string()))?;
        Ok(Self { commands: Some(commands), shared, thread: Some(thread) })
    }

    /// Microphone sound, mono at 48 kHz, that arrived just now. Never blocks; sound that finds the queue full is dropped.
    pub fn hear(&self, pcm: Vec<f32>) {
        let samples = pcm.len();
        if self.send(Command::Microphone(pcm, Instant::now())).is_err() {
            self.shared.refused.fetch_add(samples, Ordering::Relaxed);
        }
    }

    /// Speech to be said, mono at 48 kHz.
    ///
    /// # Errors
    /// Gives it back where there is no room for all of it.
    pub fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        const CAPACITY: usize = SPEECH_CAPACITY_SECS * CLOCK_RATE as usize;
        let samples = pcm.len();
        let reserve = |waiting: usize| Some(waiting + samples).filter(|sum| *sum <= CAPACITY);
        if self.shared.speech.fetch_update(Ordering::AcqRel, Ordering::Acquire, reserve).is_err() {
            return Err(pcm);
        }
        match self.commands.as_ref().map(|commands| commands.try_send(Command::Say(pcm))) {
            Some(Err(TrySendError::Full(Command::Say(pcm)))) => {
                self.shared.speech.fetch_sub(samples, Ordering::AcqRel);
                Err(pcm)
            }
            // A thread that is gone has said why to the sink.
            _ => Ok(()),
        }
    }

    /// The speech is complete; [`MediaSink::spoken`] follows.
    ///
    /// # Errors
    /// [`Busy`], as every command below.
    pub fn end_speech(&self) -> Result<(), Busy> {
        self.send(Command::EndSpeech)
    }

    /// Stops speaking at once.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn interrupt(&self) -> Result<(), Busy> {
        self.send(Command::Interrupt)
    }

    /// Changes the emotion; `intensity` is 1…3.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_emotion(&self, emotion: Emotion, intensity: f32) -> Result<(), Busy> {
        self.send(Command::Emotion(emotion, intensity.clamp(1.0, 3.0)))
    }

    /// Another face. Its pictures must have the size of the first one's.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_avatar(&self, generator: Box<dyn Generator>) -> Result<(), Busy> {
        self.send(Command::Avatar(generator))
    }

    /// How much sooner than its picture a sound should leave.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_voice_lead(&self, lead: Duration) -> Result<(), Busy> {
        self.send(Command::VoiceLead(lead))
    }

    /// Bits a second that the listener's network can carry.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_bits(&self, bits: u32) -> Result<(), Busy> {
        self.send(Command::Bits(bits))
    }

    /// Somebody joined, or lost a frame.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn request_key_frame(&self) -> Result<(), Busy> {
        self.send(Command::KeyFrame)
    }

    /// Whether anybody watches: otherwise nothing is drawn.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_watched(&self, watched: bool) -> Result<(), Busy> {
        self.send(Command::Watched(watched))
    }

    /// How the session is doing, as of the last second.
    pub fn status(&self) -> LiveStatus {
        let mut status = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.refused = self.shared.refused.load(Ordering::Relaxed) as u64;
        status
    }

    fn send(&self, command: Command) -> Result<(), Busy> {
        self.commands.as_ref().ok_or(Busy)?.try_send(command).map_err(|_| Busy)
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        // The thread ends when its queue closes, within one frame's time.
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

struct Worker {
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
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            match inbox.recv_timeout(PERIOD) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(command) = inbox.try_recv() {
                self.obey(command);
            }
            if let Err(error) = self.turn() {
                self.sink.failed(&error.to_string());
                return;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Microphone(mut pcm, at) => self.session.hear(&mut pcm, at.saturating_duration_since(self.start)),
            Command::Say(mut pcm) => {
                // Room was reserved before.
                self.queued += self.session.say(&mut pcm);
            }
            Command::EndSpeech => self.session.end_speech(),
            Command::Interrupt => self.session.interrupt(),
            Command::Emotion(emotion, intensity) => self.session.set_emotion(emotion, intensity),
            Command::Avatar(generator) => self.session.set_avatar(generator),
            Command::VoiceLead(lead) => self.session.set_voice_lead(lead),
            Command::Bits(bits) => self.video.set_bits(bits),
            Command::KeyFrame => self.video.force_keyframe(),
            Command::Watched(watched) => {
                self.watched = watched;
                self.video.force_keyframe();
            }
        }
    }

    /// One round: what is due now is made and handed out.
    fn turn(&mut self) -> Result<(), RenderError> {
        let now = self.start.elapsed();
        self.session.advance(now)?;
        while let Some(event) = self.session.next_event() {
            match event {
                SessionEvent::Voice { clock, wait, pcm } => self.voice(clock, Instant::now() + wait, &pcm)?,
                SessionEvent::Spoken => self.sink.spoken(),
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
