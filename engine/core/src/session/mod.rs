//! A live session: sound with its time in, pictures and voice with theirs out.
//!
//! Sans I/O: no thread, socket, device or clock in here. `now` is an argument, the time since the session began, so that an hour
//! can be tried in seconds. Whoever runs it calls [`Session::poll`], does what it says, and calls again: at once, or at the time it gives, or as soon as sound
//! came in.
//!
//! **One media clock**, counted in samples at 48 kHz (three to a sample of the motion model's 16 kHz). It follows `now` at a small
//! distance: as soon as sound is there it moves on, and where sound is late it waits a little and then goes on with silence, in
//! which the face idles. A frame of motion covers 1920 of its samples. Voice and picture carry its count, so they cannot drift apart.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | microphone ([`Session::hear`]) | 200 ms | the oldest sound is dropped |
//! | speech ([`Session::say`]) | [`SPEECH_CAPACITY_SECS`] | takes no more; the caller waits |
//! | frames to be drawn | [`FRAMES_IN_FLIGHT`] | **the oldest frame is dropped: the one place where frames are** |
//! | voice | its delay, a quarter of a second | never: what comes in pushes out |
//!
//! Queued speech goes before the microphone while it lasts. A session that nobody watches ([`Session::set_watched`]) and that hears nothing
//! rests: clock and voice go on, and the motion model is asked again as soon as there is something to see or to hear.

mod jitter;
mod output;
mod speech;
mod voice;

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::RateError;
use crate::compute::ComputeError;
use crate::drive::Drive;
use crate::emotion::Mood;
use crate::generator::{Frame, Generator};
use crate::motion::{Mirror, Mirrored, Motion};
use crate::pipeline::{MOTION_FPS, SpeechToMotion};
use crate::timing::{Clock, StageTimes};

use jitter::JitterBuffer;
use speech::{SpeechQueue, Step};
use voice::VoiceLine;

pub use output::{Due, SessionCounts, SessionEvent, SessionFrame};
pub use speech::SPEECH_CAPACITY_SECS;
pub use voice::VOICE_PACKET;

/// The media clock's rate, Hz.
pub const CLOCK_RATE: u64 = 48_000;
/// Samples that the clock moves at a time: 5 ms.
const BLOCK: usize = 240;
/// Samples of the clock in a frame of motion.
pub const FRAME_SAMPLES: u64 = CLOCK_RATE / MOTION_FPS as u64;
/// Frames that may wait to be drawn.
pub const FRAMES_IN_FLIGHT: usize = 1;
/// How far the clock stays behind `now` where it does not wait for a microphone.
const LAG: Duration = Duration::from_millis(20);
/// What the resampler holds back, in samples of the clock.
const RESAMPLING: u64 = 96;
/// Samples of the clock in one that the motion model hears.
const DOWN: u64 = CLOCK_RATE / crate::audio::RATE as u64;
/// A clock that is this far behind jumps: the machine slept or is too slow, and what was missed is not made up for.
const STALL: Duration = Duration::from_millis(400);
/// Frames that are decided at a time before the caller gets to draw.
const FRAMES_AT_ONCE: usize = 3;
/// How much sooner than it should leave a packet of voice is handed out, so that it can leave in time while a picture is drawn.
const VOICE_AHEAD: Duration = Duration::from_millis(45);
/// How far an interrupted mouth is on its way to rest in the frames after: shut within 80 ms.
const SETTLE: [f32; 2] = [0.5, 1.0];
/// What stays below this (-60 dBFS) is silence to the motion model.
const AUDIBLE: f32 = 0.001;
/// More than the motion model remembers: after so much silence its state does not depend on how long it lasted.
const FORGOTTEN: Duration = Duration::from_secs(2);

/// See the module's text.
pub struct Session {
    speech: SpeechToMotion,
    mirror: Mirror,
    generator: Box<dyn Generator>,
    microphone: JitterBuffer,
    queue: SpeechQueue,
    voice: VoiceLine,
    clock: u64,
    /// Sound after a frame's own that decides it, in samples.
    delay: u64,
    /// How long drawing and encoding take, and how much sooner than the picture the voice should leave, in samples.
    work: u64,
    lead: u64,
    frames: VecDeque<SessionFrame>,
    counts: SessionCounts,
    shown: Drive,
    settling: usize,
    settle_from: Drive,
    /// Utterances on their way through the voice's delay, block by block: clock of the block's end, and how far they are by then.
    leaving: VecDeque<(u64, Step)>,
    /// The utterance whose voice leaves: its mark, and samples of it so far.
    saying: Option<(u64, u64)>,
    /// An interrupt that has not been told yet, with what it cut.
    cut: Option<Option<(u64, Duration)>>,
    watched: bool,
    /// Samples since something was heard.
    quiet: u64,
    /// How long sound waited for the clock.
    capture: StageTimes,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("clock", &self.clock).field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Session {
    /// A session at time zero, 25 frames a second.
    ///
    /// # Errors
    /// Never in practice: 48 kHz can be converted to 16 kHz.
    pub fn new(motion: Box<dyn Motion>, generator: Box<dyn Generator>) -> Result<Self, RateError> {
        let mirror = Mirror::default();
        let motion = Box::new(Mirrored::new(motion, mirror.clone()));
        let delay = motion.delay() as u64 * DOWN + RESAMPLING;
        Ok(Self {
            speech: SpeechToMotion::live(CLOCK_RATE as usize, motion, MOTION_FPS)?,
            mirror,
            generator,
            microphone: JitterBuffer::new(),
            queue: SpeechQueue::default(),
            voice: VoiceLine::new(),
            clock: 0,
            delay,
            work: samples(Duration::from_millis(25)),
            lead: samples(Duration::from_millis(40)),
            frames: VecDeque::with_capacity(FRAMES_IN_FLIGHT + 1),
            counts: SessionCounts::default(),
            shown: Drive::default(),
            settling: SETTLE.len(),
            settle_from: Drive::default(),
            leaving: VecDeque::new(),
            saying: None,
            cut: None,
            watched: true,
            quiet: 0,
            capture: StageTimes::new(),
        })
    }

    /// Who tells the time, for the times of its stages.
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.speech = self.speech.timed_by(clock);
        self
    }

    /// Takes microphone sound that arrived at `now`: mono, 48 kHz. Values that are not numbers become silence.
    pub fn hear(&mut self, pcm: &mut [f32], now: Duration) {
        sanitise(pcm);
        self.microphone.push(pcm, now);
    }

    /// Queues speech, mono at 48 kHz, and says how many samples there was room for.
    pub fn say(&mut self, pcm: &mut [f32]) -> usize {
        sanitise(pcm);
        self.queue.push(pcm)
    }

    /// What is queued from now on is an utterance, up to its end or the next beginning; [`SessionEvent::Started`] with `mark` follows when its
    /// first sound leaves.
    pub fn begin_speech(&mut self, mark: u64) {
        self.queue.begin(mark);
    }

    /// What was queued since this utterance began (or, if it was not begun, since the last one ended) is complete; [`SessionEvent::Spoken`] with
    /// `mark` follows when it has been said.
    pub fn end_speech(&mut self, mark: u64) {
        self.queue.end(mark);
    }

    /// Whether anybody watches. The session may rest while nobody does (see the module's text).
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Speech that waits to be said.
    pub fn queued(&self) -> Duration {
        duration(self.queue.len() as u64)
    }

    /// The same in samples.
    pub fn queued_samples(&self) -> usize {
        self.queue.len()
    }

    /// Turns to another mood, within `ease`.
    pub fn set_mood(&mut self, mood: &Mood, ease: Duration) {
        self.speech.set_mood(mood, ease);
    }

    /// Where a camera's faces are left: the session shows them while they come.
    pub fn mirror(&self) -> Mirror {
        self.mirror.clone()
    }

    /// Another face from the next frame on.
    pub fn set_avatar(&mut self, generator: Box<dyn Generator>) {
        self.generator = generator;
    }

    /// Stops speaking at once: drops what is queued and what is on its way, and shuts the mouth. The microphone goes on.
    /// [`SessionEvent::Interrupted`] follows.
    pub fn interrupt(&mut self) {
        self.queue.clear();
        self.microphone.clear();
        self.voice.hush();
        self.speech.forget();
        self.frames.clear();
        self.leaving.clear();
        self.cut = Some(self.saying.take().map(|(mark, said)| (mark, duration(said))));
        (self.settling, self.settle_from) = (0, self.shown.clone());
    }

    /// Tells how much sooner than its picture a sound should leave, to make up for what the listener's audio buffer adds.
    pub fn set_voice_lead(&mut self, lead: Duration) {
        self.lead = samples(lead);
    }

    /// Tells how long drawing and encoding a frame takes at present.
    pub fn set_work(&mut self, work: Duration) {
        self.work = samples(work);
    }

    /// From a sound to the moment when the voice leaves with it.
    pub fn voice_delay(&self) -> Duration {
        duration(self.voice_delay_samples())
    }

    fn voice_delay_samples(&self) -> u64 {
        // A frame is decided when its own sound, and what the motion model wants to hear after it, have been heard.
        (FRAME_SAMPLES + self.delay + self.work).saturating_sub(self.lead)
    }

    /// What is to be done at `now`: voice and news before pictures, and only when all of it has been given out what the time since then brings.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn poll(&mut self, now: Duration) -> Result<Due, ComputeError> {
        if let Some(due) = self.take() {
            return Ok(due);
        }
        self.advance(now)?;
        Ok(match self.take() {
            Some(due) => due,
            None => Due::Later(self.next_time(now)),
        })
    }

    fn take(&mut self) -> Option<Due> {
        self.next_event().map(Due::Event).or_else(|| self.next_frame().map(Due::Frame))
    }

    /// When the clock moves on even if no sound comes in.
    fn next_time(&mut self, now: Duration) -> Duration {
        let speaking = self.queue.is_speaking();
        let patience = if !speaking && self.microphone.is_live(now) { self.microphone.patience(now) } else { LAG };
        let block = self.clock + BLOCK as u64 + samples(patience);
        // Rounded up: at a time that is a little too soon nothing would be due.
        Duration::from_nanos((block * 1_000_000).div_ceil(48)).max(now)
    }

    /// Moves the media clock as far as sound and time allow, and decides the frames that this makes possible.
    fn advance(&mut self, now: Duration) -> Result<(), ComputeError> {
        let wall = samples(now);
        self.jump_if_stalled(wall);
        let mut block = [0.0; BLOCK];
        let mut decided = 0;
        while decided < FRAMES_AT_ONCE
            && let Some(heard) = self.next_block(&mut block, wall, now)
        {
            self.capture.record(now.saturating_sub(heard));
            self.clock += BLOCK as u64;
            self.voice.push(&block);
            while let Some(step) = self.queue.step() {
                self.leaving.push_back((self.clock, step));
            }
            let audible = block.iter().any(|sample| sample.abs() > AUDIBLE);
            self.quiet = if audible { 0 } else { self.quiet + BLOCK as u64 };
            if !self.watched && self.quiet > samples(FORGOTTEN) {
                self.counts.rested += BLOCK as u64;
                continue;
            }
            self.speech.push(&block)?;
            while let Some(frame) = self.speech.next_frame() {
                decided += 1;
                let clock = frame.index * FRAME_SAMPLES + self.counts.jumped + self.counts.rested;
                let frame = SessionFrame { clock, heard, decided: now, drive: frame.drive };
                self.frames.push_back(frame);
                if self.frames.len() > FRAMES_IN_FLIGHT {
                    self.frames.pop_front();
                    self.counts.dropped += 1;
                }
            }
        }
        Ok(())
    }

    /// After a stall the media clock goes on where time is, and with it everything that carries its count.
    fn jump_if_stalled(&mut self, wall: u64) {
        let behind = wall.saturating_sub(self.clock);
        if behind <= samples(STALL) {
            return;
        }
        let jump = (behind - samples(LAG)) / BLOCK as u64 * BLOCK as u64;
        self.clock += jump;
        self.counts.jumped += jump;
        self.voice.jump(jump);
        self.microphone.clear();
        self.leaving.iter_mut().for_each(|(end, _)| *end += jump);
    }

    /// Fills the next block of sound if it is time for it, and says when it came in.
    fn next_block(&mut self, block: &mut [f32; BLOCK], wall: u64, now: Duration) -> Option<Duration> {
        let next = self.clock + BLOCK as u64;
        if next > wall {
            return None;
        }
        if self.queue.is_speaking() {
            if next + samples(LAG) > wall {
                return None;
            }
            // Microphone sound that comes meanwhile is not said afterwards.
            self.microphone.clear();
            self.queue.take(block);
            return Some(now);
        }
        if let Some(heard) = self.microphone.take(block, now) {
            return Some(heard);
        }
        let patience = if self.microphone.is_live(now) { self.microphone.patience(now) } else { LAG };
        if next + samples(patience) > wall {
            return None;
        }
        self.microphone.starve(block);
        Some(now)
    }

    /// The frame to draw next, if one is due.
    fn next_frame(&mut self) -> Option<SessionFrame> {
        let mut frame = self.frames.pop_front()?;
        if let Some(share) = SETTLE.get(self.settling) {
            self.settling += 1;
            frame.drive.settle(&self.settle_from, *share);
        }
        self.shown = frame.drive.clone();
        self.counts.frames += 1;
        Some(frame)
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn draw(&mut self, frame: &SessionFrame) -> Result<Frame<'_>, ComputeError> {
        self.generator.frame(&frame.drive)
    }

    /// What else is due, in order.
    fn next_event(&mut self) -> Option<SessionEvent> {
        let mut pcm = [0.0; VOICE_PACKET];
        let delay = self.voice_delay_samples();
        let ahead = samples(VOICE_AHEAD);
        if let Some(clock) = self.voice.take(self.clock, delay.saturating_sub(ahead), &mut pcm) {
            let wait = duration((clock + delay).saturating_sub(self.clock));
            return Some(SessionEvent::Voice { clock, wait, pcm });
        }
        if let Some(at) = self.cut.take() {
            return Some(SessionEvent::Interrupted { at });
        }
        while let Some((end, step)) = self.leaving.front_mut()
            && *end <= self.voice.position()
        {
            let Step { mark, said, first, over } = *step;
            self.saying = Some((mark, said));
            if first {
                step.first = false;
                return Some(SessionEvent::Started { mark });
            }
            self.leaving.pop_front();
            if over {
                self.saying = None;
                return Some(SessionEvent::Spoken { mark, said: duration(said) });
            }
        }
        None
    }

    /// The media clock.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Whether queued speech is being said.
    pub fn is_speaking(&mut self) -> bool {
        self.queue.is_speaking()
    }

    /// Whether microphone sound has been arriving.
    pub fn is_hearing(&self, now: Duration) -> bool {
        self.microphone.is_live(now)
    }

    /// What happened so far.
    pub fn counts(&self) -> SessionCounts {
        SessionCounts { microphone_dropped: self.microphone.dropped(), ..self.counts }
    }

    /// Times since the last call: sound waiting for the clock (per 5 ms), the motion model's front-end and its network (per frame).
    pub fn take_times(&mut self) -> [StageTimes; 3] {
        [&mut self.capture, &mut self.speech.hearing, &mut self.speech.moving].map(std::mem::take)
    }
}

fn samples(time: Duration) -> u64 {
    (time.as_nanos() * u128::from(CLOCK_RATE) / 1_000_000_000) as u64
}

fn duration(samples: u64) -> Duration {
    Duration::from_nanos(samples * 1_000_000 / 48)
}

/// Sound from outside may hold anything; one NaN in a recurrent filter would stay for ever.
fn sanitise(pcm: &mut [f32]) {
    for sample in pcm {
        *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    }
}
