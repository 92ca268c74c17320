//! A place in the emotion space, and how strongly it is felt.

use std::ops::RangeInclusive;

/// Width of the emotion space.
pub const SPACE: usize = 64;
/// From natural to strongest: the range of μ (paper A, 3.3).
pub const INTENSITY: RangeInclusive<f32> = 1.0..=3.0;

/// What is felt: z and μ of paper A, eq. 3. Every mood that there is has finite numbers and a μ within [`INTENSITY`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mood {
    z: [f32; SPACE],
    mu: f32,
}

/// There is no such mood.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MoodError {
    /// μ is not within [`INTENSITY`].
    #[error(
        "an intensity of {0} is out of range; give one from {from} (natural) to {to} (strongest)",
        from = INTENSITY.start(),
        to = INTENSITY.end()
    )]
    Intensity(f32),
    /// z has a coordinate that is not finite.
    #[error("coordinate {index} of the emotion is {value}; expected {SPACE} finite numbers")]
    Place {
        /// Which of the [`SPACE`].
        index: usize,
        /// What it is.
        value: f32,
    },
}

/// μ, checked before there is a mood: what a user gives is refused before anything is opened for it.
///
/// # Errors
/// [`MoodError::Intensity`].
pub fn intensity(mu: f32) -> Result<f32, MoodError> {
    // A NaN is in no range.
    if INTENSITY.contains(&mu) { Ok(mu) } else { Err(MoodError::Intensity(mu)) }
}

impl Mood {
    /// The mood at `z`, felt as strongly as `mu`.
    ///
    /// # Errors
    /// [`MoodError`].
    pub fn new(z: [f32; SPACE], mu: f32) -> Result<Self, MoodError> {
        if let Some((index, value)) = z.iter().copied().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(MoodError::Place { index, value });
        }
        Ok(Self { z, mu: intensity(mu)? })
    }

    /// Where it lies in the emotion space.
    pub fn z(&self) -> &[f32; SPACE] {
        &self.z
    }

    /// How strongly it is felt.
    pub fn mu(&self) -> f32 {
        self.mu
    }

    /// Goes a share of the way to `other`. Training has seen blends of emotions.
    pub(super) fn approach(&mut self, other: &Self, share: f32) {
        for (at, to) in self.z.iter_mut().zip(&other.z) {
            *at += (to - *at) * share;
        }
        self.mu += (other.mu - self.mu) * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_mood_says_what_was_expected_and_what_came() {
        let mut z = [0.25; SPACE];
        for mu in [1.0, 2.5, 3.0] {
            let mood = Mood::new(z, mu).unwrap();
            assert_eq!((mood.z(), mood.mu()), (&z, mu));
        }
        for mu in [0.999, 3.001, -1.0, f32::NAN, f32::INFINITY] {
            let words = Mood::new(z, mu).unwrap_err().to_string();
            assert!(words.contains(&format!("intensity of {mu} ")) && words.contains("from 1"), "{words}");
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            z[7] = value;
            let words = Mood::new(z, 1.0).unwrap_err().to_string();
            assert!(words.contains(&format!("coordinate 7 of the emotion is {value}")), "{words}");
            assert!(words.contains("64 finite"), "{words}");
        }
    }
}
