//! Corrects a portrait's fit.
//!
//! A fit of the 3DMM by landmarks is a few pixels off, and every frame then shows eyes and lips beside the portrait's own. A network looks at the
//! portrait and says where K points of the surface lie and how sure that is ([`record`]; PyTorch's `train/align/model.py` is the reference).
//! [`solve`] finds the most probable change of α, β and pose that explains it. [`Aligner`] does both.

mod change;
mod record;
mod solve;
mod weights;

pub use change::{Change, PARAMETERS, changed, deviations, held};
pub use record::{Probes, record};
pub use solve::{Target, solve};
pub use weights::{AlignConfig, AlignWeights};

use crate::avatar::AvatarFile;
use crate::compute::{Compute, ComputeError, Element::F32, PlanBuilder};
use crate::face::{FaceModel, Placement, Points};
use crate::generator::hef::Crop;

/// Points that lie no farther from where the fit has them than so many of their expected errors (root mean square) are no evidence: what is right
/// stays as it is.
const EVIDENCE: f64 = 2.3;
/// A change that moves the points farther than this share of the crop (root mean square) is none of a fit's errors: nothing was recognised.
const FARTHEST: f64 = 0.022;
/// Pixels of the crop: least and largest error that the network is believed to expect.
const ERROR: [f64; 2] = [0.3, 50.0];
/// Neighbours err alike: all together count like so many that do not.
const INDEPENDENT: f64 = 60.0;
/// Smallest and largest side of a picture that is looked at.
const SMALLEST: usize = 64;
const LARGEST: usize = 2048;

/// The network, ready to look at portraits.
#[derive(Clone, Debug)]
pub struct Aligner {
    weights: AlignWeights,
}

impl Aligner {
    /// With these weights.
    pub fn new(weights: AlignWeights) -> Self {
        Self { weights }
    }

    /// The avatar with another fit: α, β and pose as the portrait suggests. It stays as it was where that leads nowhere.
    ///
    /// # Errors
    /// The device was lost.
    ///
    /// # Panics
    /// `model` has fewer vertices than the weights were read for.
    pub fn correct(
        &self,
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
    ) -> Result<AvatarFile, ComputeError> {
        let config = self.weights.config();
        // As in training, a pixel of the picture is about one of the crop.
        let crop = Crop::of(model, avatar, 1);
        let largest = avatar.portrait.side.clamp(SMALLEST, LARGEST);
        let size = ((config.crop as f32 / crop.side) as usize).clamp(SMALLEST, largest);
        let said = self.look(compute, &crop.of_height(size).portrait(avatar, size, config.crop))?;
        Ok(answer(model, avatar, &targets(config, crop, &said), crop.side).unwrap_or_else(|| avatar.clone()))
    }

    /// (2K, C/4, C/4) of the portrait (3, C, C).
    fn look(&self, compute: &Compute, portrait: &[f32]) -> Result<Vec<f32>, ComputeError> {
        let mut plan = PlanBuilder::new("align");
        let crop = self.weights.config().crop;
        let picture = plan.input("picture", [1, weights::PICTURE, crop, crop], F32);
        let (seen, _) = record(&mut plan, &self.weights, picture, false);
        let mut executor = compute.executor(plan.finish()?)?;
        executor.write(picture, portrait)?;
        executor.run()?;
        Ok(executor.read(seen)?.to_vec())
    }
}

/// The avatar that `targets` suggest, if they are evidence against its fit and a fit's errors explain them; `side` of the crop in units of the
/// picture's height.
fn answer(model: &FaceModel, avatar: &AvatarFile, targets: &[Target], side: f32) -> Option<AvatarFile> {
    let fit = Placement::of(avatar);
    let which: Vec<usize> = targets.iter().map(|t| t.vertex).collect();
    let points = Points::vertices(model, &which);
    let before = points.project(&fit);
    let mean =
        |square: &dyn Fn(usize) -> f64| ((0..targets.len()).map(square).sum::<f64>() / targets.len() as f64).sqrt();
    let apart = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let evidence = mean(&|k| (apart(before[k], targets[k].at) * targets[k].weight).powi(2) / 2.0);
    if evidence.is_nan() || evidence <= EVIDENCE {
        return None;
    }
    let independent = (INDEPENDENT / targets.len() as f64).sqrt();
    let targets: Vec<Target> = targets.iter().map(|t| Target { weight: independent * t.weight, ..*t }).collect();
    let better = held(&fit, &solve(model, &fit, &targets)?);
    let after = points.project(&better);
    if mean(&|k| apart(before[k], after[k]).powi(2)) > FARTHEST * f64::from(side) {
        return None;
    }
    with(avatar, &better)
}

/// An avatar of this placement, if it is one that a file may hold.
fn with(avatar: &AvatarFile, placement: &Placement) -> Option<AvatarFile> {
    let Placement { alpha, beta, pose, .. } = *placement;
    let finite = alpha.iter().chain(&beta).chain(&pose).all(|v| v.is_finite());
    let next = AvatarFile { alpha, beta, pose, ..avatar.clone() };
    (finite && next.check_geometry(&avatar.name).is_ok()).then_some(next)
}

/// What the network's `said` (2K, n, n) about a crop, in units of the picture's height, means for its points; each weight is one over that point's own
/// expected error.
fn targets(config: &AlignConfig, crop: Crop, said: &[f32]) -> Vec<Target> {
    let count = config.points.len();
    let plane = said.len() / (2 * count);
    let side = plane.isqrt();
    // Errors are in pixels of the crop, places in cells, whose centres are at ½.
    let [left, top, whole] = [crop.left, crop.top, crop.side].map(f64::from);
    let (pixel, cell) = (whole / config.crop as f64, whole / side as f64);
    (config.points.iter().enumerate())
        .map(|(k, vertex)| {
            let (logits, errors) = (&said[k * plane..][..plane], &said[(count + k) * plane..][..plane]);
            let [x, y, error] = mean_place(logits, errors, side);
            let error = error.exp().clamp(ERROR[0], ERROR[1]) * pixel;
            Target { vertex: *vertex, at: [left + x * cell, top + y * cell], weight: 1.0 / error }
        })
        .collect()
}

/// Under the softmax of `logits` (n, n): the mean place in cells, x then y, and the mean of `errors`.
fn mean_place(logits: &[f32], errors: &[f32], side: usize) -> [f64; 3] {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let (mut all, mut sums) = (0.0, [0.0; 3]);
    for (k, (logit, error)) in logits.iter().zip(errors).enumerate() {
        let share = f64::from(logit - most).exp();
        all += share;
        sums[0] += share * ((k % side) as f64 + 0.5);
        sums[1] += share * ((k / side) as f64 + 0.5);
        sums[2] += share * f64::from(*error);
    }
    sums.map(|s| s / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped;

    const SIDE: usize = 64;

    fn config(points: Vec<usize>) -> AlignConfig {
        AlignConfig { crop: 4 * SIDE, widths: vec![1; 3], up: vec![1], points }
    }

    fn model_and_avatar() -> (FaceModel, AvatarFile) {
        let model = FaceModel::read(shipped::weights("face.safetensors")).unwrap();
        (model, shipped::avatar("amara"))
    }

    /// What a network says that sees every point where `truth` has it, with a spot of a cell's width, and expects such an error.
    fn saying(model: &FaceModel, config: &AlignConfig, crop: Crop, truth: &Placement, error: f32) -> Vec<f32> {
        let places = Points::vertices(model, &config.points).project(truth);
        let mut said = Vec::new();
        for [x, y] in places {
            let [x, y] =
                [(x as f32 - crop.left) / crop.side, (y as f32 - crop.top) / crop.side].map(|v| v * SIDE as f32);
            for k in 0..SIDE * SIDE {
                let [dx, dy] = [(k % SIDE) as f32 + 0.5 - x, (k / SIDE) as f32 + 0.5 - y];
                said.push(-0.5 * (dx * dx + dy * dy));
            }
        }
        said.extend(vec![error.ln(); said.len()]);
        said
    }

    /// Root mean square distance of the landmarks, pixels of 256².
    fn apart(landmarks: &Points, a: &Placement, b: &Placement) -> f64 {
        let square: f64 = (landmarks.project(a).iter().zip(landmarks.project(b)))
            .map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2))
            .sum();
        256.0 * (square / 68.0).sqrt()
    }

    #[test]
    fn points_that_are_seen_bring_the_fit_there_as_far_as_they_are_sure() {
        let (model, avatar) = model_and_avatar();
        let landmarks = Points::landmarks(&model);
        let front: Vec<usize> = (0..model.vertices()).filter(|v| model.mean[*v][2] > 0.0).step_by(70).collect();
        let config = config(front);
        let fit = Placement::of(&avatar);
        let truth = changed(&fit, &std::array::from_fn(|k| 0.4 * ((k * 7919) % 13) as f32 / 6.0 - 0.4));
        let crop = Crop::of(&model, &avatar, 1);
        let correct = |truth: &Placement, error| {
            let said = saying(&model, &config, crop, truth, error);
            answer(&model, &avatar, &targets(&config, crop, &said), crop.side)
        };
        let before = apart(&landmarks, &fit, &truth);
        let sure = correct(&truth, 0.5).expect("there is evidence");
        let after = apart(&landmarks, &Placement::of(&sure), &truth);
        assert!(before > 2.0 && after < 0.25 * before, "{before} → {after}");
        assert_eq!((sure.delta, sure.gamma, sure.camera), (avatar.delta, avatar.gamma, avatar.camera));
        // What is written can be read.
        AvatarFile::parse("sure.avatar", sure.to_bytes().unwrap()).unwrap();

        assert!(correct(&truth, 20.0).is_none(), "unsure");
        assert!(correct(&fit, 0.5).is_none(), "right already");
        let mut elsewhere = fit.clone();
        elsewhere.pose[3] += 0.08;
        assert!(correct(&elsewhere, 0.5).is_none(), "no fit is so wrong");
        let mut said = saying(&model, &config, crop, &truth, 0.5);
        said[3] = f32::NAN;
        assert!(answer(&model, &avatar, &targets(&config, crop, &said), 1.0).is_none(), "not a number");
    }

    #[test]
    fn outliers_count_less() {
        let (model, avatar) = model_and_avatar();
        let landmarks = Points::landmarks(&model);
        let fit = Placement::of(&avatar);
        let front: Vec<usize> = (0..model.vertices()).filter(|v| model.mean[*v][2] > 0.0).step_by(70).collect();
        let mut targets: Vec<Target> = (front.iter().zip(Points::vertices(&model, &front).project(&fit)))
            .map(|(vertex, at)| Target { vertex: *vertex, at, weight: 256.0 })
            .collect();
        // A hand before the face.
        targets.iter_mut().step_by(12).for_each(|t| t.at[1] += 0.1);
        let change = solve(&model, &fit, &targets).unwrap();
        let moved = apart(&landmarks, &held(&fit, &change), &fit);
        let tenth = targets.len().div_ceil(12) as f64 / targets.len() as f64;
        assert!(moved < 0.5 * tenth * 25.6, "{moved}");
    }
}
