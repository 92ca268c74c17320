//! The jaw by loudness, as many programs move it: what a network is measured against, and what is left to a machine that has no time for one.

use std::time::Duration;

use super::idle::Idle;
use super::{Motion, MotionSource};
use crate::audio::{COLUMNS_PER_FRAME, LogMel, MELS, REACH};
use crate::avatar::EXPRESSION;
use crate::compute::{ComputeError, PlanError};
use crate::drive::{Drive, MotionFrame};
use crate::emotion::{Emotion, EmotionTable, Mood, SPACE};

/// jawOpen.
const JAW: usize = 17;
/// How open the jaw is where the voice is loudest.
const OPEN: f32 = 0.45;
/// Bands from about 150 Hz to 4 kHz, where voices are.
const VOICE: std::ops::Range<usize> = 4..56;
/// How far above the background a voice begins, and how far from there to the loudest; a difference of 1 in normalised log-mel is 17 dB.
const BEGINS: f32 = 0.35;
const LOUDEST: f32 = 1.4;
/// The share of the way to the new value that a frame goes, where the jaw opens and where it shuts.
const OPENS: f32 = 0.7;
const SHUTS: f32 = 0.5;
/// The background rises by this share of what is above it, and falls at once.
const RISES: f32 = 0.004;

/// Needs no weights and shows no emotion.
#[derive(Clone, Debug)]
pub struct Volume {
    emotions: EmotionTable,
}

impl Default for Volume {
    fn default() -> Self {
        Self { emotions: EmotionTable::new(&[0.0; SPACE * Emotion::ALL.len()]) }
    }
}

impl MotionSource for Volume {
    fn emotions(&self) -> &EmotionTable {
        &self.emotions
    }

    fn open(&self, _: &Mood, seed: u64) -> Result<Box<dyn Motion>, PlanError> {
        Ok(Box::new(VolumeStream::new(seed)))
    }
}

/// A stream of [`Volume`], with idle motion.
#[derive(Debug)]
pub struct VolumeStream {
    mel: LogMel,
    columns: Vec<[f32; MELS]>,
    idle: Idle,
    floor: f32,
    open: f32,
    next: u64,
}

impl VolumeStream {
    /// At its start; `seed` is the idle motion's.
    pub fn new(seed: u64) -> Self {
        let columns = Vec::with_capacity(COLUMNS_PER_FRAME);
        Self { mel: LogMel::new(), columns, idle: Idle::new(seed), floor: 0.0, open: 0.0, next: 0 }
    }

    fn step(&mut self, columns: &[[f32; MELS]; COLUMNS_PER_FRAME]) -> MotionFrame {
        let bands = (COLUMNS_PER_FRAME * VOICE.len()) as f32;
        let level = columns.iter().flat_map(|column| &column[VOICE]).sum::<f32>() / bands;
        self.floor = level.min(self.floor + (level - self.floor) * RISES);
        let loud = ((level - self.floor - BEGINS) / LOUDEST).clamp(0.0, 1.0);
        self.open += (loud - self.open) * if loud > self.open { OPENS } else { SHUTS };
        let idle = self.idle.step(columns);
        let mut beta: [f32; EXPRESSION] = idle.beta.map(|b| b.clamp(0.0, 1.0));
        beta[JAW] = (beta[JAW] + OPEN * self.open).min(1.0);
        let frame = MotionFrame { index: self.next, drive: Drive::new(&beta, &idle.pose) };
        self.next += 1;
        frame
    }

    fn steps(&mut self, decided: &mut dyn FnMut(MotionFrame)) {
        let mut heard = std::mem::take(&mut self.columns);
        let (frames, _) = heard.as_chunks();
        frames.iter().for_each(|columns| decided(self.step(columns)));
        heard.drain(..COLUMNS_PER_FRAME * frames.len());
        self.columns = heard;
    }
}

impl Motion for VolumeStream {
    fn delay(&self) -> usize {
        REACH
    }

    fn set_mood(&mut self, _: &Mood, _: Duration) {}

    fn hear(&mut self, samples: &[f32], decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let Self { mel, columns, .. } = self;
        mel.push(samples, |column| columns.push(*column));
        self.steps(decided);
        Ok(())
    }

    fn forget(&mut self) {
        self.mel.forget();
        self.columns.iter_mut().for_each(|column| *column = crate::audio::silent_column());
        self.open = 0.0;
    }

    fn finish(&mut self, decided: &mut dyn FnMut(MotionFrame)) -> Result<(), ComputeError> {
        let Self { mel, columns, .. } = self;
        mel.finish(|column| columns.push(*column));
        self.steps(decided);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How open the jaw is in each frame.
    fn jaws(samples: &[f32], block: usize) -> Vec<f32> {
        let (mut stream, mut jaws) = (VolumeStream::new(1), Vec::new());
        let mut decided = |frame: MotionFrame| {
            assert_eq!(frame.index, jaws.len() as u64);
            jaws.push(frame.drive.beta[JAW]);
        };
        for samples in samples.chunks(block) {
            stream.hear(samples, &mut decided).unwrap();
        }
        stream.finish(&mut decided).unwrap();
        jaws
    }

    #[test]
    fn the_jaw_opens_where_it_is_loud_and_shuts_where_it_is_not() {
        let mut samples = vec![0.0; 16_000];
        // A sawtooth has partials in every band, as a voice has.
        samples.extend((0..16_000).map(|n| 0.6 * ((n as f32 * 0.0075).fract() - 0.5)));
        samples.extend([0.0; 16_000]);
        let jaws = jaws(&samples, 777);
        assert_eq!(jaws.len(), 75);
        assert!(jaws[..20].iter().all(|jaw| *jaw < 0.02), "{jaws:?}");
        assert!(jaws[30..45].iter().all(|jaw| *jaw > 0.1), "{jaws:?}");
        assert!(jaws[65..].iter().all(|jaw| *jaw < 0.02), "{jaws:?}");
        assert_eq!(jaws, self::jaws(&samples, 16_001), "blocks of another size");
    }
}
