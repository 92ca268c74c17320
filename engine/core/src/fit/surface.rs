//! The tracker's points as places on the model's surface.

use glam::DVec3;

use super::state::State;
use crate::avatar::{EXPRESSION, IDENTITY};
use crate::face::FaceModel;
use crate::track::{LEFT_EYE, LIPS, POINTS, RIGHT_EYE};
use crate::weights::{WeightError, WeightReader};

/// Points of an eye's network that run around its lids.
const LIDS: usize = 16;
/// First point of the irises.
const IRISES: usize = 468;
/// No point is trusted more than this, as a share of the distance between the eyes.
const SUREST: f64 = 0.0076;
/// Lips and lids are what is looked at: their points count so many times more than their own errors say.
const LIPS_COUNT: f64 = 2.0;
const EYES_COUNT: f64 = 1.5;

/// Places on the surface, and how they move with each coefficient.
#[derive(Clone, Debug)]
pub(super) struct Surface {
    /// (478) on the mean head, metres.
    pub mean: Vec<DVec3>,
    /// (144, 478) what one unit of each coefficient adds: α 80, β 64.
    pub components: Vec<DVec3>,
    /// (478) expected error of the tracker, as a share of the distance between the eyes.
    pub sigma: Vec<f64>,
    /// (478) which point a point is in the mirror image.
    pub mirror: Vec<usize>,
}

impl Surface {
    /// Of a file of correspondences.
    pub(super) fn new(model: &FaceModel, mut reader: WeightReader) -> Result<Self, WeightError> {
        let r = &mut reader;
        let version = r.metadata("version")?;
        if version != "1" {
            return Err(r.metadata_error("version", format!("is {version:?}; this build reads version 1")));
        }
        let triangles = indices(r, "triangle", model.triangles.len())?;
        let weights: Vec<[f32; 3]> = r.take("barycentric", [POINTS, 3])?.as_chunks().0.to_vec();
        let sigma = r.take("sigma", [POINTS])?;
        let mirror = indices(r, "mirror", POINTS)?;
        let outside = |w: &[f32; 3]| w.iter().any(|w| *w < -1e-4) || (w.iter().sum::<f32>() - 1.0).abs() > 1e-3;
        if let Some(odd) = weights.iter().position(outside) {
            return Err(r.metadata_error("barycentric", format!("does not lie in its triangle at point {odd}")));
        }
        if let Some(odd) = sigma.iter().position(|s| !(1e-4..1.0).contains(s)) {
            return Err(r.metadata_error("sigma", format!("is {} at point {odd}; expected 0.0001 to 1", sigma[odd])));
        }
        if let Some(odd) = (0..POINTS).find(|k| mirror[mirror[*k]] != *k) {
            return Err(r.metadata_error("mirror", format!("does not come back to point {odd}")));
        }
        reader.finish()?;

        let on = |vertices: &[[f32; 3]]| -> Vec<DVec3> {
            (triangles.iter().zip(&weights))
                .map(|(t, weights)| {
                    let corners = &model.triangles[*t][..3];
                    let part = |(v, w): (&u32, &f32)| f64::from(*w) * DVec3::from(vertices[*v as usize].map(f64::from));
                    corners.iter().zip(weights).map(part).sum()
                })
                .collect()
        };
        let all = model.identity.chunks_exact(model.vertices()).chain(model.expression.chunks_exact(model.vertices()));
        let components: Vec<DVec3> = all.flat_map(on).collect();
        debug_assert_eq!(components.len(), (IDENTITY + EXPRESSION) * POINTS);
        let mut sigma: Vec<f64> = sigma.into_iter().map(|s| f64::from(s).max(SUREST)).collect();
        for k in LIPS {
            sigma[k as usize] /= LIPS_COUNT;
        }
        let lids = LEFT_EYE[..LIDS].iter().chain(&RIGHT_EYE[..LIDS]).map(|k| *k as usize);
        for k in lids.chain(IRISES..POINTS) {
            sigma[k] /= EYES_COUNT;
        }
        Ok(Self { mean: on(&model.mean), components, sigma, mirror })
    }

    /// (478) where they are, head space, metres.
    pub(super) fn shape(&self, state: &State, offsets: Option<&[[f32; 3]]>) -> Vec<DVec3> {
        let mut at = self.mean.clone();
        for (to, offset) in at.iter_mut().zip(offsets.into_iter().flatten()) {
            *to += DVec3::from(offset.map(f64::from));
        }
        for (component, c) in self.components.chunks_exact(POINTS).zip(state.coefficients()).filter(|(_, c)| **c != 0.0)
        {
            for (to, from) in at.iter_mut().zip(component) {
                *to += *c * *from;
            }
        }
        at
    }

    /// (478) where they lie in the picture.
    pub(super) fn project(&self, state: &State, offsets: Option<&[[f32; 3]]>) -> Vec<[f64; 2]> {
        let turn = state.turn();
        self.shape(state, offsets).into_iter().map(|v| state.project(turn * v + state.shift())).collect()
    }

    /// (478) what moves each place so that it lies at its point, across the line of sight, head space, metres.
    pub(super) fn offsets(&self, state: &State, points: &[[f64; 2]]) -> Vec<[f32; 3]> {
        let turn = state.turn();
        (self.shape(state, None).into_iter().zip(points))
            .map(|(v, point)| {
                let at = turn * v + state.shift();
                let [x, y] = state.project(at);
                let scale = -at.z / state.focal();
                let across = DVec3::new(point[0] - x, y - point[1], 0.0) * scale;
                (turn.transpose() * across).as_vec3().to_array()
            })
            .collect()
    }
}

fn indices(reader: &mut WeightReader, name: &str, end: usize) -> Result<Vec<usize>, WeightError> {
    let raw = reader.take_i32(name, [POINTS])?;
    let valid = |i: &i32| usize::try_from(*i).ok().filter(|i| *i < end);
    let all: Option<Vec<usize>> = raw.iter().map(valid).collect();
    all.ok_or_else(|| reader.metadata_error(name, format!("holds an index outside 0 … {}", end.saturating_sub(1))))
}
