//! The motion stream: mel columns in, coefficients and head motion out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Motion;
use super::eac::{self, COLUMNS, EMOTION, EXPRESSION, EacConfig, EacTensors, EacWeights, Head, TOKEN};
use super::idle::{Idle, IdleFrame};
use crate::audio::{MELS, silent_column};
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder, Program};
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

/// Frames that a change of emotion takes: 320 ms, so that a face changes its mind instead of jumping.
const GLIDE: u32 = 8;

/// The shipped network on a backend, for one look-ahead. Any number of streams share its weights.
#[derive(Clone, Debug)]
pub struct MotionNetwork {
    program: Program,
    tensors: EacTensors,
    config: EacConfig,
    look_ahead: usize,
    emotions: Arc<[f32]>,
}

impl MotionNetwork {
    /// Loads the network from `weights` (eac.safetensors) and records its plan.
    ///
    /// # Errors
    /// A tensor is missing, mis-shaped or unused.
    ///
    /// # Panics
    /// Where `look_ahead` exceeds [`LOOK_AHEAD_MAX`]; callers check what users give.
    pub fn load(compute: &Compute, mut weights: WeightReader, look_ahead: usize) -> Result<Self, WeightError> {
        assert!(look_ahead <= LOOK_AHEAD_MAX, "look-ahead is at most {LOOK_AHEAD_MAX} frames");
        let config = EacConfig::SHIPPED;
        let eac_weights = EacWeights::take(&mut weights, "", config)?;
        weights.finish()?;
        let mut plan = PlanBuilder::new("EAC");
        let tensors = eac::record(&mut plan, &eac_weights, 1, Head::LookAhead(look_ahead), false);
        let program = compute.program(plan.finish());
        Ok(Self { program, tensors, config, look_ahead, emotions: eac_weights.emotions.into() })
    }

    /// A new stream. `intensity` is μ of paper A, 1…3; `seed` is the idle motion's.
    pub fn stream(&self, emotion: Emotion, intensity: f32, seed: u64) -> MotionModel {
        let mood = Mood::of(self, emotion, intensity);
        let mut model = MotionModel {
            executor: self.program.executor(),
            network: self.clone(),
            now: mood.clone(),
            wanted: mood,
            glide: 0,
            idle: Idle::new(seed),
            columns: std::iter::repeat_n(silent_column(), self.config.tokens * 4 + COLUMNS - 4).collect(),
            waiting: VecDeque::with_capacity(LOOK_AHEAD_MAX + 1),
            window: Vec::with_capacity(self.config.tokens * TOKEN),
            next: 0,
        };
        model.write_mood();
        model
    }
}

/// What conditions the network: an emotion's code and μ.
#[derive(Clone, Debug)]
struct Mood {
    code: Vec<f32>,
    intensity: f32,
}

impl Mood {
    fn of(network: &MotionNetwork, emotion: Emotion, intensity: f32) -> Self {
        Self { code: network.emotions[emotion.index() * EMOTION..][..EMOTION].to_vec(), intensity }
    }

    /// Goes a share of the way to `other`. Training has seen blends of emotions.
    fn approach(&mut self, other: &Self, share: f32) {
        for (at, to) in self.code.iter_mut().zip(&other.code) {
            *at += (to - *at) * share;
        }
        self.intensity += (other.intensity - self.intensity) * share;
    }
}

/// EAC and idle motion as one stream.
#[derive(Debug)]
pub struct MotionModel {
    executor: Executor,
    network: MotionNetwork,
    now: Mood,
    wanted: Mood,
    /// Frames until `now` is `wanted`.
    glide: u32,
    idle: Idle,
    /// The newest mel columns, as many as a window needs.
    columns: VecDeque<[f32; MELS]>,
    /// Idle motion of frames that wait for their look-ahead.
    waiting: VecDeque<IdleFrame>,
    window: Vec<f32>,
    next: u64,
}

impl MotionModel {
    /// A stream with a network of its own: see [`MotionNetwork::load`] and [`MotionNetwork::stream`].
    ///
    /// # Errors
    /// As [`MotionNetwork::load`].
    ///
    /// # Panics
    /// As [`MotionNetwork::load`].
    pub fn new(compute: &Compute, weights: WeightReader, settings: MotionSettings) -> Result<Self, WeightError> {
        let network = MotionNetwork::load(compute, weights, settings.look_ahead)?;
        Ok(network.stream(settings.emotion, settings.intensity, settings.seed))
    }

    /// One step of a change of emotion.
    fn glide(&mut self) {
        if self.glide > 0 {
            self.now.approach(&self.wanted, 1.0 / self.glide as f32);
            self.glide -= 1;
            self.write_mood();
        }
    }

    fn write_mood(&mut self) {
        self.executor.write(self.network.tensors.emotion, &self.now.code);
        self.executor.write(self.network.tensors.mu, &[self.now.intensity]);
    }
}

impl Motion for MotionModel {
    fn look_ahead(&self) -> usize {
        self.network.look_ahead
    }

    fn set_emotion(&mut self, emotion: Emotion, intensity: f32) {
        self.wanted = Mood::of(&self.network, emotion, intensity);
        self.glide = GLIDE;
    }

    fn push(&mut self, columns: &[[f32; MELS]; 4]) -> Result<Option<MotionFrame>, ComputeError> {
        for column in columns {
            self.columns.pop_front();
            self.columns.push_back(*column);
        }
        self.waiting.push_back(self.idle.step(columns));
        if self.waiting.len() <= self.network.look_ahead {
            return Ok(None);
        }
        self.glide();
        self.window.clear();
        for token in 0..self.network.config.tokens {
            for column in self.columns.range(token * 4..token * 4 + COLUMNS) {
                self.window.extend_from_slice(column);
            }
        }
        self.executor.write(self.network.tensors.columns, &self.window);
        self.executor.run()?;
        let idle = self.waiting.pop_front().expect("one was pushed above");
        let mut beta = idle.beta;
        for (i, (b, heard)) in beta.iter_mut().zip(self.executor.read::<f32>(self.network.tensors.beta)).enumerate() {
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

    fn forget(&mut self) {
        self.columns.iter_mut().for_each(|column| *column = silent_column());
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOK_AHEAD_MAX, MotionModel, MotionSettings};
    use crate::assets::Assets;
    use crate::audio::silent_column;
    use crate::compute::Compute;
    use crate::emotion::Emotion;
    use crate::motion::Motion as _;

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

    fn model(emotion: Emotion) -> MotionModel {
        let weights = Assets::embedded().weights("eac.safetensors").unwrap();
        let settings = MotionSettings { look_ahead: 2, emotion, intensity: 2.0, seed: 1 };
        MotionModel::new(&Compute::Cpu, weights, settings).unwrap()
    }

    #[test]
    fn a_changed_emotion_arrives_gradually_and_fully() {
        let (mut changed, mut always) = (model(Emotion::Neutral), model(Emotion::Happy));
        let smile = |frame: Option<crate::motion::MotionFrame>| frame.map(|f| f.beta[23]);
        for _ in 0..4 {
            changed.push(&[silent_column(); 4]).unwrap();
            always.push(&[silent_column(); 4]).unwrap();
        }
        changed.set_emotion(Emotion::Happy, 2.0);
        let pairs: Vec<(f32, f32)> = (0..10)
            .map(|_| {
                let changed = smile(changed.push(&[silent_column(); 4]).unwrap()).unwrap();
                (changed, smile(always.push(&[silent_column(); 4]).unwrap()).unwrap())
            })
            .collect();
        let (first, last) = (pairs[0], pairs[9]);
        assert!(first.0 < 0.7 * first.1, "the first frame already smiles {} of {}", first.0, first.1);
        assert!((last.0 - last.1).abs() < 1e-4, "after the glide {} is not {}", last.0, last.1);
    }

    #[test]
    fn what_was_forgotten_has_no_effect() {
        let noise: [[f32; 80]; 4] =
            std::array::from_fn(|c| std::array::from_fn(|m| 0.5 + 0.4 * ((c * 7 + m * 3) as f32).sin()));
        let (mut forgets, mut silent) = (model(Emotion::Neutral), model(Emotion::Neutral));
        for _ in 0..20 {
            forgets.push(&noise).unwrap();
            silent.push(&[silent_column(); 4]).unwrap();
        }
        forgets.forget();
        let a = forgets.push(&[silent_column(); 4]).unwrap().unwrap();
        let b = silent.push(&[silent_column(); 4]).unwrap().unwrap();
        // The mouth; idle motion has heard the voice and may nod.
        assert_eq!(a.beta[24..41], b.beta[24..41]);
    }
}
