//! How colourful a picture is: a mouth in a black-and-white or sepia picture is not red.

use super::light::luminance;
use super::picture::Layers;

/// A picture's colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chroma {
    /// 1 for a picture of one hue, 0 for one in colour.
    plain: f32,
    /// That hue: linear RGB of luminance 1.
    hue: [f32; 3],
}

/// How much the ratio of red to green varies over a person, as a logarithm between its 5th and 95th percentile, what brightness explains of it left out: 0 in black and
/// white, under 0.2 in sepia and its scans, above 0.3 in colour.
const SPREAD: [f32; 2] = [0.18, 0.3];

impl Chroma {
    /// `skin` is the skin's linear colour.
    pub(super) fn of(layers: &Layers, skin: [f32; 3]) -> Self {
        let hue = skin.map(|c| c / luminance(skin).max(1e-4));
        let mut samples: Vec<[f32; 2]> = Vec::new();
        for person in layers.person.iter().step_by(7).filter(|p| p[3] > 0.94) {
            let bright = luminance([person[0], person[1], person[2]]);
            if (0.04..0.85).contains(&bright) {
                // Where the background was taken out of a soft edge, a channel may be below 0.
                let [red, green] = [person[0], person[1]].map(|c| c.max(0.0) + 0.004);
                samples.push([bright.ln(), (red / green).ln()]);
            }
        }
        if samples.len() < 100 {
            return Self { plain: 0.0, hue };
        }
        let n = samples.len() as f32;
        let [x, y] = [0, 1].map(|c| samples.iter().map(|s| s[c]).sum::<f32>() / n);
        let (xx, xy) =
            samples.iter().fold((1e-6, 0.0), |(xx, xy), s| (xx + (s[0] - x).powi(2), xy + (s[0] - x) * (s[1] - y)));
        let mut rest: Vec<f32> = samples.iter().map(|s| s[1] - y - xy / xx * (s[0] - x)).collect();
        rest.sort_by(f32::total_cmp);
        let at = |share: f32| rest[(share * (n - 1.0)) as usize];
        let plain = 1.0 - ((at(0.95) - at(0.05) - SPREAD[0]) / (SPREAD[1] - SPREAD[0])).clamp(0.0, 1.0);
        Self { plain, hue }
    }

    /// 1 for a picture of one hue, 0 for one in colour.
    pub(super) fn plain(&self) -> f32 {
        self.plain
    }

    /// A linear colour as this picture would show it.
    pub(super) fn suits(&self, colour: [f32; 3]) -> [f32; 3] {
        let bright = luminance(colour);
        std::array::from_fn(|c| colour[c] + (bright * self.hue[c] - colour[c]) * self.plain)
    }
}
