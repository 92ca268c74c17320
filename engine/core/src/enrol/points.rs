//! The points of a face, looked at several times: what differs between looks is no part of the face.

use crate::track::{LEFT_EYE, LIPS, Mesh, POINTS, Picture, RIGHT_EYE, Roi, TrackError};

/// How the regions of the looks differ from the face's own: shift across and down, as shares of the region's side; growth; turn in radians; and whether it is
/// seen in a mirror. Of a normal distribution (1.5 %, 4 %, 0.04), in pairs that cancel each other.
const LOOKS: [([f32; 2], f32, f32, bool); 4] = [
    ([0.013, -0.010], 0.034, 0.036, false),
    ([-0.015, 0.012], -0.040, 0.022, true),
    ([-0.009, 0.016], -0.021, -0.044, false),
    ([0.011, -0.017], 0.027, -0.014, true),
];
/// Middles of the irises, left and right in the picture.
pub(super) const IRISES: [usize; 2] = [468, 473];
/// Lids and what lies around them, of an eye's points.
const LIDS: usize = 32;

/// What was seen of one face.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// (478) in pixels of the picture.
    pub(super) points: Vec<[f64; 2]>,
    /// The region that holds it.
    pub(super) roi: Roi,
    /// How far the looks differ, as a share of the distance of the eyes: in the mean over the points.
    pub(super) spread: f64,
    /// The same of the lips, of the left eye and of the right one (in the picture).
    pub(super) parts: [f64; 3],
}

impl Seen {
    /// Looks at the face that is within a region of a picture. `None` where the mesh sees none there.
    pub(super) fn at(
        mesh: &mut Mesh,
        mirror: &[usize],
        picture: &Picture<'_>,
        roi: Roi,
    ) -> Result<Option<Self>, TrackError> {
        let mut roi = roi;
        // Twice, because the first mesh says better where the face lies.
        for _ in 0..2 {
            if !roi.is_within(picture.width(), picture.height()) {
                return Ok(None);
            }
            let face = mesh.look(picture, roi)?;
            if !face.is_present() {
                return Ok(None);
            }
            roi = Roi::of_points(&face.points);
        }
        let mut looks = Vec::with_capacity(LOOKS.len());
        for ([across, down], growth, turn, mirrored) in LOOKS {
            let region = Roi {
                centre: [roi.centre[0] + across * roi.side, roi.centre[1] + down * roi.side],
                side: roi.side * growth.exp(),
                angle: roi.angle + turn,
            };
            let face =
                if mirrored { mesh.look_in_mirror(picture, region, mirror)? } else { mesh.look(picture, region)? };
            if !face.points.iter().flatten().all(|v| v.is_finite()) {
                return Ok(None);
            }
            looks.push(face.points);
        }
        let (points, off): (Vec<_>, Vec<_>) = (0..POINTS).map(|k| middle(&looks, k)).unzip();
        let eyes = eyes(&points);
        let mean = |which: &mut dyn Iterator<Item = usize>| {
            let (sum, count) = which.fold((0.0, 0.0f64), |(sum, count), k| (sum + off[k], count + 1.0));
            sum / count / eyes.max(1e-6)
        };
        let part = |points: &[u32]| mean(&mut points.iter().map(|k| *k as usize));
        let parts = [part(&LIPS), part(&LEFT_EYE[..LIDS]), part(&RIGHT_EYE[..LIDS])];
        let spread = mean(&mut (0..POINTS));
        Ok(Some(Self { points, roi, spread, parts }))
    }
}

/// The middle of what the looks say of a point, and how far they lie apart in pixels: the mean of the standard deviations across and down.
fn middle(looks: &[Vec<[f32; 3]>], point: usize) -> ([f64; 2], f64) {
    let mut off = 0.0;
    let middle = [0, 1].map(|c| {
        let mut values: Vec<f64> = looks.iter().map(|look| f64::from(look[point][c])).collect();
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        off += 0.5 * (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        let half = values.len() / 2;
        0.5 * (values[half] + values[(values.len() - 1) / 2])
    });
    (middle, off)
}

/// How far the middles of the irises lie apart, pixels.
pub(super) fn eyes(points: &[[f64; 2]]) -> f64 {
    let [a, b] = IRISES.map(|k| points[k]);
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Left, top, right and bottom of some points.
pub(super) fn bounds(points: &[[f64; 2]]) -> [f64; 4] {
    points.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, [x, y]| {
        [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_cancel_each_other_and_an_outlier_moves_nothing_far() {
        for c in 0..2 {
            assert!(LOOKS.iter().map(|look| look.0[c]).sum::<f32>().abs() < 2e-3);
        }
        assert!(LOOKS.iter().map(|look| look.1).sum::<f32>().abs() < 1e-3);
        let looks: Vec<Vec<[f32; 3]>> = [1.0, 2.0, 3.0, 100.0].map(|x| vec![[x, 7.0, 0.0]]).to_vec();
        let (at, off) = middle(&looks, 0);
        assert_eq!(at, [2.5, 7.0]);
        assert!(off > 20.0, "{off}");
    }
}
