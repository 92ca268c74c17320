//! From one mood to the next.

use std::time::Duration;

use super::Mood;
use crate::audio::{RATE, SAMPLES_PER_FRAME};

/// How long a change of mood takes where nobody says otherwise: a face changes its mind instead of jumping.
pub const EASE: Duration = Duration::from_millis(320);
/// The longest that it may take.
pub const EASE_MAX: Duration = Duration::from_secs(5);

/// Length of a motion frame.
const FRAME_SECS: f64 = SAMPLES_PER_FRAME as f64 / RATE as f64;

/// A change of mood cannot take that long.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("an ease of {0} ms is out of range; give one from 0 (at once) to {most}", most = EASE_MAX.as_millis())]
pub struct EaseError(pub f64);

/// How long a change of mood is to take, as users say it.
///
/// # Errors
/// It is not within 0…[`EASE_MAX`].
pub fn ease(milliseconds: f64) -> Result<Duration, EaseError> {
    let most = EASE_MAX.as_secs_f64() * 1e3;
    let within = (0.0..=most).contains(&milliseconds);
    within.then(|| Duration::from_secs_f64(milliseconds / 1e3)).ok_or(EaseError(milliseconds))
}

/// A mood on its way to another, a step every motion frame.
#[derive(Clone, Debug)]
pub struct Eased {
    now: Mood,
    wanted: Mood,
    /// Steps until `now` is `wanted`.
    left: u32,
}

impl Eased {
    /// Stays at `mood`.
    pub fn new(mood: Mood) -> Self {
        Self { now: mood, wanted: mood, left: 0 }
    }

    /// What is felt now.
    pub fn now(&self) -> &Mood {
        &self.now
    }

    /// Turns to `mood`, evenly over the motion frames that are nearest to `time`: over no time, the next frame is there.
    pub fn turn(&mut self, mood: Mood, time: Duration) {
        let frames = (time.as_secs_f64() / FRAME_SECS).round() as u32;
        self.wanted = mood;
        if frames == 0 {
            self.now = mood;
        }
        self.left = frames.max(1);
    }

    /// One motion frame further; says whether anything changed.
    pub fn step(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.now.approach(&self.wanted, 1.0 / self.left as f32);
        self.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::SPACE;

    fn mood(z: f32, mu: f32) -> Mood {
        Mood::new([z; SPACE], mu).unwrap()
    }

    #[test]
    fn a_mood_turns_evenly_in_its_time_and_then_stays() {
        for (milliseconds, frames) in [(0.0, 1), (19.0, 1), (40.0, 1), (320.0, 8), (5000.0, 125)] {
            let mut eased = Eased::new(mood(0.0, 1.0));
            assert!(!eased.step(), "nothing to do yet");
            eased.turn(mood(1.0, 3.0), ease(milliseconds).unwrap());
            for frame in 1..=frames {
                assert!(eased.step(), "{milliseconds} ms, frame {frame}");
                let share = frame as f32 / frames as f32;
                assert!((eased.now().z()[5] - share).abs() < 1e-5, "{milliseconds} ms, frame {frame}");
                assert!((eased.now().mu() - 1.0 - 2.0 * share).abs() < 1e-5, "{milliseconds} ms, frame {frame}");
            }
            assert!(!eased.step(), "{milliseconds} ms");
        }
    }

    #[test]
    fn at_once_is_exact_and_a_new_turn_starts_from_where_it_is() {
        let third = mood(1.0 / 3.0, 1.7);
        let mut eased = Eased::new(mood(0.1, 1.1));
        eased.turn(third, Duration::ZERO);
        assert!(eased.step());
        assert_eq!(*eased.now(), third);
        eased.turn(mood(1.0, 3.0), EASE);
        eased.step();
        let half_way = *eased.now();
        eased.turn(mood(-1.0, 1.0), EASE);
        assert_eq!(*eased.now(), half_way);
    }

    #[test]
    fn a_time_is_refused_with_what_was_expected() {
        assert_eq!((ease(0.0), ease(5000.0)), (Ok(Duration::ZERO), Ok(EASE_MAX)));
        assert_eq!(ease(320.0), Ok(EASE));
        for wrong in [-1.0, 5000.5, f64::NAN, f64::INFINITY] {
            let words = ease(wrong).unwrap_err().to_string();
            assert!(words.contains(&format!("ease of {wrong} ms")) && words.contains("0 (at once) to 5000"), "{words}");
        }
    }
}
