//! Some points of the face as functions of α and β alone: cheap where few of them are asked for many times.

use super::model::FaceModel;
use super::placement::Placement;
use crate::avatar::{EXPRESSION, IDENTITY};

/// Points on the face in head space.
#[derive(Clone, Debug)]
pub struct Points {
    mean: Vec<[f32; 3]>,
    /// Identity components, then expression components.
    components: Vec<Vec<[f32; 3]>>,
}

impl Points {
    /// The 68 landmarks.
    pub fn landmarks(model: &FaceModel) -> Self {
        Self::of(model, |mesh| model.landmarks_on(mesh))
    }

    /// These vertices.
    pub fn vertices(model: &FaceModel, which: &[usize]) -> Self {
        Self::of(model, |mesh| which.iter().map(|v| mesh[*v]).collect())
    }

    fn of(model: &FaceModel, pick: impl Fn(&[[f32; 3]]) -> Vec<[f32; 3]>) -> Self {
        let rows = [&model.identity, &model.expression];
        let components: Vec<_> =
            rows.into_iter().flat_map(|rows| rows.chunks_exact(model.vertices())).map(&pick).collect();
        debug_assert_eq!(components.len(), IDENTITY + EXPRESSION);
        Self { mean: pick(&model.mean), components }
    }

    /// What one unit of each coefficient adds: α 80, β 64.
    pub fn components(&self) -> &[Vec<[f32; 3]>] {
        &self.components
    }

    /// Where they are, head space, metres.
    pub fn shape(&self, placement: &Placement) -> Vec<[f32; 3]> {
        let mut at = self.mean.clone();
        let coefficients = placement.alpha.iter().chain(&placement.beta);
        for (component, c) in self.components.iter().zip(coefficients).filter(|(_, c)| **c != 0.0) {
            for (to, from) in at.iter_mut().zip(component) {
                (0..3).for_each(|k| to[k] += c * from[k]);
            }
        }
        at
    }

    /// Where they lie in a picture, in units of its height.
    pub fn project(&self, placement: &Placement) -> Vec<[f64; 2]> {
        self.shape(placement).into_iter().map(|v| placement.project(v).map(f64::from)).collect()
    }
}
