//! A small piece of work with a known result: what a device is tried with before it is trusted.

use vultus_shaders::kernels::LayerNormParams;

use super::{Compute, ComputeError, Executor, Grid, PlanBuilder, Tensor};

const ROWS: usize = 16;
const WIDTH: usize = 64;
/// What the result may be off by: rows of variance one, sums of 64 terms.
pub(super) const TOLERANCE: f32 = 1e-3;

/// The work on a backend: normalised rows.
pub(super) fn executor(compute: &Compute) -> (Executor, Tensor, Tensor) {
    let mut plan = PlanBuilder::new("trial");
    let rows = plan.input("rows", ROWS * WIDTH);
    let scale = plan.constant("scale", &[1.5f32; WIDTH]);
    let shift = plan.constant("shift", &[0.25f32; WIDTH]);
    let normalised = plan.temp("normalised", ROWS * WIDTH);
    let params = LayerNormParams { rows: ROWS as u32, width: WIDTH as u32, eps: 1e-5 };
    plan.dispatch(params, &[rows, scale, shift, normalised], Grid::Groups([ROWS as u32, 1, 1]));
    plan.output(normalised);
    (compute.executor(plan.finish()), rows, normalised)
}

pub(super) fn run((executor, rows, normalised): &mut (Executor, Tensor, Tensor)) -> Result<Vec<f32>, ComputeError> {
    let values: Vec<f32> = (0..ROWS * WIDTH).map(|n| ((n * n) % 97) as f32 / 97.0 - 0.5).collect();
    executor.write(*rows, &values);
    executor.run()?;
    Ok(executor.read(*normalised).to_vec())
}
