//! Corrects a portrait's fit.
//!
//! A fit of the 3DMM by landmarks is a few pixels off, and every frame then shows eyes and lips beside the portrait's own. A network compares the
//! portrait with the lit mesh over it and says for each point of the mesh where it truly lies and how sure that is ([`record`]; PyTorch's
//! `train/align/model.py` is the reference). [`solve`] finds the most probable change of α, β and pose that explains it. [`Aligner`] does both.

mod change;
mod record;
mod solve;
mod weights;

pub use change::{Change, PARAMETERS, changed, deviations, held};
pub use record::{Probes, record};
pub use solve::{Target, solve};
pub use weights::{AlignConfig, AlignWeights};

use crate::avatar::AvatarFile;
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder, Tensor};
use crate::face::{FaceModel, NONE, Placement};
use crate::generator::GeneratorError;
use crate::generator::hef::{Crop, Observation, Observer, SOURCE};

/// Times that the network looks: the second sees the render of what the first has led to.
const LOOKS: usize = 2;
/// One in so many of the visible vertices is asked.
const STRIDE: usize = 7;
/// Offsets that are shorter against their expected errors than this (root mean square) are no evidence: what is right stays as it is.
const EVIDENCE: f64 = 1.0;
/// Fewer tell nothing.
const FEWEST: usize = 40;
/// Pixels of the crop: least and largest error that the network is believed to expect.
const ERROR: [f64; 2] = [0.3, 50.0];
/// Neighbours err alike: all together count like so many that do not.
const INDEPENDENT: f64 = 100.0;
/// What of the crop counts: the network knows less of its edges.
const MARGIN: f32 = 0.01;
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
    pub fn correct(
        &self,
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
    ) -> Result<AvatarFile, GeneratorError> {
        let mut network = Network::new(compute, &self.weights);
        let fit = Placement::of(avatar);
        let (mut now, mut change) = (avatar.clone(), [0.0; PARAMETERS]);
        for _ in 0..LOOKS {
            let (targets, evidence) = network.look(compute, model, &now)?;
            if targets.len() < FEWEST || evidence < EVIDENCE {
                break;
            }
            let Some(better) = solve(model, &fit, &change, &targets) else { break };
            let Some(next) = with(avatar, &held(&fit, &better)) else { break };
            (now, change) = (next, better);
        }
        Ok(now)
    }
}

/// An avatar of this placement, if it is one that a file may hold.
fn with(avatar: &AvatarFile, placement: &Placement) -> Option<AvatarFile> {
    let Placement { alpha, beta, pose, .. } = *placement;
    let finite = alpha.iter().chain(&beta).chain(&pose).all(|v| v.is_finite());
    let next = AvatarFile { alpha, beta, pose, ..avatar.clone() };
    (finite && next.check_geometry(&avatar.name).is_ok()).then_some(next)
}

struct Network {
    executor: Executor,
    source: Tensor,
    result: Tensor,
    crop: usize,
}

impl Network {
    fn new(compute: &Compute, weights: &AlignWeights) -> Self {
        let crop = weights.config().crop;
        let mut plan = PlanBuilder::new("align");
        let source = plan.input("source", SOURCE * crop * crop);
        let (result, _) = record(&mut plan, weights, source, false);
        Self { executor: compute.executor(plan.finish()), source, result, crop }
    }

    /// Where the vertices of `avatar`'s mesh that can be seen belong, and how long the offsets are against the errors that are expected of them.
    fn look(
        &mut self,
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
    ) -> Result<(Vec<Target>, f64), GeneratorError> {
        // As in training, a pixel of the picture is about one of the crop.
        let whole = Crop::of(model, avatar, LARGEST).side / LARGEST as f32;
        let size = ((self.crop as f32 / whole) as usize).clamp(SMALLEST, avatar.portrait.side.min(LARGEST)) / 8 * 8;
        let crop = Crop::of(model, avatar, size);
        let mut observer = Observer::new(compute, model, avatar, size, crop, self.crop)?;
        let (source, frame) = observer.rest()?;
        let result = self.run(&source)?;
        Ok(targets(model, &frame, size, crop, result))
    }

    fn run(&mut self, source: &[f32]) -> Result<&[f32], ComputeError> {
        self.executor.write(self.source, source);
        self.executor.run()?;
        Ok(self.executor.read(self.result))
    }
}

/// What the network's `said` (3, n, n) about a frame of `size`² pixels means for its vertices.
fn targets(model: &FaceModel, frame: &Observation<'_>, size: usize, crop: Crop, said: &[f32]) -> (Vec<Target>, f64) {
    let mut seen = vec![false; model.vertices()];
    for triangle in frame.triangle_id.iter().filter(|t| **t != NONE) {
        let [a, b, c, _] = model.triangles[*triangle as usize];
        [a, b, c].into_iter().for_each(|v| seen[v as usize] = true);
    }
    let visible = (0..seen.len()).filter(|v| seen[*v] && frame.screen[*v][3] > 0.0);
    let plane = said.len() / 3;
    let side = plane.isqrt();
    // The offsets are in pixels of a crop of four times their side.
    let pixel = crop.side / (4 * side) as f32;
    let mut square = 0.0;
    let mut out: Vec<Target> = visible
        .step_by(STRIDE)
        .filter_map(|vertex| {
            let [x, y, ..] = frame.screen[vertex];
            let share = [(x - crop.left) / crop.side, (y - crop.top) / crop.side];
            if !share.iter().all(|v| (MARGIN..1.0 - MARGIN).contains(v)) {
                return None;
            }
            let [dx, dy, error] = [0, 1, 2].map(|c| bilinear(&said[c * plane..][..plane], side, share));
            let at = [x + dx * pixel, y + dy * pixel].map(|v| f64::from(v) / size as f64);
            let error = f64::from(error).exp().clamp(ERROR[0], ERROR[1]);
            square += f64::from(dx * dx + dy * dy) / (2.0 * error * error);
            Some(Target { vertex, at, weight: size as f64 / (error * f64::from(pixel)) })
        })
        .collect();
    let count = out.len().max(1) as f64;
    out.iter_mut().for_each(|t| t.weight *= (INDEPENDENT / count).sqrt());
    (out, (square / count).sqrt())
}

/// A plane (side, side) at a place in shares of it; the edge repeats.
fn bilinear(plane: &[f32], side: usize, share: [f32; 2]) -> f32 {
    let at = share.map(|v| (v * side as f32 - 0.5).clamp(0.0, side as f32 - 1.0));
    let i = at.map(|v| (v as usize).min(side - 2));
    let t = [at[0] - i[0] as f32, at[1] - i[1] as f32];
    let row = |k: usize| plane[k] * (1.0 - t[0]) + plane[k + 1] * t[0];
    let k = i[1] * side + i[0];
    row(k) * (1.0 - t[1]) + row(k + side) * t[1]
}
