//! From the 478 points of a picture to whose face it is, what it does and where it stands: α, β, pose and focal length.
//!
//! A [`Fitter`] knows which place of the model's surface each point is (`weights/fit_points.safetensors`, made by `train/track/correspond.py`) and how surely
//! the tracker finds it there. [`Fitter::fit`] finds the most probable face of a portrait, [`Fitter::follow`] what the same face does in a film, and [`light`]
//! in which light the portrait stands.
//!
//! Distance cannot be told from such points: the head always stands [`DISTANCE`] away, and the focal length says how large it is.

mod gram;
mod light;
mod priors;
mod solve;
mod state;
mod surface;

use thiserror::Error;

use crate::avatar::{EXPRESSION, IDENTITY, POSE};
use crate::face::{FaceModel, Placement};
use crate::track::POINTS;
use crate::weights::{WeightError, WeightReader};

pub use light::light;

use priors::{Priors, Use};
use solve::Problem;
use state::State;
use surface::Surface;

/// Metres from the camera to the head of a fit.
pub const DISTANCE: f64 = 1.0;
/// Gauss–Newton steps: of a portrait, which starts from a mean head that looks straight ahead, and of a film's frame, which starts from the one before.
const STEPS: usize = 12;
const STEPS_FOLLOWING: usize = 4;
/// In how many steps of a portrait no point is an outlier yet.
const TRUSTING: usize = 3;
/// Middles of the irises: left and right in the picture.
const IRISES: [usize; 2] = [468, 473];
/// Eyes that are nearer to each other, in units of the crop, are none.
const NEAREST_EYES: f64 = 1e-3;
/// Points that lie farther outside the crop than this, in units of its side, are no points.
const FARTHEST_POINT: f64 = 100.0;

/// Why there is no fit.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FitError {
    /// The file of correspondences is another one, or damaged.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The face model has an expression that this code knows nothing of, or lacks one.
    #[error(
        "the face model and this build do not agree on the expression `{0}`; use the face.safetensors that belongs to this build"
    )]
    Expression(String),
    /// Not the tracker's points.
    #[error("a fit takes {POINTS} points, got {0}; give those of one face of the tracker")]
    Count(usize),
    /// A coordinate that no picture has.
    #[error("point {0} is not a number or is far outside the picture; a fit takes points in units of the crop's side")]
    Point(usize),
    /// Both eyes lie in one place.
    #[error(
        "both eyes lie in the same place: these points show no face; give a picture that shows one from the front, larger"
    )]
    Eyes,
    /// Arithmetic failed.
    #[error("no face explains these points; give a sharper picture that shows the face from the front")]
    Unexplained,
}

/// Whose face it is, what it does and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Identity.
    pub alpha: [f32; IDENTITY],
    /// Expression, each 0 to 1.
    pub beta: [f32; EXPRESSION],
    /// Pitch, yaw, roll in radians, x, y, z in metres, camera space.
    pub pose: [f32; POSE],
    /// Focal length, centre x, centre y in units of the crop's side.
    pub camera: [f32; 3],
    /// Median distance from the given points to the model's, as a share of the distance between the eyes.
    pub residual: f64,
    /// (478) what was left of each point, head space, metres: how the tracker sees this very face otherwise than others.
    offsets: Vec<[f32; 3]>,
}

impl Fit {
    /// As the face's kernels take it.
    pub fn placement(&self) -> Placement {
        Placement { alpha: self.alpha, beta: self.beta, pose: self.pose, camera: self.camera }
    }
}

/// Fits the face model to points of the tracker.
#[derive(Clone, Debug)]
pub struct Fitter {
    surface: Surface,
    priors: Priors,
}

impl Fitter {
    /// The file of correspondences.
    pub const FILE: &'static str = "fit_points.safetensors";

    /// Of a face model and the correspondences in [`Self::FILE`].
    ///
    /// # Errors
    /// A tensor is missing, mis-shaped, of no use or not of this model; the model's expressions are not those that this code knows.
    pub fn new(model: &FaceModel, correspondence: WeightReader) -> Result<Self, FitError> {
        Ok(Self { surface: Surface::new(model, correspondence)?, priors: Priors::new(&model.expression_names)? })
    }

    /// (478) which point a point is in the mirror image of a picture.
    pub fn mirror(&self) -> &[usize] {
        &self.surface.mirror
    }

    /// The most probable face at `points` (478), in units of the square crop's side, x right, y down, origin top left. The camera's centre is the crop's.
    /// At most twelve steps, some ten milliseconds each.
    ///
    /// # Errors
    /// The points are no face's: see [`FitError`].
    pub fn fit(&self, points: &[[f64; 2]]) -> Result<Fit, FitError> {
        let eyes = check(points)?;
        let problem = Problem::new(&self.surface, &self.priors, Use::Portrait, points, eyes, None);
        let [a, b] = IRISES;
        let apart = (self.surface.mean[a] - self.surface.mean[b]).length();
        let mut state = State::start([points[a], points[b]], apart);
        problem.solve(&mut state, STEPS, TRUSTING).ok_or(FitError::Unexplained)?;
        self.answer(&state, points, eyes, None)
    }

    /// The same face in a further frame of a film, `points` in units of the same crop: identity and camera are those of `still`, and the search begins where
    /// the face was `last` (or `still`). What was left of `still`'s points is taken for the tracker's view of this face, and so is best fitted to one that
    /// looks straight ahead without an expression.
    ///
    /// # Errors
    /// The points are no face's: see [`FitError`].
    pub fn follow(&self, still: &Fit, last: &Fit, points: &[[f64; 2]]) -> Result<Fit, FitError> {
        let eyes = check(points)?;
        let problem = Problem::new(&self.surface, &self.priors, Use::Film, points, eyes, Some(&still.offsets));
        let mut state = State::of(still, last);
        problem.solve(&mut state, STEPS_FOLLOWING, 0).ok_or(FitError::Unexplained)?;
        self.answer(&state, points, eyes, Some(&still.offsets))
    }

    fn answer(
        &self,
        state: &State,
        points: &[[f64; 2]],
        eyes: f64,
        offsets: Option<&[[f32; 3]]>,
    ) -> Result<Fit, FitError> {
        let at = self.surface.project(state, offsets);
        let mut errors: Vec<f64> =
            at.iter().zip(points).map(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1]) / eyes).collect();
        let middle = errors.len() / 2;
        let residual = *errors.select_nth_unstable_by(middle, f64::total_cmp).1;
        let mut fit = state.fit();
        fit.residual = residual;
        fit.offsets = match offsets {
            Some(offsets) => offsets.to_vec(),
            None => self.surface.offsets(state, points),
        };
        let values = fit.alpha.iter().chain(&fit.beta).chain(&fit.pose).chain(&fit.camera);
        if !residual.is_finite() || values.chain(fit.offsets.iter().flatten()).any(|v| !v.is_finite()) {
            return Err(FitError::Unexplained);
        }
        Ok(fit)
    }
}

/// The distance between the eyes, if these are points of a face.
fn check(points: &[[f64; 2]]) -> Result<f64, FitError> {
    if points.len() != POINTS {
        return Err(FitError::Count(points.len()));
    }
    if let Some(odd) = points.iter().position(|p| !p.iter().all(|v| v.abs() <= FARTHEST_POINT)) {
        return Err(FitError::Point(odd));
    }
    let [a, b] = IRISES.map(|k| points[k]);
    let eyes = (a[0] - b[0]).hypot(a[1] - b[1]);
    if eyes < NEAREST_EYES { Err(FitError::Eyes) } else { Ok(eyes) }
}
