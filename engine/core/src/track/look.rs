//! A network that looks at pictures.

use thiserror::Error;

use super::picture::{Edge, Picture, View};
use crate::compute::{Bindings, Compute, ComputeError, Executor, PlanBuilder, PlanError, Program, Tensor};
use crate::weights::WeightError;

/// Why a picture could not be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The weights are another network's, or damaged.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The device cannot do it, or cannot be waited for.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl From<PlanError> for TrackError {
    fn from(mistake: PlanError) -> Self {
        Self::Compute(mistake.into())
    }
}

/// A recorded network, and the picture that it sees.
#[derive(Debug)]
pub(super) struct Look {
    program: Program,
    executor: Executor,
    picture: Tensor,
    pixels: Vec<f32>,
}

impl Look {
    /// `picture` is the plan's input (1, 3, side, side).
    pub(super) fn new(compute: &Compute, plan: PlanBuilder, picture: Tensor) -> Result<Self, PlanError> {
        let program = compute.program(plan.finish()?);
        let executor = program.executor(&Bindings::default())?;
        Ok(Self { program, executor, picture, pixels: vec![0.0; picture.elements()] })
    }

    /// Another one of the same weights. Nothing is kept from picture to picture.
    pub(super) fn another(&self) -> Result<Self, PlanError> {
        let executor = self.program.executor(&Bindings::default())?;
        Ok(Self { program: self.program.clone(), executor, picture: self.picture, pixels: self.pixels.clone() })
    }

    /// Looks at what a view shows; see [`Picture::sample`].
    pub(super) fn at(
        &mut self,
        picture: &Picture<'_>,
        view: &View,
        edge: Edge,
        range: [f32; 2],
    ) -> Result<(), ComputeError> {
        picture.sample(view, self.picture.shape().last(), edge, range, &mut self.pixels);
        self.executor.write(self.picture, &self.pixels)?;
        self.executor.run()
    }

    /// What the network said of it.
    pub(super) fn said(&self, tensor: Tensor) -> Result<&[f32], PlanError> {
        self.executor.read(tensor)
    }
}
