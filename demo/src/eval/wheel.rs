//! Flow as colours: its direction is the hue, its length how far from white the colour is.

/// Pixels at which colours are full.
const FULL: f32 = 10.0;

/// sRGB of a flow in pixels, x to the right and y down.
pub(super) fn colour([x, y]: [f32; 2]) -> [u8; 3] {
    let strength = (x.hypot(y) / FULL).min(1.0);
    let turn = 6.0 * (y.atan2(x) / std::f32::consts::TAU).rem_euclid(1.0);
    // Red, yellow, green, cyan, blue, magenta, and back.
    [5.0, 3.0, 1.0].map(|n| {
        let k = (n + turn).rem_euclid(6.0);
        let less = k.min(4.0 - k).clamp(0.0, 1.0);
        (255.0 * (1.0 - strength * less) + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::colour;

    #[test]
    fn still_is_white_and_opposite_ways_are_opposite_hues() {
        assert_eq!(colour([0.0; 2]), [255; 3]);
        assert_eq!(colour([10.0, 0.0]), [255, 0, 0]);
        assert_eq!(colour([-30.0, 0.0]), [0, 255, 255]);
        assert_eq!(colour([5.0, 0.0]), [255, 128, 128]);
        let [r, g, b] = colour([0.0, 10.0]);
        assert!(g == 255 && r < 200 && b < 10, "{r} {g} {b}");
    }
}
