//! What a motion model tells a generator, and how it changes in time.

use crate::avatar::{EXPRESSION, POSE};

/// What a face is to do at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Drive {
    /// Expression coefficients β, in the face model's order, each 0…1.
    pub beta: [f32; EXPRESSION],
    /// Head motion relative to the bust: pitch, yaw, roll in radians, then x, y, z in metres.
    pub pose: [f32; POSE],
    /// How strongly it is meant: σ̂ of paper A, eq. 3, which the generator's style code takes (eq. 7), as one number: see [`crate::motion::eac::EacWeights::strength`].
    pub sigma: f32,
}

/// A drive with its number, from 0: at the motion model's 25 Hz, or at the output's frame rate behind the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionFrame {
    /// Frame number: at frame rate f it is shown from index / f on, in seconds.
    pub index: u64,
    /// What the face does.
    pub drive: Drive,
}

impl Default for Drive {
    /// The model's mean face, still, with no strength.
    fn default() -> Self {
        Self::new(&[0.0; EXPRESSION], &[0.0; POSE])
    }
}

impl Drive {
    /// A face that nobody speaks with: σ̂ is 0.
    pub fn new(beta: &[f32; EXPRESSION], pose: &[f32; POSE]) -> Self {
        Self { beta: *beta, pose: *pose, sigma: 0.0 }
    }

    /// At share `t` of the way from the second of four consecutive drives to the third. No value leaves the range of these two, so that shut lips stay
    /// shut and no coefficient exceeds its bounds.
    pub fn between(four: [&Self; 4], t: f32) -> Self {
        Self {
            beta: std::array::from_fn(|i| cubic(four.map(|drive| drive.beta[i]), t)),
            pose: std::array::from_fn(|i| cubic(four.map(|drive| drive.pose[i]), t)),
            sigma: cubic(four.map(|drive| drive.sigma), t),
        }
    }

    /// A face that was interrupted is `share` of the way from `shown` to this. The head goes on as it was: it was not speaking.
    pub fn settle(&mut self, shown: &Self, share: f32) {
        for (to, from) in self.beta.iter_mut().zip(&shown.beta) {
            *to = from + (*to - from) * share;
        }
        self.sigma = shown.sigma + (self.sigma - shown.sigma) * share;
    }
}

/// Cubic Hermite curve from `v[1]` to `v[2]`; slopes are limited so that it is monotone (Fritsch and Carlson).
fn cubic(v: [f32; 4], t: f32) -> f32 {
    if t == 0.0 {
        return v[1];
    }
    let steps = [v[1] - v[0], v[2] - v[1], v[3] - v[2]];
    let slope = |a: f32, b: f32| {
        if a * b <= 0.0 { 0.0 } else { (0.5 * (a + b)).abs().min(3.0 * a.abs().min(b.abs())).copysign(a) }
    };
    let (from, to) = (slope(steps[0], steps[1]), slope(steps[1], steps[2]));
    let (t2, t3) = (t * t, t * t * t);
    let value = v[1] + steps[1] * (3.0 * t2 - 2.0 * t3) + from * (t3 - 2.0 * t2 + t) + to * (t3 - t2);
    // Rounding may leave the range by one unit in the last place.
    value.clamp(v[1].min(v[2]), v[1].max(v[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(value: f32) -> Drive {
        Drive { beta: [value; EXPRESSION], pose: [value; POSE], sigma: value }
    }

    #[test]
    fn every_part_is_interpolated_within_its_neighbours() {
        let four = [all(0.0), all(0.2), all(0.8), all(0.9)];
        let four = four.each_ref();
        assert_eq!(Drive::between(four, 0.0), all(0.2));
        let mut before = 0.2;
        for step in 1..10 {
            let Drive { beta, pose, sigma } = Drive::between(four, step as f32 / 10.0);
            assert!(beta.iter().chain(&pose).all(|v| *v == sigma), "all are on one curve");
            assert!(sigma > before && sigma <= 0.8, "{step}: {sigma} after {before}");
            before = sigma;
        }
    }

    #[test]
    fn an_interrupted_face_settles_and_its_head_goes_on() {
        let mut half = all(1.0);
        half.settle(&all(0.0), 0.5);
        assert_eq!(half, Drive { pose: [1.0; POSE], ..all(0.5) });
        let mut whole = all(1.0);
        whole.settle(&all(0.25), 1.0);
        assert_eq!(whole, all(1.0));
    }
}
