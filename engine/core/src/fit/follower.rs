//! What a face does in a film, frame by frame, as a drive for any avatar.

use std::sync::Arc;

use super::{Fit, FitError, Fitter, IRISES};
use crate::avatar::{EXPRESSION, POSE};
use crate::drive::Drive;
use crate::face::FaceModel;
use crate::track::POINTS;

/// Frames from which a face at rest is taken: two seconds of 25 a second.
const CALIBRATION: usize = 50;
/// A frame in which the eyes lie farther from their middle place than this share of the distance between them does not count: the head moved.
const STILL: f64 = 0.12;
/// Expressions of which the tracker's points show a part only: how much more there is.
const GAINS: [(&str, f32); 6] = [
    ("eyeBlinkLeft", 1.4),
    ("eyeBlinkRight", 1.4),
    ("mouthSmileLeft", 1.15),
    ("mouthSmileRight", 1.15),
    ("browOuterUpLeft", 1.4),
    ("browOuterUpRight", 1.4),
];
/// The share of the way to what is seen that head and gaze go in a frame. The mouth is not smoothed: its closures are short.
const FOLLOWS: f32 = 0.55;
/// How far a head turns (radians) and moves (metres) at most: beyond, a portrait shows what it does not have.
const FARTHEST: [f32; POSE] = [0.4, 0.5, 0.4, 0.06, 0.06, 0.06];

/// Where the gaze's coefficients of an eye are.
#[derive(Clone, Copy, Debug)]
struct Gaze {
    outwards: usize,
    inwards: usize,
    up: usize,
    down: usize,
}

/// Follows one face. The first frames are its neutral: it should look straight ahead, at rest.
#[derive(Debug)]
pub struct Follower {
    fitter: Arc<Fitter>,
    gains: [f32; EXPRESSION],
    left: Gaze,
    right: Gaze,
    /// The face at rest, once something was seen.
    still: Option<Fit>,
    last: Option<Fit>,
    /// Frames so far from which the rest is taken.
    collected: Vec<Vec<[f64; 2]>>,
    /// Smoothed: pose, and gaze to the left and up.
    pose: [f32; POSE],
    gaze: [f32; 2],
}

impl Follower {
    /// Nothing has been seen yet.
    ///
    /// # Errors
    /// The model lacks an expression that cameras tell of.
    pub fn new(fitter: Arc<Fitter>, model: &FaceModel) -> Result<Self, FitError> {
        let at = |name: &str| model.expression_index(name).ok_or_else(|| FitError::Expression(name.to_owned()));
        let gaze = |side: &str| -> Result<Gaze, FitError> {
            let at = |way: &str| at(&format!("eyeLook{way}{side}"));
            Ok(Gaze { outwards: at("Out")?, inwards: at("In")?, up: at("Up")?, down: at("Down")? })
        };
        let mut gains = [1.0; EXPRESSION];
        for (name, gain) in GAINS {
            gains[at(name)?] = gain;
        }
        let (left, right) = (gaze("Left")?, gaze("Right")?);
        Ok(Self {
            fitter,
            gains,
            left,
            right,
            still: None,
            last: None,
            collected: Vec::with_capacity(CALIBRATION),
            pose: [0.0; POSE],
            gaze: [0.0; 2],
        })
    }

    /// What is seen from now on is the face at rest.
    pub fn calibrate(&mut self) {
        self.collected.clear();
        self.still = None;
    }

    /// How much of what makes the rest has been seen, 0 to 1.
    pub fn calibrated(&self) -> f32 {
        self.collected.len() as f32 / CALIBRATION as f32
    }

    /// What the face does, from its 478 points in a picture (pixels) of `width` × `height`. Takes some milliseconds, and a tenth of a second where the rest is
    /// taken.
    ///
    /// # Errors
    /// The points are no face's: see [`FitError`]. The next frame may be one again.
    pub fn next(&mut self, points: &[[f32; 3]], width: usize, height: usize) -> Result<Drive, FitError> {
        // The picture's middle is the camera's; the longer side is one.
        let side = width.max(height) as f64;
        let [left, top] = [width, height].map(|length| 0.5 * (side - length as f64));
        let points: Vec<[f64; 2]> =
            points.iter().map(|[x, y, _]| [(f64::from(*x) + left) / side, (f64::from(*y) + top) / side]).collect();
        let still = match self.still.take() {
            Some(still) => still,
            None => self.fitter.fit(&points)?,
        };
        let still = self.still.insert(still);
        let last = self.last.as_ref().unwrap_or(still);
        let seen = match self.fitter.follow(still, last, &points) {
            Ok(seen) => seen,
            Err(error) => {
                // From the rest again: a search that has gone astray does not come back.
                self.last = None;
                return Err(error);
            }
        };
        let drive = self.drive(&seen);
        self.last = Some(seen);
        if self.collected.len() < CALIBRATION {
            self.collected.push(points);
            if self.collected.len() == CALIBRATION {
                self.settle()?;
            }
        }
        Ok(drive)
    }

    /// Takes the rest from what has been seen so far, however little.
    ///
    /// # Errors
    /// No face explains it.
    pub fn settle(&mut self) -> Result<(), FitError> {
        if !self.collected.is_empty() {
            self.still = Some(self.fitter.fit(&self.rest())?);
            self.last = None;
        }
        Ok(())
    }

    /// The middle place of each point, over the frames in which the head was where it mostly was.
    fn rest(&self) -> Vec<[f64; 2]> {
        let middle = |frames: &[&Vec<[f64; 2]>], point: usize| -> [f64; 2] {
            std::array::from_fn(|axis| {
                let mut values: Vec<f64> = frames.iter().map(|frame| frame[point][axis]).collect();
                let half = values.len() / 2;
                *values.select_nth_unstable_by(half, f64::total_cmp).1
            })
        };
        let all: Vec<&Vec<[f64; 2]>> = self.collected.iter().collect();
        let eyes = IRISES.map(|iris| middle(&all, iris));
        let apart = (eyes[0][0] - eyes[1][0]).hypot(eyes[0][1] - eyes[1][1]);
        let near = |frame: &&Vec<[f64; 2]>| {
            IRISES.iter().zip(eyes).all(|(iris, at)| {
                let p = frame[*iris];
                (p[0] - at[0]).hypot(p[1] - at[1]) < STILL * apart
            })
        };
        let still: Vec<&Vec<[f64; 2]>> = all.iter().copied().filter(near).collect();
        let frames = if still.len() < CALIBRATION / 5 { all } else { still };
        (0..POINTS).map(|point| middle(&frames, point)).collect()
    }

    /// What `seen` does that the rest does not.
    fn drive(&mut self, seen: &Fit) -> Drive {
        let still = self.still.as_ref().unwrap_or(seen);
        let mut beta: [f32; EXPRESSION] = std::array::from_fn(|k| {
            let rest = still.beta[k];
            ((seen.beta[k] - rest) * self.gains[k] / (1.0 - 0.5 * rest)).clamp(0.0, 1.0)
        });
        let gaze = |fit: &Fit| -> [f32; 2] {
            let (b, l, r) = (&fit.beta, self.left, self.right);
            let to_the_left = (b[l.outwards] - b[l.inwards]) + (b[r.inwards] - b[r.outwards]);
            let up = (b[l.up] - b[l.down]) + (b[r.up] - b[r.down]);
            [0.5 * to_the_left, 0.5 * up]
        };
        let (now, rest) = (gaze(seen), gaze(still));
        for axis in 0..2 {
            self.gaze[axis] += (now[axis] - rest[axis] - self.gaze[axis]) * FOLLOWS;
        }
        let [to_the_left, up] = self.gaze;
        // Both eyes look at one place.
        for (eye, outwards) in [(self.left, to_the_left), (self.right, -to_the_left)] {
            beta[eye.outwards] = outwards.clamp(0.0, 1.0);
            beta[eye.inwards] = (-outwards).clamp(0.0, 1.0);
            beta[eye.up] = up.clamp(0.0, 1.0);
            beta[eye.down] = (-up).clamp(0.0, 1.0);
        }
        for k in 0..POSE {
            let moved = (seen.pose[k] - still.pose[k]).clamp(-FARTHEST[k], FARTHEST[k]);
            self.pose[k] += (moved - self.pose[k]) * FOLLOWS;
        }
        Drive::new(&beta, &self.pose)
    }
}
