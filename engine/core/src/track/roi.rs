//! Where a network looks: a turned square around a face.

use super::detector::Detection;
use super::picture::View;

/// The square's side by the longer side of what it holds.
const ROOM: f32 = 1.5;
/// The corners of one eye, whose line gives a mesh's turn.
const CORNERS: [usize; 2] = [33, 133];

/// A square in a picture, pixels, centres at +½.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roi {
    /// Its middle.
    pub centre: [f32; 2],
    /// Its side.
    pub side: f32,
    /// How far it is turned, radians, clockwise as one sees the picture.
    pub angle: f32,
}

impl Roi {
    /// Around what a detector found, turned so that the eyes lie level.
    pub fn of_detection(found: &Detection) -> Self {
        let [left, top, right, bottom] = found.bounds;
        Self::around([left, top], [right, bottom], found.keys[0], found.keys[1])
    }

    /// Around the points of a mesh, turned as its one eye is.
    ///
    /// # Panics
    /// There are fewer than 134 points.
    pub fn of_points(points: &[[f32; 3]]) -> Self {
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for point in points {
            for c in 0..2 {
                low[c] = low[c].min(point[c]);
                high[c] = high[c].max(point[c]);
            }
        }
        let [a, b] = CORNERS.map(|k| [points[k][0], points[k][1]]);
        Self::around(low, high, a, b)
    }

    fn around(low: [f32; 2], high: [f32; 2], a: [f32; 2], b: [f32; 2]) -> Self {
        Self {
            centre: [0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1])],
            side: ROOM * (high[0] - low[0]).max(high[1] - low[1]),
            angle: (b[1] - a[1]).atan2(b[0] - a[0]),
        }
    }

    /// How `size`² pixels show it.
    pub fn view(&self, size: usize) -> View {
        let scale = f64::from(self.side) / size as f64;
        let (sin, cos) = f64::from(self.angle).sin_cos();
        let (sin, cos) = (sin * scale, cos * scale);
        let [x, y] = self.centre.map(f64::from);
        let middle = size as f64 / 2.0;
        View([[cos, -sin, x - (cos - sin) * middle], [sin, cos, y - (sin + cos) * middle]])
    }

    /// Whether it shows some of a picture of this size, at a size that means something.
    pub fn is_within(&self, width: usize, height: usize) -> bool {
        let [x, y] = self.centre;
        let (width, height) = (width as f32, height as f32);
        // No NaN is inside.
        (0.0..=width).contains(&x)
            && (0.0..=height).contains(&y)
            && (1.0..=4.0 * width.max(height)).contains(&self.side)
            && self.angle.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_puts_corners_where_they_belong() {
        let roi = Roi { centre: [30.0, 20.0], side: 8.0, angle: 0.0 };
        assert_eq!(roi.view(4).apply([0.0, 4.0]), [26.0, 24.0]);
        // A quarter turn: to the right in the crop is down in the picture.
        let [x, y] = Roi { angle: std::f32::consts::FRAC_PI_2, ..roi }.view(4).apply([4.0, 2.0]);
        assert!((x - 30.0).abs() < 1e-5 && (y - 24.0).abs() < 1e-5, "{x} {y}");
    }

    #[test]
    fn points_give_their_box_and_the_eyes_turn() {
        let mut points = vec![[50.0, 50.0, 0.0]; 478];
        (points[0], points[1]) = ([40.0, 44.0, 0.0], [60.0, 54.0, 0.0]);
        (points[33], points[133]) = ([45.0, 50.0, 0.0], [47.0, 52.0, 0.0]);
        let roi = Roi::of_points(&points);
        assert_eq!((roi.centre, roi.side), ([50.0, 49.0], 30.0));
        assert!((roi.angle - std::f32::consts::FRAC_PI_4).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_a_number_or_outside_shows_nothing() {
        let roi = Roi { centre: [30.0, 20.0], side: 8.0, angle: 0.0 };
        assert!(roi.is_within(64, 48));
        let bad = [
            Roi { centre: [f32::NAN, 20.0], ..roi },
            Roi { centre: [65.0, 20.0], ..roi },
            Roi { side: f32::INFINITY, ..roi },
            Roi { side: 0.5, ..roi },
            Roi { angle: f32::NAN, ..roi },
        ];
        assert!(bad.iter().all(|roi| !roi.is_within(64, 48)));
    }
}
