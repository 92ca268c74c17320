//! The motion stream: samples in, by log-mel columns; coefficients and head motion out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::eac::{self, COLUMNS, EacConfig, EacTensors, EacWeights, Head, TOKEN};
use super::idle::{Idle, IdleFrame};
use super::{Motion, MotionSource};
use crate::audio::{COLUMNS_PER_FRAME, LogMel, MELS, REACH, SAMPLES_PER_FRAME, silent_column};
use crate::compute::{Bindings, Compute, ComputeError, Executor, PlanBuilder, PlanError, Program};
use crate::drive::{Drive, MotionFrame};
use crate::emotion::{Eased, Emotion, EmotionTable, INTENSITY, Mood};
use crate::weights::{WeightError, WeightReader};

/// The largest look-ahead, in frames.
pub const LOOK_AHEAD_MAX: usize = 5;

/// Coefficients of the lids, where idle motion and emotion compete and the more closed one wins.
const BLINKS: [usize; 2] = [0, 7];
/// Widened eyes, each six places after its blink: a wide eye must still close.
const WIDE_AFTER_BLINK: usize = 6;

/// The shipped network on a backend, for one look-ahead. Any number of streams share its weights.
#[derive(Clone, Debug)]
pub struct MotionNetwork {
    program: Program,
    tensors: EacTensors,
    config: EacConfig,
    look_ahead: usize,
    emotions: EmotionTable,
    /// (width): see [`EacWeights::strength`].
    strength: Arc<[f32]>,
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
        let program = compute.program(plan.finish()?);
        let emotions = EmotionTable::new(&eac_weights.emotions);
        Ok(Self { program, tensors, config, look_ahead, emotions, strength: eac_weights.strength().into() })
    }

    /// Where the emotions that have a name lie for this network.
    pub fn emotions(&self) -> &EmotionTable {
        &self.emotions
    }

    /// σ̂ of a face at rest: what the network gives in silence, for neutral and the least μ. A picture of a face of which nothing is heard has it.
    ///
    /// # Errors
    /// The GPU was lost.
    pub fn rest_sigma(&self) -> Result<f32, ComputeError> {
        let mood = self.emotions.mood(Emotion::Neutral, *INTENSITY.start()).expect("weights are finite");
        let mut stream = self.stream(&mood, 0)?;
        loop {
            if let Some(frame) = stream.step(&[silent_column(); COLUMNS_PER_FRAME])? {
                return Ok(frame.drive.sigma);
            }
        }
    }

    /// A new stream, which begins in `mood`; `seed` is the idle motion's.
    ///
    /// # Errors
    /// A mistake in the recording.
    pub fn stream(&self, mood: &Mood, seed: u64) -> Result<MotionModel, PlanError> {
        let mut model = MotionModel {
            executor: self.program.executor(&Bindings::default())?,
            network: self.clone(),
            mel: LogMel::new(),
            heard: Vec::with_capacity(COLUMNS_PER_FRAME),
            mood: Eased::new(*mood),
            idle: Idle::new(seed),
            columns: std::iter::repeat_n(silent_column(), self.config.tokens * 4 + COLUMNS - 4).collect(),
            waiting: VecDeque::with_capacity(LOOK_AHEAD_MAX + 1),
            window: Vec::with_capacity(self.config.tokens * TOKEN),
            next: 0,
        };
        model.write_mood()?;
        Ok(model)
    }
}

impl MotionSource for MotionNetwork {
    fn emotions(&self) -> &EmotionTable {
        &self.emotions
    }

    fn open(&self, mood: &Mood, seed: u64) -> Result<Box<dyn Motion>, PlanError> {
        Ok(Box::new(self.stream(mood, seed)?))
    }
}

/// Log-mel, EAC and idle motion as one stream.
#[derive(Debug)]
pub struct MotionModel {
    executor: Executor,
    network: MotionNetwork,
    mel: LogMel,
    /// Columns of a frame that is not complete.
    heard: Vec<[f32; MELS]>,
    mood: Eased,
    idle: Idle,
    /// The newest mel columns, as many as a window needs.
    columns: VecDeque<[f32; MELS]>,
    /// Idle motion of frames that wait for their look-ahead.
    waiting: VecDeque<IdleFrame>,
    window: Vec<f32>,
    next: u64,
}

impl MotionModel {
    fn write_mood(&mut self) -> Result<(), PlanError> {
        let mood = self.mood.now();
        self.executor.write(self.network.tensors.emotion, mood.z())?;
        self.executor.write(self.network.tensors.mu, &[mood.mu()])
    }
    /// Hears a frame's columns (normalised, oldest first), and gives the frame that this decides: the one `look_ahead` before.
    fn step(&mut self, columns: &[[f32; MELS]; COLUMNS_PER_FRAME]) -> Result<Option<MotionFrame>, ComputeError> {
        for column in columns {
            self.columns.pop_front();
            self.columns.push_back(*column);
        }
        self.waiting.push_back(self.idle.step(columns));
        if self.waiting.len() <= self.network.look_ahead {
            return Ok(None);
        }
        if self.mood.step() {
            self.write_mood()?;
        }
        self.window.clear();
        for token in 0..self.network.config.tokens {
            for column in self.columns.range(token * 4..token * 4 + COLUMNS) {
                self.window.extend_from_slice(column);
            }
        }
        self.executor.write(self.network.tensors.columns, &self.window)?;
        self.executor.run()?;
        let idle = self.waiting.pop_front().expect("one was pushed above");
        let mut beta = idle.beta;
        let heard = self.executor.read::<f32>(self.network.tensors.beta)?;
        for (i, (b, heard)) in beta.iter_mut().zip(heard).enumerate() {
            let sum = if BLINKS.contains(&i) { b.max(*heard) } else { *b + heard };
            *b = sum.clamp(0.0, 1.0);
        }
        for blink in BLINKS {
            beta[blink + WIDE_AFTER_BLINK] *= 1.0 - beta[blink];
        }
        let token = self.executor.read::<f32>(self.network.tensors.sigma)?;
        let sigma = token.iter().zip(&*self.network.strength).map(|(t, s)| t * s).sum();
        let frame = MotionFrame { index: self.next, drive: Drive { beta, pose: idle.pose, sigma } };
        self.next += 1;
        Ok(Some(frame))
    }

    /// Hears what columns there are, frame by frame.
    fn steps(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let mut heard = std::mem::take(&mut self.heard);
        let (frames, _) = heard.as_chunks();
        for columns in frames {
            if let Some(frame) = self.step(columns)? {
                decided(frame);
            }
        }
        heard.drain(..COLUMNS_PER_FRAME * frames.len());
        self.heard = heard;
        Ok(())
    }
}

impl Motion for MotionModel {
    fn delay(&self) -> usize {
        SAMPLES_PER_FRAME * self.network.look_ahead + REACH
    }

    fn set_mood(&mut self, mood: &Mood, ease: Duration) {
        self.mood.turn(*mood, ease);
    }

    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let Self { mel, heard, .. } = self;
        mel.push(samples, |column| heard.push(*column));
        self.steps(decided)
    }

    fn forget(&mut self) {
        self.mel.forget();
        self.heard.iter_mut().for_each(|column| *column = silent_column());
        self.columns.iter_mut().for_each(|column| *column = silent_column());
    }

    fn finish(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let Self { mel, heard, .. } = self;
        mel.finish(|column| heard.push(*column));
        self.steps(decided)?;
        // One silence a frame of look-ahead, however few frames were heard.
        for _ in 0..self.network.look_ahead {
            if let Some(frame) = self.step(&[silent_column(); COLUMNS_PER_FRAME])? {
                decided(frame);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LOOK_AHEAD_MAX, MotionFrame, MotionModel, MotionNetwork};
    use crate::audio::{SAMPLES_PER_FRAME, silent_column};
    use crate::compute::Compute;
    use crate::emotion::{EASE, Emotion};
    use crate::motion::Motion as _;
    use crate::shipped;

    #[test]
    fn every_frame_heard_comes_out_at_every_look_ahead() {
        for look_ahead in 0..=LOOK_AHEAD_MAX {
            for heard in [1, 2, 7] {
                let mut model = stream(look_ahead, Emotion::Neutral, 1.0);
                let mut indices = Vec::new();
                // A frame that has only begun counts.
                model.hear(&vec![0.0; SAMPLES_PER_FRAME * heard - 3], &mut |frame| indices.push(frame.index)).unwrap();
                model.finish(&mut |frame| indices.push(frame.index)).unwrap();
                assert_eq!(indices, (0..heard as u64).collect::<Vec<u64>>(), "look-ahead {look_ahead}");
            }
        }
    }

    #[test]
    fn a_frame_is_decided_with_the_sample_that_the_delay_says() {
        for look_ahead in 0..=LOOK_AHEAD_MAX {
            let mut model = stream(look_ahead, Emotion::Neutral, 1.0);
            let (mut decided, delay) = (0, model.delay());
            for (samples, want) in [(SAMPLES_PER_FRAME + delay - 1, 0), (1, 1), (SAMPLES_PER_FRAME - 1, 1), (1, 2)] {
                model.hear(&vec![0.0; samples], &mut |_| decided += 1).unwrap();
                assert_eq!(decided, want, "look-ahead {look_ahead}");
            }
        }
    }

    fn stream(look_ahead: usize, emotion: Emotion, mu: f32) -> MotionModel {
        let network = MotionNetwork::load(&Compute::Cpu, shipped::weights("eac.safetensors"), look_ahead).unwrap();
        network.stream(&network.emotions().mood(emotion, mu).unwrap(), 1).unwrap()
    }

    fn model(emotion: Emotion) -> MotionModel {
        stream(2, emotion, 2.0)
    }

    #[test]
    fn a_changed_emotion_arrives_gradually_and_fully() {
        let (mut changed, mut always) = (model(Emotion::Neutral), model(Emotion::Happy));
        let smile = |frame: Option<MotionFrame>| frame.map(|f| f.drive.beta[23]);
        for _ in 0..4 {
            changed.step(&[silent_column(); 4]).unwrap();
            always.step(&[silent_column(); 4]).unwrap();
        }
        let happy = changed.network.emotions().mood(Emotion::Happy, 2.0).unwrap();
        changed.set_mood(&happy, EASE);
        let pairs: Vec<(f32, f32)> = (0..10)
            .map(|_| {
                let changed = smile(changed.step(&[silent_column(); 4]).unwrap()).unwrap();
                (changed, smile(always.step(&[silent_column(); 4]).unwrap()).unwrap())
            })
            .collect();
        let (first, last) = (pairs[0], pairs[9]);
        assert!(first.0 < 0.7 * first.1, "the first frame already smiles {} of {}", first.0, first.1);
        assert!((last.0 - last.1).abs() < 1e-4, "after the glide {} is not {}", last.0, last.1);
    }

    #[test]
    fn without_an_ease_the_next_frame_is_there_to_the_bit() {
        let (mut changed, mut always) = (model(Emotion::Neutral), model(Emotion::Happy));
        for _ in 0..4 {
            changed.step(&[silent_column(); 4]).unwrap();
            always.step(&[silent_column(); 4]).unwrap();
        }
        let happy = changed.network.emotions().mood(Emotion::Happy, 2.0).unwrap();
        changed.set_mood(&happy, Duration::ZERO);
        for _ in 0..3 {
            let [a, b] = [&mut changed, &mut always].map(|model| model.step(&[silent_column(); 4]).unwrap());
            assert_eq!(a, b);
        }
    }

    #[test]
    fn a_stronger_mood_has_a_larger_sigma_and_rest_is_the_least() {
        let sigma = |emotion, mu| {
            let mut model = stream(0, emotion, mu);
            model.step(&[silent_column(); 4]).unwrap().unwrap().drive.sigma
        };
        for emotion in Emotion::ALL {
            let [natural, strong, strongest] = [1.0, 2.0, 3.0].map(|mu| sigma(emotion, mu));
            assert!(natural < strong && strong < strongest, "{emotion}: {natural} {strong} {strongest}");
        }
        let network = stream(2, Emotion::Sad, 3.0).network;
        assert_eq!(network.rest_sigma().unwrap(), sigma(Emotion::Neutral, 1.0));
    }

    #[test]
    fn what_was_forgotten_has_no_effect() {
        let noise: [[f32; 80]; 4] =
            std::array::from_fn(|c| std::array::from_fn(|m| 0.5 + 0.4 * ((c * 7 + m * 3) as f32).sin()));
        let (mut forgets, mut silent) = (model(Emotion::Neutral), model(Emotion::Neutral));
        for _ in 0..20 {
            forgets.step(&noise).unwrap();
            silent.step(&[silent_column(); 4]).unwrap();
        }
        forgets.forget();
        let a = forgets.step(&[silent_column(); 4]).unwrap().unwrap();
        let b = silent.step(&[silent_column(); 4]).unwrap().unwrap();
        // The mouth; idle motion has heard the voice and may nod.
        assert_eq!(a.drive.beta[24..41], b.drive.beta[24..41]);
    }
}
