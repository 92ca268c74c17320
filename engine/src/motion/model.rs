//! The motion stream: mel columns in, coefficients and head motion out.

use std::collections::VecDeque;

use super::eac::{self, COLUMNS, EMOTION, EXPRESSION, EacConfig, EacTensors, EacWeights, Head, TOKEN};
use super::idle::{Idle, IdleFrame};
use crate::audio::{MELS, silent_column};
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder};
use crate::emotion::Emotion;
use crate::weights::{WeightError, WeightReader};

/// The largest look-ahead, in frames.
pub const LOOK_AHEAD_MAX: usize = 5;

/// Coefficients of the lids, where idle motion and emotion compete and the more closed one wins.
const BLINKS: [usize; 2] = [0, 7];
/// Widened eyes, each six places after its blink: a wide eye must still close.
const WIDE_AFTER_BLINK: usize = 6;

/// How a stream is set up.
#[derive(Clone, Copy, Debug)]
pub struct MotionSettings {
    /// Frames of audio that are heard before a frame is decided, 0…[`LOOK_AHEAD_MAX`].
    pub look_ahead: usize,
    /// Emotion at the start.
    pub emotion: Emotion,
    /// Its intensity μ, 1…3.
    pub intensity: f32,
    /// Seed of the idle motion.
    pub seed: u64,
}

/// What the face does in one 40 ms frame.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionFrame {
    /// Frame number: the frame covers samples 640·index … 640·(index + 1).
    pub index: u64,
    /// Expression coefficients, in the face model's order, each 0…1.
    pub beta: [f32; EXPRESSION],
    /// Head motion relative to the bust: pitch, yaw, roll in radians, then x, y, z in metres.
    pub pose: [f32; 6],
}

/// EAC and idle motion as one stream.
#[derive(Debug)]
pub struct MotionModel {
    executor: Executor,
    tensors: EacTensors,
    config: EacConfig,
    look_ahead: usize,
    emotions: Vec<f32>,
    idle: Idle,
    /// The newest mel columns, as many as a window needs.
    columns: VecDeque<[f32; MELS]>,
    /// Idle motion of frames that wait for their look-ahead.
    waiting: VecDeque<IdleFrame>,
    window: Vec<f32>,
    next: u64,
}

impl MotionModel {
    /// Loads the shipped network from `weights` (eac.safetensors) and records its plan.
    ///
    /// # Errors
    /// A tensor is missing, mis-shaped or unused.
    ///
    /// # Panics
    /// Where `settings.look_ahead` exceeds [`LOOK_AHEAD_MAX`]; callers check what users give.
    pub fn new(compute: &Compute, mut weights: WeightReader, settings: MotionSettings) -> Result<Self, WeightError> {
        assert!(settings.look_ahead <= LOOK_AHEAD_MAX, "look-ahead is at most {LOOK_AHEAD_MAX} frames");
        let config = EacConfig::SHIPPED;
        let eac_weights = EacWeights::take(&mut weights, "", config)?;
        weights.finish()?;
        let mut plan = PlanBuilder::new("EAC");
        let tensors = eac::record(&mut plan, &eac_weights, 1, Head::LookAhead(settings.look_ahead), false);
        let executor = compute.executor(plan.finish());
        let held = config.tokens * 4 + COLUMNS - 4;
        let mut model = Self {
            executor,
            tensors,
            config,
            look_ahead: settings.look_ahead,
            emotions: eac_weights.emotions,
            idle: Idle::new(settings.seed),
            columns: std::iter::repeat_n(silent_column(), held).collect(),
            waiting: VecDeque::with_capacity(LOOK_AHEAD_MAX + 1),
            window: Vec::with_capacity(config.tokens * TOKEN),
            next: 0,
        };
        model.set_emotion(settings.emotion, settings.intensity);
        Ok(model)
    }

    /// Frames of audio heard before a frame is decided.
    pub fn look_ahead(&self) -> usize {
        self.look_ahead
    }

    /// Changes the emotion from the next frame on; `intensity` is μ of paper A, 1…3.
    pub fn set_emotion(&mut self, emotion: Emotion, intensity: f32) {
        let code = &self.emotions[emotion.index() * EMOTION..][..EMOTION];
        self.executor.write(self.tensors.emotion, code);
        self.executor.write(self.tensors.mu, &[intensity]);
    }

    /// Hears one frame's four mel columns (normalised, oldest first). Returns the frame that became decidable: the one `look_ahead` before.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn push(&mut self, columns: &[[f32; MELS]; 4]) -> Result<Option<MotionFrame>, ComputeError> {
        for column in columns {
            self.columns.pop_front();
            self.columns.push_back(*column);
        }
        self.waiting.push_back(self.idle.step(columns));
        if self.waiting.len() <= self.look_ahead {
            return Ok(None);
        }
        self.window.clear();
        for token in 0..self.config.tokens {
            for column in self.columns.range(token * 4..token * 4 + COLUMNS) {
                self.window.extend_from_slice(column);
            }
        }
        self.executor.write(self.tensors.columns, &self.window);
        self.executor.run()?;
        let idle = self.waiting.pop_front().expect("one was pushed above");
        let mut beta = idle.beta;
        for (i, (b, heard)) in beta.iter_mut().zip(self.executor.read::<f32>(self.tensors.beta)).enumerate() {
            let sum = if BLINKS.contains(&i) { b.max(*heard) } else { *b + heard };
            *b = sum.clamp(0.0, 1.0);
        }
        for blink in BLINKS {
            beta[blink + WIDE_AFTER_BLINK] *= 1.0 - beta[blink];
        }
        let frame = MotionFrame { index: self.next, beta, pose: idle.pose };
        self.next += 1;
        Ok(Some(frame))
    }

    /// The frames that still wait at the end of a stream, decided as if silence followed.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn flush(&mut self) -> Result<Vec<MotionFrame>, ComputeError> {
        let mut frames = Vec::with_capacity(self.look_ahead);
        // One silence a frame of look-ahead, however few frames were heard.
        for _ in 0..self.look_ahead {
            frames.extend(self.push(&[silent_column(); 4])?);
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOK_AHEAD_MAX, MotionModel, MotionSettings};
    use crate::assets::Assets;
    use crate::audio::silent_column;
    use crate::compute::Compute;
    use crate::emotion::Emotion;

    #[test]
    fn every_frame_heard_comes_out_at_every_look_ahead() {
        for look_ahead in 0..=LOOK_AHEAD_MAX {
            for heard in [1, 2, 7] {
                let weights = Assets::embedded().weights("eac.safetensors").unwrap();
                let settings = MotionSettings { look_ahead, emotion: Emotion::Neutral, intensity: 1.0, seed: 1 };
                let mut model = MotionModel::new(&Compute::Cpu, weights, settings).unwrap();
                let mut frames = Vec::new();
                for _ in 0..heard {
                    frames.extend(model.push(&[silent_column(); 4]).unwrap());
                }
                frames.extend(model.flush().unwrap());
                let indices: Vec<u64> = frames.iter().map(|f| f.index).collect();
                assert_eq!(indices, (0..heard).collect::<Vec<u64>>(), "look-ahead {look_ahead}");
            }
        }
    }
}
