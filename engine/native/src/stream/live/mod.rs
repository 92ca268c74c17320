//! A session on a thread of its own: sound and wishes in, encoded media out, in real time.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | commands, to the thread | 256 | microphone sound is dropped and counted; everything else is refused. An interrupt is no command: it is never refused, and nothing is before it |
//! | speech, in the session | [`SPEECH_CAPACITY_SECS`] | refused; the caller waits |
//!
//! What leaves goes to sinks of three levels, which must not block. Frames are dropped in the session only (see [`vultus::session`]).

mod recording;
mod sinks;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use super::RenderError;
use vultus::emotion::Mood;
use vultus::generator::Generator;
use vultus::motion::Mirror;
use vultus::session::{CLOCK_RATE, SPEECH_CAPACITY_SECS, Session, SessionCounts};
use vultus::timing::StageSummary;
use worker::Worker;

pub use recording::{Recorded, Recording};
pub use sinks::{DriveSink, Listener, PacketSink, PictureSink, PictureUnit, Sink, VideoUnit, VoiceUnit, Wish};

/// Commands that may wait for the thread: more than two seconds of microphone sound.
const COMMANDS: usize = 256;

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
    /// Speech and its utterances carry how many interrupts there had been: a later one drops them.
    Say(Vec<f32>, u64),
    BeginSpeech(u64, u64),
    EndSpeech(u64, u64),
    Mood(Box<Mood>, Duration),
    Avatar(Box<dyn Generator>),
    VoiceLead(Duration),
    Bits(u32),
    Sink(Sink),
}

/// A command was refused: the session's thread is busy or gone. Try again a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is busy; try again in a moment")]
pub struct Busy;

#[derive(Debug, Default)]
struct Shared {
    status: Mutex<LiveStatus>,
    /// Samples of speech that are on their way or wait.
    speech: AtomicUsize,
    refused: AtomicUsize,
    // Not commands: a queue that is full must not keep a browser without pictures.
    short_units: AtomicBool,
    key_frame: AtomicBool,
    /// Interrupts so far. Neither a command: an interrupt must not wait behind the speech that it is to stop.
    interrupts: AtomicU64,
}

/// A running session. Dropping it ends the thread.
#[derive(Debug)]
pub struct LiveSession {
    commands: Option<SyncSender<Command>>,
    shared: Arc<Shared>,
    mirror: Mirror,
    thread: Option<JoinHandle<()>>,
}

impl LiveSession {
    /// Starts `session`, whose generator draws pictures of side `size`. `sinks` are those that it begins with.
    ///
    /// # Errors
    /// No thread could be started, or an encoder.
    pub fn start(
        session: Session,
        size: usize,
        listener: Box<dyn Listener>,
        sinks: impl IntoIterator<Item = Sink>,
    ) -> Result<Self, RenderError> {
        let (commands, inbox) = sync_channel(COMMANDS);
        let (shared, mirror) = (Arc::new(Shared::default()), session.mirror());
        let worker = Worker::new(session, size, listener, sinks, Arc::clone(&shared))?;
        let thread = thread::Builder::new()
            .name("vultus-session".into())
            .spawn(move || worker.work(&inbox))
            .map_err(|cause: io::Error| RenderError::NoThread(cause.to_string()))?;
        Ok(Self { commands: Some(commands), shared, mirror, thread: Some(thread) })
    }

    /// Where a camera's faces are left: not a command, since only the latest counts.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
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
    /// Gives it back where there is no room for all of it, or the session has ended.
    pub fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        self.since(self.interrupts()).say(pcm)
    }

    /// What is said from now on is an utterance; [`Listener::started`] with `mark` follows.
    ///
    /// # Errors
    /// [`Busy`], as every command below.
    pub fn begin_speech(&self, mark: u64) -> Result<(), Busy> {
        self.since(self.interrupts()).begin(mark)
    }

    /// What was said so far is complete; [`Listener::spoken`] with `mark` follows.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn end_speech(&self, mark: u64) -> Result<(), Busy> {
        self.since(self.interrupts()).end(mark)
    }

    /// Interrupts so far.
    pub fn interrupts(&self) -> u64 {
        self.shared.interrupts.load(Ordering::Acquire)
    }

    /// The floor of somebody who knows of so many interrupts: what is said through it is dropped if there has been another one.
    pub fn since(&self, interrupts: u64) -> Floor<'_> {
        Floor { session: self, interrupts }
    }

    /// Stops speaking at once, whatever has been said until now and however busy the session is; [`Listener::interrupted`] follows (once, where
    /// several come at the same moment). What is said after this call is said.
    pub fn interrupt(&self) {
        self.shared.interrupts.fetch_add(1, Ordering::AcqRel);
    }

    /// Turns to another mood, within `ease`.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn set_mood(&self, mood: &Mood, ease: Duration) -> Result<(), Busy> {
        self.send(Command::Mood(Box::new(*mood), ease))
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
    pub fn request_key_frame(&self) {
        self.shared.key_frame.store(true, Ordering::Relaxed);
    }

    /// Another sink, from the next frame on. Where no sink [wants](Wish) anything, nothing is drawn or encoded, and in silence nothing moves.
    ///
    /// # Errors
    /// [`Busy`]; the sink is dropped.
    pub fn add_sink(&self, sink: Sink) -> Result<(), Busy> {
        self.send(Command::Sink(sink))
    }

    /// Whether somebody watches who takes units of one packet only ([`crate::media::LiveH264Encoder::set_short_units`]).
    pub fn set_short_units(&self, short: bool) {
        self.shared.short_units.store(short, Ordering::Relaxed);
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

/// See [`LiveSession::since`].
#[derive(Clone, Copy, Debug)]
pub struct Floor<'a> {
    session: &'a LiveSession,
    interrupts: u64,
}

impl Floor<'_> {
    /// As [`LiveSession::say`].
    ///
    /// # Errors
    /// Gives it back where there is no room for all of it, or the session has ended.
    pub fn say(&self, pcm: Vec<f32>) -> Result<(), Vec<f32>> {
        const CAPACITY: usize = SPEECH_CAPACITY_SECS * CLOCK_RATE as usize;
        let samples = pcm.len();
        let speech = &self.session.shared.speech;
        let reserve = |waiting: usize| Some(waiting + samples).filter(|sum| *sum <= CAPACITY);
        if speech.fetch_update(Ordering::AcqRel, Ordering::Acquire, reserve).is_err() {
            return Err(pcm);
        }
        match self.session.commands.as_ref().map(|commands| commands.try_send(Command::Say(pcm, self.interrupts))) {
            // A thread that is gone has said why to its listener.
            Some(Err(TrySendError::Full(Command::Say(pcm, _)) | TrySendError::Disconnected(Command::Say(pcm, _)))) => {
                speech.fetch_sub(samples, Ordering::AcqRel);
                Err(pcm)
            }
            _ => Ok(()),
        }
    }

    /// As [`LiveSession::begin_speech`].
    ///
    /// # Errors
    /// [`Busy`].
    pub fn begin(&self, mark: u64) -> Result<(), Busy> {
        self.session.send(Command::BeginSpeech(mark, self.interrupts))
    }

    /// As [`LiveSession::end_speech`].
    ///
    /// # Errors
    /// [`Busy`].
    pub fn end(&self, mark: u64) -> Result<(), Busy> {
        self.session.send(Command::EndSpeech(mark, self.interrupts))
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
