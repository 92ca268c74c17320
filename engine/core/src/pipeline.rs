//! From samples to face coefficients: hearing, motion and frame rate as one stream.
//!
//! Nothing here waits, threads or opens files: samples are pushed in, frames are taken out. What comes out does not depend on
//! how the samples were cut into pushes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::{RATE, RateError, Resampler, SAMPLES_PER_FRAME};
use crate::compute::ComputeError;
use crate::drive::{Drive, MotionFrame};
use crate::emotion::Mood;
use crate::motion::Motion;
use crate::timing::{Clock, StageTimes};

/// Frame rate of the motion model, Hz.
pub const MOTION_FPS: u32 = 25;
/// Output frame rates.
pub const FRAME_RATES: [u32; 4] = [25, 30, 50, 60];

/// Hearing, motion and frame rate. See the module's text.
pub struct SpeechToMotion {
    resampler: Resampler,
    motion: Box<dyn Motion>,
    tween: Tween,
    samples: u64,
    pcm: Vec<f32>,
    ready: VecDeque<MotionFrame>,
    /// Time spent on resampling and on sound that decides no frame, which is the motion model's front-end, a frame of motion.
    pub hearing: StageTimes,
    /// Time spent on the piece of sound that decides a frame, which is the motion model's network, a frame of motion.
    pub moving: StageTimes,
    /// Both since the last frame.
    spent: [Duration; 2],
    clock: Clock,
}

impl SpeechToMotion {
    /// A stream of mono samples at `rate` that becomes frames at `fps`, one of [`FRAME_RATES`].
    ///
    /// # Errors
    /// When the rate cannot be converted to 16 kHz.
    pub fn new(rate: usize, motion: Box<dyn Motion>, fps: u32) -> Result<Self, RateError> {
        Ok(Self::through(Resampler::new(rate, RATE, 1)?, motion, fps))
    }

    /// The same for live sound: frames come 2 ms after their last sample rather than up to 100 ms, through a shorter filter
    /// (which keeps less of the band next to 8 kHz), if the sound is pushed in multiples of 5 ms.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn live(rate: usize, motion: Box<dyn Motion>, fps: u32) -> Result<Self, RateError> {
        Ok(Self::through(Resampler::low_delay(rate, RATE, 1)?, motion, fps))
    }

    fn through(resampler: Resampler, motion: Box<dyn Motion>, fps: u32) -> Self {
        Self {
            resampler,
            motion,
            tween: Tween::new(fps),
            samples: 0,
            pcm: Vec::new(),
            ready: VecDeque::new(),
            hearing: StageTimes::new(),
            moving: StageTimes::new(),
            spent: [Duration::ZERO; 2],
            clock: Clock::default(),
        }
    }

    /// Who tells the time, for [`Self::hearing`] and [`Self::moving`].
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Turns to another mood, within `ease` from the next frame on.
    pub fn set_mood(&mut self, mood: &Mood, ease: Duration) {
        self.motion.set_mood(mood, ease);
    }

    /// Takes back what was heard and not yet shown, as if it had been silence.
    pub fn forget(&mut self) {
        self.resampler.forget();
        self.motion.forget();
    }

    /// Hears the next samples.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn push(&mut self, mono: &[f32]) -> Result<(), ComputeError> {
        self.hear(|resampler, pcm| resampler.push(mono, |samples| pcm.extend_from_slice(samples)))
    }

    /// Ends the stream: everything that still waits for later sound becomes ready, as if silence followed.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn finish(&mut self) -> Result<(), ComputeError> {
        self.hear(|resampler, pcm| resampler.finish(|samples| pcm.extend_from_slice(samples)))?;
        self.motion.finish(&mut |frame| self.tween.push(frame, &mut self.ready))?;
        self.tween.finish(self.samples, &mut self.ready);
        Ok(())
    }

    /// The next frame that is ready, in order.
    pub fn next_frame(&mut self) -> Option<MotionFrame> {
        self.ready.pop_front()
    }

    /// Samples at 16 kHz after a frame's own that are heard before it is decided, beside what the resampler holds back.
    pub fn delay(&self) -> usize {
        self.motion.delay()
    }

    fn hear(&mut self, resample: impl FnOnce(&mut Resampler, &mut Vec<f32>)) -> Result<(), ComputeError> {
        let Self { resampler, motion, tween, samples, pcm, ready, hearing, moving, spent, clock } = self;
        let mut before = clock.now();
        let mut lap = |spent: &mut Duration| {
            let now = clock.now();
            *spent += now - std::mem::replace(&mut before, now);
        };
        pcm.clear();
        resample(resampler, pcm);
        *samples += pcm.len() as u64;
        lap(&mut spent[0]);
        // Samples of a frame decide one frame at most.
        for samples in pcm.chunks(SAMPLES_PER_FRAME) {
            let mut decided = false;
            motion.hear(samples, &mut |frame| {
                decided = true;
                tween.push(frame, ready);
            })?;
            lap(&mut spent[usize::from(decided)]);
            if decided {
                hearing.record(std::mem::take(&mut spent[0]));
                moving.record(std::mem::take(&mut spent[1]));
            }
        }
        Ok(())
    }
}

/// Brings motion frames at 25 Hz to another frame rate, by interpolating coefficients.
///
/// A frame stands for the middle of the time it is shown; see [`Drive::between`].
struct Tween {
    fps: u32,
    /// The last motion frames, oldest first; at most four, the newest has number `newest`.
    window: VecDeque<MotionFrame>,
    /// Number of the next output frame.
    next: u64,
}

impl Tween {
    fn new(fps: u32) -> Self {
        Self { fps, window: VecDeque::with_capacity(5), next: 0 }
    }

    /// Where output frame `index` lies on the scale of motion frames: whole part and fraction.
    fn position(&self, index: u64) -> (i64, f32) {
        // (index + ½) · 25 / fps − ½, in integers.
        let twice = (2 * index as i64 + 1) * i64::from(MOTION_FPS) - i64::from(self.fps);
        let scale = 2 * i64::from(self.fps);
        (twice.div_euclid(scale), twice.rem_euclid(scale) as f32 / scale as f32)
    }

    fn push(&mut self, frame: MotionFrame, ready: &mut VecDeque<MotionFrame>) {
        if self.window.len() == 4 {
            self.window.pop_front();
        }
        let newest = frame.index as i64;
        self.window.push_back(frame);
        loop {
            let (whole, fraction) = self.position(self.next);
            // A frame in between needs two motion frames to either side for its slopes.
            let needed = if fraction == 0.0 { whole } else { whole + 2 };
            if needed > newest {
                return;
            }
            ready.push_back(self.frame(whole, fraction));
        }
    }

    fn finish(&mut self, samples: u64, ready: &mut VecDeque<MotionFrame>) {
        let total = (samples * u64::from(self.fps)).div_ceil(RATE as u64);
        while self.next < total && !self.window.is_empty() {
            let (whole, fraction) = self.position(self.next);
            ready.push_back(self.frame(whole, fraction));
        }
        self.window.clear();
        self.next = 0;
    }

    fn frame(&mut self, whole: i64, fraction: f32) -> MotionFrame {
        let first = self.window[0].index as i64;
        let last = first + self.window.len() as i64 - 1;
        // Before the first and after the last frame the face holds still.
        let at = |n: i64| &self.window[(n.clamp(first, last) - first) as usize];
        let four = [at(whole - 1), at(whole), at(whole + 1), at(whole + 2)];
        let frame = MotionFrame { index: self.next, drive: Drive::between(four.map(|f| &f.drive), fraction) };
        self.next += 1;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avatar::{EXPRESSION, POSE};

    fn motion(index: u64, value: f32) -> MotionFrame {
        MotionFrame { index, drive: Drive::new(&[value; EXPRESSION], &[-value; POSE]) }
    }

    fn tween(fps: u32, values: &[f32], samples: u64) -> Vec<MotionFrame> {
        let (mut tween, mut ready) = (Tween::new(fps), VecDeque::new());
        for (i, &value) in values.iter().enumerate() {
            tween.push(motion(i as u64, value), &mut ready);
        }
        tween.finish(samples, &mut ready);
        ready.into()
    }

    #[test]
    fn at_25_fps_frames_pass_through_at_once() {
        let (mut tween, mut ready) = (Tween::new(25), VecDeque::new());
        for i in 0..10 {
            tween.push(motion(i, i as f32 * 0.1), &mut ready);
            let frame = ready.pop_front().expect("no frame waits for a later one");
            let Drive { beta, pose, .. } = frame.drive;
            assert_eq!((frame.index, beta[3], pose[1]), (i, i as f32 * 0.1, i as f32 * -0.1));
        }
        tween.finish(6400, &mut ready);
        assert!(ready.is_empty());
    }

    #[test]
    fn every_rate_gives_a_frame_for_every_moment() {
        let values: Vec<f32> = (0..26).map(|i| i as f32 / 25.0).collect();
        for fps in FRAME_RATES {
            let frames = tween(fps, &values, 16_001);
            assert_eq!(frames.len() as u32, fps + 1, "{fps}");
            for (index, frame) in frames.iter().enumerate() {
                assert_eq!(frame.index, index as u64);
                let want = (index as f32 + 0.5) / fps as f32 - 0.02;
                // A ramp stays a ramp; next to the first and the last motion frame the curve eases into holding still.
                let tolerance = if (0.04..0.96).contains(&want) { 1e-5 } else { 0.01 };
                let error = (frame.drive.beta[0] - want.clamp(0.0, 1.0)).abs();
                assert!(error < tolerance, "{fps} fps, frame {index}: {} is not {want}", frame.drive.beta[0]);
            }
        }
    }

    #[test]
    fn curves_stay_between_their_frames() {
        let values = [0.0, 0.0, 1.0, 0.2, 0.2, 0.9, 0.0, 0.0];
        for fps in [30, 50, 60] {
            for frame in tween(fps, &values, values.len() as u64 * 640) {
                assert!((0.0..=1.0).contains(&frame.drive.beta[0]));
                let (whole, _) = Tween::new(fps).position(frame.index);
                let at = |n: i64| values[n.clamp(0, 7) as usize];
                let (a, b) = (at(whole), at(whole + 1));
                assert!(frame.drive.beta[0] >= a.min(b) && frame.drive.beta[0] <= a.max(b));
            }
        }
    }
}
