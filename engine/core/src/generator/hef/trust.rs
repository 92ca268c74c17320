//! How far the network is believed.

use crate::avatar::POSE;
use crate::generator::seen::smoothstep;

/// Degrees between where a portrait looks and straight ahead: up to the first there were such portraits in training (the farthest 10.7°); of those beyond
/// the second nothing is known, and what the network makes of them smears cheeks over the background.
const SEEN: [f32; 2] = [12.0, 26.0];

/// The share of the network's changes that is shown of a portrait whose bust stands like this. Its falling back is the geometric picture.
pub(super) fn trust(pose: &[f32; POSE]) -> f32 {
    let [pitch, yaw, ..] = *pose;
    let away = (pitch.cos() * yaw.cos()).clamp(-1.0, 1.0).acos().to_degrees();
    1.0 - smoothstep(SEEN[0], SEEN[1], away)
}

#[cfg(test)]
mod tests {
    use super::trust;

    #[test]
    fn it_falls_as_the_portrait_turns_away() {
        let of = |pitch: f32, yaw: f32| trust(&[pitch.to_radians(), yaw.to_radians(), 0.5, 0.0, 0.0, -1.0]);
        assert_eq!([of(0.0, 0.0), of(6.0, -9.0)], [1.0, 1.0]);
        let half = of(-11.0, 14.0);
        assert!((0.4..0.7).contains(&half) && half == of(11.0, -14.0), "{half}");
        assert_eq!([of(0.0, 40.0), of(30.0, 0.0)], [0.0, 0.0]);
    }
}
