//! The most probable change of a fit that brings points of its mesh where they are said to be.

use glam::DVec3;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::change::{Change, PARAMETERS, changed, deviations};
use crate::avatar::{EXPRESSION, IDENTITY};
use crate::face::{FaceModel, Placement, Points, angles, rotation, shift};

/// Where a vertex belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The vertex.
    pub vertex: usize,
    /// Its place in the picture, in units of the picture's height.
    pub at: [f64; 2],
    /// One over the standard deviation of that, in the same units; errors of different targets are independent.
    pub weight: f64,
}

/// Gauss–Newton steps: perspective is nearly linear over such changes.
const STEPS: usize = 6;
/// Standard deviations.
const OUTLIER: f64 = 2.0;
/// Difference that a rotation is differentiated by, radians.
const ANGLE: f64 = 1e-6;

/// The change of `fit` that is most probable where vertices lie at `targets`; none where arithmetic fails.
pub fn solve(model: &FaceModel, fit: &Placement, targets: &[Target]) -> Option<Change> {
    let which: Vec<usize> = targets.iter().map(|t| t.vertex).collect();
    let points = Points::vertices(model, &which);
    let mut change = DVector::zeros(PARAMETERS);
    for step in 0..STEPS {
        let now = changed(fit, &words(&change));
        let (mut jacobian, mut rest) = linear(&points, &now, targets);
        if step > 0 {
            temper(&mut jacobian, &mut rest);
        }
        let mut gram = jacobian.tr_mul(&jacobian);
        (0..PARAMETERS).for_each(|k| gram[(k, k)] += 1.0);
        change += Cholesky::new(gram)?.solve(&(jacobian.tr_mul(&rest) - &change));
    }
    change.iter().all(|v| v.is_finite()).then(|| words(&change))
}

/// Cauchy's weights: what lies far beyond [`OUTLIER`] errors from its place is not what the network took it for, and hardly counts.
fn temper(jacobian: &mut DMatrix<f64>, rest: &mut DVector<f64>) {
    for i in 0..rest.len() / 2 {
        let far = rest[2 * i].hypot(rest[2 * i + 1]) / OUTLIER;
        let less = 1.0 / (1.0 + far * far).sqrt();
        for row in [2 * i, 2 * i + 1] {
            jacobian.row_mut(row).scale_mut(less);
            rest[row] *= less;
        }
    }
}

fn words(change: &DVector<f64>) -> Change {
    std::array::from_fn(|k| change[k] as f32)
}

/// What a standard deviation of each parameter does to the targets' weighted coordinates (2n, 150), and what these lack (2n).
fn linear(points: &Points, now: &Placement, targets: &[Target]) -> (DMatrix<f64>, DVector<f64>) {
    let at_rest = angles(&now.pose);
    let turn = rotation(at_rest);
    let turns = DVec3::AXES.map(|axis| (rotation(at_rest + ANGLE * axis) - turn) / ANGLE);
    let point = |v: [f32; 3]| DVec3::from(v.map(f64::from));
    let [focal, cx, cy] = now.camera.map(f64::from);
    let deviations = deviations().map(f64::from);
    let mut jacobian = DMatrix::zeros(2 * targets.len(), PARAMETERS);
    let mut rest = DVector::zeros(2 * targets.len());
    for (i, (head, target)) in points.shape(now).into_iter().zip(targets).enumerate() {
        let [x, y, z] = (turn * point(head) + shift(&now.pose)).to_array();
        let at = [cx - focal * x / z, cy + focal * y / z];
        (0..2).for_each(|k| rest[2 * i + k] = target.weight * (target.at[k] - at[k]));
        for (k, deviation) in deviations.iter().enumerate() {
            // Where the point goes in camera space.
            let [dx, dy, dz] = match k.checked_sub(IDENTITY + EXPRESSION) {
                None => turn * point(points.components()[k][i]),
                Some(axis @ 0..3) => turns[axis] * point(head),
                Some(axis) => DVec3::AXES[axis - 3],
            }
            .to_array();
            let scale = target.weight * deviation * focal / z;
            jacobian[(2 * i, k)] = -scale * (dx - dz * x / z);
            jacobian[(2 * i + 1, k)] = scale * (dy - dz * y / z);
        }
    }
    (jacobian, rest)
}
