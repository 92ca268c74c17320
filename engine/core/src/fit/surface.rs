//! The tracker's points as places on the model's surface.

use glam::DVec3;

use super::state::State;
use crate::avatar::{EXPRESSION, IDENTITY};
use crate::face::FaceModel;
use crate::track::POINTS;
use crate::weights::{WeightError, WeightReader};

/// No file has more of the tracker's usual errors.
const MOST_ERRORS: usize = 256;

/// Places on the surface, and how they move with each coefficient.
#[derive(Clone, Debug)]
pub(super) struct Surface {
    /// (478) on the mean head, metres.
    pub mean: Vec<DVec3>,
    /// (144, 478) what one unit of each coefficient adds: α 80, β 64.
    pub components: Vec<DVec3>,
    /// (478) expected error of the tracker beside its usual ones, as a share of the distance between the eyes.
    pub sigma: Vec<f64>,
    /// (M, 478) the tracker's usual errors, each of standard deviation 1, independent; shares of the distance between the eyes, x right and y down on an upright
    /// face. A face's points are all off in some such ways together, as the network sees this person and expression.
    pub errors: Vec<[f64; 2]>,
    /// All points together count like so many whose other errors are independent.
    pub independent: f64,
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
        let count = r.shape("errors").and_then(|s| s.first().copied()).unwrap_or(0);
        if count > MOST_ERRORS {
            return Err(r.metadata_error("errors", format!("are {count}; expected at most {MOST_ERRORS}")));
        }
        let errors: Vec<[f64; 2]> = match count {
            0 => Vec::new(),
            count => r.take("errors", [count, POINTS, 2])?.as_chunks().0.iter().map(|e| e.map(f64::from)).collect(),
        };
        let independent = r.metadata("independent")?;
        let independent = match independent.parse::<f64>() {
            Ok(number) if (1.0..=POINTS as f64).contains(&number) => number,
            _ => return Err(r.metadata_error("independent", format!("is {independent:?}; expected 1 to {POINTS}"))),
        };
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
        let sigma = sigma.into_iter().map(f64::from).collect();
        Ok(Self { mean: on(&model.mean), components, sigma, errors, independent, mirror })
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
