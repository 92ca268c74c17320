//! What a fit looks for: camera, pose, α, β.

use glam::{DMat3, DVec3};

use super::{DISTANCE, Fit};
use crate::avatar::{EXPRESSION, IDENTITY};
use crate::face::rotation;

/// Unknowns: pitch, yaw, roll, x, y, z, the logarithm of the focal length, α, β.
pub(super) const X: usize = 3;
pub(super) const Z: usize = 5;
pub(super) const FOCAL: usize = 6;
pub(super) const FIRST_ALPHA: usize = 7;
pub(super) const FIRST_BETA: usize = FIRST_ALPHA + IDENTITY;
pub(super) const UNKNOWNS: usize = FIRST_BETA + EXPRESSION;
/// Identity, angles, errors, places, focal lengths that no face reaches; the head stays in front of the camera.
const FARTHEST_ALPHA: f64 = 4.0;
const FARTHEST_ANGLE: f64 = 4.0;
const FARTHEST_ERROR: f64 = 4.0;
const FARTHEST_PLACE: f64 = 20.0;
const DEPTHS: [f64; 2] = [-20.0, -0.3];
const FOCAL_LENGTHS: [f64; 2] = [0.12, 90.0];

/// All unknowns.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// The unknowns in their order, and then how much of each of the tracker's usual errors there is.
    pub x: Vec<f64>,
}

impl State {
    /// The mean head, looking straight ahead, where the irises are.
    /// `irises` are theirs, and so many metres apart.
    pub(super) fn start(irises: [[f64; 2]; 2], apart: f64, errors: usize) -> Self {
        let mut state = Self { x: vec![0.0; UNKNOWNS + errors] };
        let [a, b] = irises;
        let across = [0, 1].map(|c| b[c] - a[c]);
        let focal = across[0].hypot(across[1]) * DISTANCE / apart;
        let focal = focal.clamp(FOCAL_LENGTHS[0], FOCAL_LENGTHS[1]);
        let middle = [0, 1].map(|c| 0.5 * (a[c] + b[c]) - 0.5);
        state.x[2] = -across[1].atan2(across[0]);
        state.x[X] = middle[0] * DISTANCE / focal;
        state.x[X + 1] = -middle[1] * DISTANCE / focal;
        state.x[Z] = -DISTANCE;
        state.x[FOCAL] = focal.ln();
        state.hold();
        state
    }

    /// A face, as it was last.
    pub(super) fn of(still: &Fit, last: &Fit, errors: usize) -> Self {
        let mut state = Self { x: vec![0.0; UNKNOWNS + errors] };
        let values = last.pose.iter().chain([&still.camera[0]]).chain(&still.alpha).chain(&last.beta);
        state.x.iter_mut().zip(values).for_each(|(to, v)| *to = f64::from(*v));
        state.x[FOCAL] = state.x[FOCAL].max(FOCAL_LENGTHS[0]).ln();
        state.hold();
        state
    }

    pub(super) fn fit(&self) -> Fit {
        let words = |first: usize| move |k: usize| self.x[first + k] as f32;
        Fit {
            alpha: std::array::from_fn(words(FIRST_ALPHA)),
            beta: std::array::from_fn(words(FIRST_BETA)),
            pose: std::array::from_fn(words(0)),
            camera: [self.focal() as f32, 0.5, 0.5],
            residual: 0.0,
            offsets: Vec::new(),
        }
    }

    /// α, then β.
    pub(super) fn coefficients(&self) -> &[f64] {
        &self.x[FIRST_ALPHA..UNKNOWNS]
    }

    pub(super) fn turn(&self) -> DMat3 {
        rotation(self.angles())
    }

    pub(super) fn angles(&self) -> DVec3 {
        DVec3::new(self.x[0], self.x[1], self.x[2])
    }

    pub(super) fn shift(&self) -> DVec3 {
        DVec3::new(self.x[X], self.x[X + 1], self.x[Z])
    }

    pub(super) fn focal(&self) -> f64 {
        self.x[FOCAL].exp()
    }

    /// A place in camera space in the picture.
    pub(super) fn project(&self, at: DVec3) -> [f64; 2] {
        let scale = self.focal() / -at.z;
        [0.5 + scale * at.x, 0.5 - scale * at.y]
    }

    /// Keeps everything where a face can be.
    pub(super) fn hold(&mut self) {
        let [near, far] = FOCAL_LENGTHS.map(f64::ln);
        for (k, v) in self.x.iter_mut().enumerate() {
            *v = match k {
                0..X => v.clamp(-FARTHEST_ANGLE, FARTHEST_ANGLE),
                Z => v.clamp(DEPTHS[0], DEPTHS[1]),
                FOCAL => v.clamp(near, far),
                X..FOCAL => v.clamp(-FARTHEST_PLACE, FARTHEST_PLACE),
                FIRST_ALPHA..FIRST_BETA => v.clamp(-FARTHEST_ALPHA, FARTHEST_ALPHA),
                FIRST_BETA..UNKNOWNS => v.clamp(0.0, 1.0),
                _ => v.clamp(-FARTHEST_ERROR, FARTHEST_ERROR),
            };
        }
    }
}
