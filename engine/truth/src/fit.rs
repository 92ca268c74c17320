//! Fits that are as wrong as noisy landmarks make them.
//!
//! A detector's noise on the 68 landmarks (half of it common to a group: jaw, brows, nose, eyes, mouth) is answered as a fit would answer it: by the
//! most probable change of α, the portrait's β and its pose under Gaussian priors. The whole change is then scaled until the projected landmarks have
//! moved by a drawn 2 to 4 pixels (root mean square, at 256²). Light and albedo stay.

use nalgebra::{Cholesky, DMatrix, DVector};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use vultus::align::{PARAMETERS, changed, held};
use vultus::avatar::AvatarFile;
use vultus::face::{Placement, Points};

/// How far the landmarks of a disturbed fit are off, pixels of a picture of 256².
pub const NOISE: std::ops::Range<f64> = 2.0..4.0;
const COUNT: usize = 68;
/// First landmark of each group, and the end.
const GROUPS: [usize; 7] = [0, 17, 27, 36, 42, 48, COUNT];

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

/// The avatar as a noisy fit would have it; `landmarks` are [`Points::landmarks`].
pub fn disturbed(avatar: &AvatarFile, landmarks: &Points, rng: &mut impl Rng) -> AvatarFile {
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
            let moved = landmarks.project(&changed(&exact, &one));
            moved.iter().zip(&at).flat_map(|(p, q)| [0, 1].map(|i| (p[i] - q[i]) / f64::from(STEP))).collect()
        })
        .collect();
    let a = DMatrix::from_iterator(2 * COUNT, PARAMETERS, columns.into_iter().flatten());
    // The most probable change: Σ·Aᵀ·(A·Aᵀ + s²)⁻¹ · noise.
    let gram = &a * a.transpose() + DMatrix::from_diagonal_element(2 * COUNT, 2 * COUNT, 0.5 * target * target);
    let answer = Cholesky::new(gram).expect("noise makes it positive").solve(&DVector::from_vec(noise));
    let change = a.tr_mul(&answer);

    let mut scale = 1.0;
    let mut fit = exact.clone();
    for _ in 0..12 {
        fit = held(&exact, &std::array::from_fn(|k| (scale * change[k]) as f32));
        scale *= target / apart(&landmarks.project(&fit), &at).max(1e-9);
    }
    AvatarFile { alpha: fit.alpha, beta: fit.beta, pose: fit.pose, ..avatar.clone() }
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random_range(0.0..std::f64::consts::TAU));
    (-2.0 * a.ln()).sqrt() * b.cos()
}
