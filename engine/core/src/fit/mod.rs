//! From the 478 points of a picture to whose face it is, what it does and where it stands: α, β, pose and focal length.
//!
//! A [`Fitter`] knows which place of the model's surface each point is (`weights/fit_points.safetensors`, made by `train/track/correspond.py`) and how surely
//! the tracker finds it there. [`Fitter::fit`] finds the most probable face of a portrait, [`Fitter::follow`] what the same face does in a film, and [`light`]
//! in which light the portrait stands.
//!
//! Distance cannot be told from such points: the head always stands [`DISTANCE`] away, and the focal length says how large it is.

mod follower;
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

pub use follower::Follower;
pub use light::light;

use priors::{Priors, Use};
use solve::Problem;
use state::State;
use surface::Surface;

/// Metres from the camera to the head of a fit.
pub const DISTANCE: f64 = 1.0;
/// Gauss–Newton steps: of a portrait, which starts from a mean head that looks straight ahead, and of a film's frame, which starts from the one before.
const STEPS: usize = 12;
const STEPS_FOLLOWING: usize = 3;
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
    /// At most twelve steps, each of about ten milliseconds.
    ///
    /// # Errors
    /// The points are no face's: see [`FitError`].
    pub fn fit(&self, points: &[[f64; 2]]) -> Result<Fit, FitError> {
        let eyes = check(points)?;
        let problem = Problem::new(&self.surface, &self.priors, Use::Portrait, points, eyes, None);
        let [a, b] = IRISES;
        let apart = (self.surface.mean[a] - self.surface.mean[b]).length();
        let mut state = State::start([points[a], points[b]], apart, self.surface.errors.len() / POINTS);
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
        let mut state = State::of(still, last, self.surface.errors.len() / POINTS);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Points;
    use crate::shipped;

    fn model() -> FaceModel {
        FaceModel::read(shipped::weights("face.safetensors")).unwrap()
    }

    fn fitter(model: &FaceModel) -> Fitter {
        Fitter::new(model, shipped::weights(Fitter::FILE)).unwrap()
    }

    /// A face of its own, turned, that does this.
    fn face(model: &FaceModel, seed: usize, deeds: &[(&str, f32)]) -> Fit {
        let mut beta = [0.0; EXPRESSION];
        for (name, value) in deeds {
            beta[model.expression_index(name).unwrap()] = *value;
        }
        let turn = [0.1, 0.3, 0.2].map(|v: f32| v * (((seed * 31) % 7) as f32 / 3.0 - 1.0));
        Fit {
            alpha: std::array::from_fn(|k| ((k * 7919 + seed * 104_729) % 13) as f32 / 6.0 - 1.0),
            beta,
            pose: [turn[0], turn[1], turn[2], 0.01, 0.03, -1.0],
            camera: [2.6 + 0.2 * seed as f32, 0.5, 0.5],
            residual: 0.0,
            offsets: Vec::new(),
        }
    }

    /// Where a perfect tracker sees it.
    fn seen(fitter: &Fitter, face: &Fit) -> Vec<[f64; 2]> {
        fitter.surface.project(&State::of(face, face, 0), None)
    }

    /// Mean distance of the landmarks as a share of that between the eyes.
    fn apart(model: &FaceModel, a: &Fit, b: &Fit) -> f64 {
        let landmarks = Points::landmarks(model);
        let (a, b) = (landmarks.project(&a.placement()), landmarks.project(&b.placement()));
        let between = |p: [f64; 2], q: [f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]);
        let mean = a.iter().zip(&b).map(|(p, q)| between(*p, *q)).sum::<f64>() / a.len() as f64;
        mean / between(a[36], a[45])
    }

    fn valid(fit: &Fit) {
        assert!(fit.alpha.iter().all(|v| v.abs() <= 4.0) && fit.beta.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(fit.pose.iter().chain(&fit.camera).all(|v| v.is_finite()) && fit.pose[5] < -0.2);
        assert!(fit.camera[0] > 0.1 && fit.residual.is_finite());
    }

    const SMILE: [(&str, f32); 3] = [("mouthSmileLeft", 0.5), ("mouthSmileRight", 0.5), ("jawOpen", 0.3)];

    #[test]
    fn a_known_face_is_found_again() {
        let model = model();
        let fitter = fitter(&model);
        for seed in 0..7 {
            let truth = face(&model, seed, if seed % 2 == 0 { &[] } else { &SMILE });
            let fit = fitter.fit(&seen(&fitter, &truth)).unwrap();
            valid(&fit);
            let far = apart(&model, &truth, &fit);
            assert!(far < 0.012 && fit.residual < 0.006, "{seed}: {far} {}", fit.residual);
            for k in 0..3 {
                assert!((fit.pose[k] - truth.pose[k]).abs() < 0.06, "{seed}: {:?} {:?}", fit.pose, truth.pose);
            }
            for (name, value) in if seed % 2 == 0 { &[][..] } else { &SMILE } {
                let found = fit.beta[model.expression_index(name).unwrap()];
                assert!((found - value).abs() < 0.15, "{seed}: {name} is {value}, found {found}");
            }
        }
    }

    #[test]
    fn outliers_count_less() {
        let model = model();
        let fitter = fitter(&model);
        let truth = face(&model, 3, &SMILE);
        let mut points = seen(&fitter, &truth);
        // A hand before the face: every eighth point lies elsewhere, far off.
        points.iter_mut().step_by(8).for_each(|p| p[1] += 0.1);
        let far = apart(&model, &truth, &fitter.fit(&points).unwrap());
        assert!(far < 0.03, "{far}");
    }

    #[test]
    fn what_is_no_face_is_told_or_bounded() {
        let model = model();
        let fitter = fitter(&model);
        let good = seen(&fitter, &face(&model, 1, &[]));
        let why = |points: &[[f64; 2]]| fitter.fit(points).unwrap_err().to_string();
        assert!(why(&good[..477]).contains("478 points, got 477"));
        for odd in [f64::NAN, f64::INFINITY, -1e9] {
            let mut points = good.clone();
            points[33][1] = odd;
            assert!(why(&points).contains("point 33"));
        }
        assert!(why(&[[0.5; 2]; POINTS]).contains("same place"));
        let still = fitter.fit(&good).unwrap();
        assert!(matches!(fitter.follow(&still, &still, &[[0.5; 2]; POINTS]), Err(FitError::Eyes)));
        // Anything else gives a face or an error, never numbers that are none.
        for seed in 1..40u64 {
            let mut state = seed;
            let mut number = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / f64::from(1u32 << 31)
            };
            let spread = [0.01, 0.3, 1.0, 90.0][seed as usize % 4];
            let points: Vec<[f64; 2]> = (0..POINTS).map(|_| [spread * number(), spread * number()]).collect();
            [fitter.fit(&points), fitter.follow(&still, &still, &points)].iter().flatten().for_each(valid);
        }
        // All on a line, and upside down.
        let line: Vec<[f64; 2]> = (0..POINTS).map(|k| [k as f64 / 478.0, 0.5]).collect();
        let over: Vec<[f64; 2]> = good.iter().map(|p| [1.0 - p[0], 1.0 - p[1]]).collect();
        [fitter.fit(&line), fitter.fit(&over)].iter().flatten().for_each(valid);
        assert!(fitter.fit(&over).unwrap().residual < 0.01, "a face may lie on its head");
    }

    #[test]
    fn a_face_is_followed_through_a_film() {
        let model = model();
        let fitter = fitter(&model);
        let truth = face(&model, 2, &[]);
        // The tracker sees this face otherwise than the model has it, and always so.
        let off: Vec<[f64; 2]> =
            (0..POINTS).map(|k| [0.002 * (k as f64).sin(), 0.002 * (1.7 * k as f64).cos()]).collect();
        let seen = |face: &Fit| -> Vec<[f64; 2]> {
            seen(&fitter, face).iter().zip(&off).map(|(p, o)| [p[0] + o[0], p[1] + o[1]]).collect()
        };
        let still = fitter.fit(&seen(&truth)).unwrap();
        let mut last = still.clone();
        for k in 0..12 {
            let part = k as f32 / 11.0;
            let deeds =
                [("jawOpen", 0.5 * part), ("eyeBlinkLeft", part), ("eyeBlinkRight", part), ("mouthPucker", 0.6 * part)];
            let mut next = Fit { beta: face(&model, 2, &deeds).beta, ..truth.clone() };
            // Nearer, and turning.
            next.pose[5] += 0.15 * part;
            next.pose[1] += 0.2 * part;
            last = fitter.follow(&still, &last, &seen(&next)).unwrap();
            valid(&last);
            assert_eq!((last.alpha, last.camera), (still.alpha, still.camera));
            for (name, value) in deeds {
                let found = last.beta[model.expression_index(name).unwrap()];
                assert!((found - value).abs() < 0.35, "frame {k}: {name} is {value}, found {found}");
            }
            let turned = last.pose[1] - still.pose[1] - 0.2 * part;
            assert!(turned.abs() < 0.05, "frame {k}: {turned}");
        }
        let nearer = last.pose[5] - still.pose[5];
        assert!((0.1..0.2).contains(&nearer), "{nearer}");
    }

    #[test]
    fn a_damaged_file_of_correspondences_is_refused() {
        let model = model();
        let bytes = shipped::bytes(Fitter::FILE);
        let damaged = |tensor: &str, at: usize, value: [u8; 4]| {
            let (header, about) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            let first = about.info(tensor).unwrap().data_offsets.0 + header + 8;
            let mut bytes = bytes.clone();
            bytes[first + 4 * at..][..4].copy_from_slice(&value);
            Fitter::new(&model, WeightReader::new("damaged", bytes).unwrap()).unwrap_err().to_string()
        };
        assert!(damaged("triangle", 5, i32::MAX.to_le_bytes()).contains("index outside"));
        assert!(damaged("mirror", 33, 1i32.to_le_bytes()).contains("does not come back"));
        assert!(damaged("sigma", 7, 0f32.to_le_bytes()).contains("at point 7"));
        assert!(damaged("barycentric", 9, 7f32.to_le_bytes()).contains("at point 3"));
        assert!(damaged("sigma", 7, f32::NAN.to_le_bytes()).contains("sigma"));
    }
}
