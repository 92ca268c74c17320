//! Fits that are as wrong as noisy landmarks make them.
//!
//! A detector's noise on the 68 landmarks (half of it common to a group: jaw, brows, nose, eyes, mouth) is answered as a fit would answer it: by the
//! most probable change of α, the portrait's β and its pose under Gaussian priors. The whole change is then scaled until the projected landmarks have
//! moved by a drawn 2 to 4 pixels (root mean square, at 256²). Light and albedo stay.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use vultus::avatar::{AvatarFile, EXPRESSION, IDENTITY, POSE};
use vultus::face::{FaceModel, Placement};

/// How far the landmarks of a disturbed fit are off, pixels of a picture of 256².
pub const NOISE: std::ops::Range<f64> = 2.0..4.0;
const COUNT: usize = 68;
/// First landmark of each group, and the end.
const GROUPS: [usize; 7] = [0, 17, 27, 36, 42, 48, COUNT];
/// Standard deviations of what a fit may change: α, β, angles in radians, x and y, z in metres.
const ALPHA: f32 = 0.7;
const BETA: f32 = 0.25;
const POSES: [f32; POSE] = [0.08, 0.08, 0.06, 0.015, 0.015, 0.06];
const PARAMETERS: usize = IDENTITY + EXPRESSION + POSE;

/// The 68 landmarks as functions of α and β alone.
#[derive(Clone, Debug)]
pub struct Landmarks {
    mean: Vec<[f32; 3]>,
    /// Identity components, then expression components.
    components: Vec<Vec<[f32; 3]>>,
}

impl Landmarks {
    /// Of a model.
    pub fn new(model: &FaceModel) -> Self {
        let of = |rows: &Vec<[f32; 3]>| -> Vec<Vec<[f32; 3]>> {
            rows.chunks_exact(model.vertices()).map(|c| model.landmarks_on(c)).collect()
        };
        Self {
            mean: model.landmarks_on(&model.mean),
            components: [of(&model.identity), of(&model.expression)].concat(),
        }
    }

    /// (68) where they lie in a picture, in units of its height.
    pub fn project(&self, placement: &Placement) -> Vec<[f64; 2]> {
        let mut at = self.mean.clone();
        let coefficients = placement.alpha.iter().chain(&placement.beta);
        for (component, c) in self.components.iter().zip(coefficients).filter(|(_, c)| **c != 0.0) {
            for (to, from) in at.iter_mut().zip(component) {
                (0..3).for_each(|k| to[k] += c * from[k]);
            }
        }
        at.into_iter().map(|v| placement.project(v).map(f64::from)).collect()
    }
}

/// The noise of a person's fit: every person and fit has its own, whoever else is in the folder.
pub fn noise(name: &str, fit: usize, seed: u64) -> Pcg64Mcg {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in name.bytes().chain(seed.to_le_bytes()).chain(fit.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Pcg64Mcg::seed_from_u64(hash)
}

/// Root mean square distance between two sets of landmarks.
fn apart(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)).sum();
    (square / a.len() as f64).sqrt()
}

/// The avatar as a noisy fit would have it.
pub fn disturbed(avatar: &AvatarFile, landmarks: &Landmarks, rng: &mut impl Rng) -> AvatarFile {
    let exact = Placement::of(avatar);
    let at = landmarks.project(&exact);
    let target = rng.random_range(NOISE) / 256.0;
    let noise: Vec<f64> = GROUPS
        .windows(2)
        .flat_map(|g| {
            let common = [normal(rng), normal(rng)];
            (g[0]..g[1]).flat_map(|_| common.map(|c| target * 0.5 * (c + normal(rng)))).collect::<Vec<_>>()
        })
        .collect();

    // A = J·Σ: what a standard deviation of each parameter does to the 136 coordinates.
    let columns: Vec<Vec<f64>> = (0..PARAMETERS)
        .map(|k| {
            const STEP: f32 = 0.05;
            let mut one = [0.0; PARAMETERS];
            one[k] = STEP;
            let moved = landmarks.project(&changed(&exact, &one, false));
            moved.iter().zip(&at).flat_map(|(p, q)| [0, 1].map(|i| (p[i] - q[i]) / f64::from(STEP))).collect()
        })
        .collect();
    // The most probable change: Σ·Aᵀ·(A·Aᵀ + s²)⁻¹ · noise.
    let n = 2 * COUNT;
    let mut gram = vec![0.0; n * n];
    for column in &columns {
        for (i, a) in column.iter().enumerate() {
            gram[i * n..][..n].iter_mut().zip(column).for_each(|(g, b)| *g += a * b);
        }
    }
    (0..n).for_each(|i| gram[i * n + i] += 0.5 * target * target);
    let answer = solve(gram, noise);
    let change: [f64; PARAMETERS] =
        std::array::from_fn(|k| columns[k].iter().zip(&answer).map(|(a, b)| a * b).sum::<f64>());

    let mut scale = 1.0;
    let mut fit = exact.clone();
    for _ in 0..12 {
        fit = changed(&exact, &change.map(|c| (scale * c) as f32), true);
        scale *= target / apart(&landmarks.project(&fit), &at).max(1e-9);
    }
    AvatarFile { alpha: fit.alpha, beta: fit.beta, pose: fit.pose, ..avatar.clone() }
}

/// `by` is in standard deviations. A fit keeps expressions where they mean something.
fn changed(from: &Placement, by: &[f32; PARAMETERS], hold: bool) -> Placement {
    let mut to = from.clone();
    let (alpha, rest) = by.split_at(IDENTITY);
    let (beta, pose) = rest.split_at(EXPRESSION);
    to.alpha.iter_mut().zip(alpha).for_each(|(v, c)| *v += ALPHA * c);
    for (v, c) in to.beta.iter_mut().zip(beta) {
        let (low, high) = (v.min(0.0), v.max(1.0));
        *v += BETA * c;
        if hold {
            *v = v.clamp(low, high);
        }
    }
    to.pose.iter_mut().zip(pose).zip(POSES).for_each(|((v, c), s)| *v += s * c);
    to
}

/// x of a·x = b for a symmetric positive definite (n, n) matrix, by Cholesky.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - sum;
            a[i * n + j] = if i == j { rest.max(1e-300).sqrt() } else { rest / a[j * n + j] };
        }
        let sum: f64 = (0..i).map(|k| a[i * n + k] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    b
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random_range(0.0..std::f64::consts::TAU));
    (-2.0 * a.ln()).sqrt() * b.cos()
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn solved_systems_hold() {
        let a = [4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0];
        let x = solve(a.to_vec(), vec![1.0, -2.0, 0.3]);
        for (row, b) in a.chunks_exact(3).zip([1.0, -2.0, 0.3]) {
            let got: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            assert!((got - b).abs() < 1e-12, "{got} {b}");
        }
    }
}
