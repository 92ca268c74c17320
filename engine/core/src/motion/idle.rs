//! Idle motion: what a living face does whether or not it speaks. Head sway and nods coupled to the voice's stress, blinks, glances, breath.
//! No audio-to-3DMM network of the papers has it; every live user needs it. Seeded, so that a run can be repeated, and stepped once a motion
//! frame, so that it does not depend on block sizes.

use std::f32::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use crate::audio::MELS;
use crate::avatar::EXPRESSION;

/// Seconds of a motion frame.
const STEP_SECS: f32 = 0.04;
/// How closed the lid is in each frame of a blink: 80 ms down, 160 ms up, as people do.
const BLINK: [f32; 7] = [0.35, 0.95, 1.0, 0.85, 0.5, 0.22, 0.06];
/// No blink this soon after one.
const BLINK_REFRACTORY_SECS: f32 = 1.1;
/// Mean wait for a blink after that.
const BLINK_MEAN_SECS: f32 = 2.9;
/// Eye rotations of the face model at coefficient 1, radians: sideways 26°, down 20°, up 18°.
const LOOK_SIDE: f32 = 0.4538;
const LOOK_DOWN: f32 = 0.3491;
const LOOK_UP: f32 = 0.3142;

mod index {
    //! ARKit coefficients that idle motion moves; the right eye's are 7 further.
    pub(super) const BLINK: usize = 0;
    pub(super) const LOOK_DOWN: usize = 1;
    pub(super) const LOOK_IN: usize = 2;
    pub(super) const LOOK_OUT: usize = 3;
    pub(super) const LOOK_UP: usize = 4;
    pub(super) const RIGHT: usize = 7;
    pub(super) const BROW_INNER_UP: usize = 43;
    pub(super) const BROW_OUTER_UP: [usize; 2] = [44, 45];
}

/// A value that follows its target like a critically damped spring.
#[derive(Clone, Copy, Debug, Default)]
struct Spring {
    at: f32,
    speed: f32,
    target: f32,
}

impl Spring {
    fn step(&mut self, rate: f32) -> f32 {
        // The exact solution of x″ = −2ωx′ − ω²(x − target) over a step: stable at any rate.
        let offset = self.at - self.target;
        let drift = self.speed + rate * offset;
        let decay = (-rate * STEP_SECS).exp();
        self.at = self.target + (offset + drift * STEP_SECS) * decay;
        self.speed = (self.speed - rate * drift * STEP_SECS) * decay;
        self.at
    }
}

/// How loud the voice is, from the mel columns of each frame.
#[derive(Clone, Debug)]
struct Loudness {
    floor: f32,
    fast: f32,
    slow: f32,
    activity: f32,
}

impl Loudness {
    /// Takes a frame's four normalised log-mel columns; returns the stress (how far the voice rises above its recent mean, 0…1).
    fn step(&mut self, columns: &[[f32; MELS]; 4]) -> f32 {
        // Bands from about 150 Hz to 4 kHz, where voices are.
        let level = columns.iter().flat_map(|c| &c[4..56]).sum::<f32>() / (4.0 * 52.0);
        // The floor falls at once and rises slowly, so that it settles on the background.
        self.floor = if level < self.floor { level } else { self.floor + (level - self.floor) * 0.004 };
        // A difference of 1 in normalised log-mel is 17 dB of power.
        let above = ((level - self.floor - 0.35) / 0.9).clamp(0.0, 1.0);
        self.fast += (above - self.fast) * 0.45;
        self.slow += (above - self.slow) * 0.06;
        self.activity += (f32::from(above > 0.15) - self.activity) * 0.18;
        ((self.fast - self.slow) * 1.6).clamp(0.0, 1.0)
    }
}

/// What idle motion adds to a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct IdleFrame {
    /// Coefficients to add (blinks take the larger value instead).
    pub beta: [f32; EXPRESSION],
    /// Head motion relative to the bust: pitch, yaw, roll in radians, then metres.
    pub pose: [f32; 6],
}

/// The generator of idle motion.
#[derive(Clone, Debug)]
pub struct Idle {
    rng: Pcg32,
    frame: u64,
    loudness: Loudness,
    was_speaking: bool,
    head: [Spring; 3],
    nod: Spring,
    brow: Spring,
    turn_in: f32,
    blink_at: Option<usize>,
    blink_in: f32,
    gaze: [f32; 2],
    gaze_target: [f32; 2],
    glance_in: f32,
    breath_phase: f32,
}

impl Idle {
    /// A fresh generator.
    pub fn new(seed: u64) -> Self {
        let mut rng = Pcg32::seed_from_u64(seed);
        let breath_phase = rng.random::<f32>() * TAU;
        let blink_in = 0.6 + rng.random::<f32>() * 1.5;
        Self {
            rng,
            frame: 0,
            loudness: Loudness { floor: 0.0, fast: 0.0, slow: 0.0, activity: 0.0 },
            was_speaking: false,
            head: [Spring::default(); 3],
            nod: Spring::default(),
            brow: Spring::default(),
            turn_in: 0.0,
            blink_at: None,
            blink_in,
            gaze: [0.0; 2],
            gaze_target: [0.0; 2],
            glance_in: 0.8,
            breath_phase,
        }
    }

    /// A normal number: the sum of three uniform ones is close enough, and bounded, which a head wants.
    fn normal(&mut self) -> f32 {
        (self.rng.random::<f32>() + self.rng.random::<f32>() + self.rng.random::<f32>() - 1.5) * 2.0
    }

    /// An exponentially distributed time.
    fn wait(&mut self, mean_secs: f32) -> f32 {
        -(1.0 - self.rng.random::<f32>()).ln() * mean_secs
    }

    /// One motion frame further; `columns` are the frame's four normalised log-mel columns.
    pub fn step(&mut self, columns: &[[f32; MELS]; 4]) -> IdleFrame {
        let stress = self.loudness.step(columns);
        let speaking = self.loudness.activity > 0.4;
        let phrase_end = self.was_speaking && !speaking;
        self.was_speaking = speaking;

        let mut out = IdleFrame { beta: [0.0; EXPRESSION], pose: [0.0; 6] };
        self.head_motion(stress, &mut out);
        self.gaze(&mut out);
        self.blink(phrase_end, &mut out);
        self.brow.target = stress * 0.35;
        let brow = self.brow.step(9.0).max(0.0);
        out.beta[index::BROW_INNER_UP] += brow * 0.6;
        for side in index::BROW_OUTER_UP {
            out.beta[side] += brow;
        }
        self.frame += 1;
        out
    }

    fn head_motion(&mut self, stress: f32, out: &mut IdleFrame) {
        self.turn_in -= STEP_SECS;
        if self.turn_in <= 0.0 {
            let wide = 0.6 + self.loudness.activity;
            // Standard deviations of pitch, yaw, roll in degrees.
            for (axis, sd) in [0.9f32, 1.9, 0.9].into_iter().enumerate() {
                self.head[axis].target = (self.normal() * sd * wide).to_radians();
            }
            self.turn_in = 0.5 + self.wait(1.1 - 0.5 * self.loudness.activity);
        }
        for axis in 0..3 {
            out.pose[axis] = self.head[axis].step(2.6);
        }
        // Stressed syllables push the head down a little; it swings back by itself.
        self.nod.target = stress * 2.6f32.to_radians();
        out.pose[0] += self.nod.step(11.0);
        // 15 breaths a minute lift the head by a millimetre.
        let breath = (self.breath_phase + TAU * 0.25 * self.frame as f32 * STEP_SECS).sin();
        out.pose[0] -= breath * 0.25f32.to_radians();
        out.pose[4] = breath * 0.0008;
    }

    fn gaze(&mut self, out: &mut IdleFrame) {
        self.glance_in -= STEP_SECS;
        if self.glance_in <= 0.0 {
            let away = self.rng.random::<f32>() < 0.33;
            self.gaze_target = if away {
                [(self.normal() * 5.5).to_radians(), (self.normal() * 3.0 + 1.0).to_radians()]
            } else {
                // Fixating the viewer: the eyes still make tiny jumps between eye and mouth.
                [(self.normal() * 0.5).to_radians(), (self.normal() * 0.5).to_radians()]
            };
            self.glance_in = if away { 0.3 + self.wait(0.4) } else { 0.7 + self.wait(1.6) };
        }
        // A saccade takes 40–80 ms. The eyes also turn against the head, so that they stay on what they look at.
        for axis in 0..2 {
            self.gaze[axis] += (self.gaze_target[axis] - self.gaze[axis]) * 0.75;
        }
        let left = (self.gaze[0] - out.pose[1] * 0.85) / LOOK_SIDE; // towards the subject's left
        let down = self.gaze[1] - out.pose[0] * 0.85;
        for (side, sign) in [(0, 1.0), (index::RIGHT, -1.0)] {
            out.beta[side + index::LOOK_OUT] = (left * sign).clamp(0.0, 1.0);
            out.beta[side + index::LOOK_IN] = (-left * sign).clamp(0.0, 1.0);
            out.beta[side + index::LOOK_DOWN] = (down / LOOK_DOWN).clamp(0.0, 1.0);
            out.beta[side + index::LOOK_UP] = (-down / LOOK_UP).clamp(0.0, 1.0);
        }
    }

    fn blink(&mut self, phrase_end: bool, out: &mut IdleFrame) {
        if let Some(at) = self.blink_at {
            let lid = BLINK[at];
            out.beta[index::BLINK] = lid;
            out.beta[index::BLINK + index::RIGHT] = lid;
            self.blink_at = (at + 1 < BLINK.len()).then_some(at + 1);
            return;
        }
        self.blink_in -= STEP_SECS;
        // Many blinks fall on the end of a phrase.
        if phrase_end && self.rng.random::<f32>() < 0.5 {
            self.blink_in = self.blink_in.min(0.08);
        }
        if self.blink_in <= 0.0 {
            self.blink_at = Some(0);
            self.blink_in = BLINK_REFRACTORY_SECS + self.wait(BLINK_MEAN_SECS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLINK, Idle, IdleFrame, STEP_SECS};

    fn run(seed: u64, frames: usize) -> Vec<IdleFrame> {
        let mut idle = Idle::new(seed);
        // Speech-like: two seconds loud with syllables, one second quiet.
        (0..frames)
            .map(|k| {
                let loud = k % 75 < 50;
                let level = if loud { 0.9 + 0.5 * (k as f32 * 1.3).sin() } else { -1.0 };
                idle.step(&[[level; 80]; 4])
            })
            .collect()
    }

    #[test]
    fn a_seed_repeats_its_run_and_another_does_not() {
        assert_eq!(run(7, 500), run(7, 500));
        assert_ne!(run(7, 500), run(8, 500));
    }

    #[test]
    fn people_blink_this_often() {
        let frames = run(3, 25 * 120);
        let starts = frames.windows(2).filter(|w| w[0].beta[0] == 0.0 && w[1].beta[0] > 0.0).count();
        assert!((20..=70).contains(&starts), "{starts} blinks in two minutes");
        assert!(frames.iter().any(|f| f.beta[0] == 1.0), "a blink closes the eye");
        let closed = frames.iter().filter(|f| f.beta[0] > 0.5).count();
        assert!(closed <= starts * BLINK.len(), "eyes stay open otherwise");
    }

    #[test]
    fn the_head_moves_smoothly_and_little() {
        let frames = run(5, 25 * 60);
        let limit = 14f32.to_radians();
        for w in frames.windows(2) {
            for axis in 0..3 {
                assert!(w[1].pose[axis].abs() < limit);
                // 60° a second is a fast nod.
                assert!((w[1].pose[axis] - w[0].pose[axis]).abs() < 60f32.to_radians() * STEP_SECS);
            }
        }
        let yaw: Vec<f32> = frames.iter().map(|f| f.pose[1]).collect();
        let spread = yaw.iter().copied().fold(f32::MIN, f32::max) - yaw.iter().copied().fold(f32::MAX, f32::min);
        assert!(spread > 2f32.to_radians(), "a living head sways");
    }
}
