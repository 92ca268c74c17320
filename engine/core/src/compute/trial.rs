//! A small piece of work with a known result: what a device is tried with before it is trusted.

use vultus_shaders::kernels::LayerNormParams;

use super::error::ComputeError;
use super::executor::{Compute, Executor};
use super::plan::PlanBuilder;
use super::step::Grid;
use super::tensor::{Element::F32, Tensor};

const ROWS: usize = 16;
const WIDTH: usize = 64;
/// What the result may be off by: rows of variance one, sums of 64 terms.
const TOLERANCE: f32 = 1e-3;

impl Compute {
    /// Whether this backend does what it should: a kernel's result against its twin's.
    ///
    /// # Errors
    /// The device was lost, or gives other numbers.
    pub fn check(&self) -> Result<(), ComputeError> {
        let Self::Gpu(device) = self else { return Ok(()) };
        let fail = |why: String| ComputeError::Device { adapter: device.name().to_owned(), why };
        let mut here = executor(&Self::Cpu)?;
        let mut there = executor(self)?;
        let expected = run(&mut here).map_err(|e| fail(e.to_string()))?;
        let got = run(&mut there).map_err(|e| fail(e.to_string()))?;
        if let Some(why) = device.lost() {
            return Err(fail(why.to_owned()));
        }
        if got.iter().zip(&expected).all(|(g, e)| (g - e).abs() <= TOLERANCE) {
            Ok(())
        } else {
            Err(fail("it computes wrong numbers".to_owned()))
        }
    }
}

/// The work on a backend: normalised rows.
fn executor(compute: &Compute) -> Result<(Executor, Tensor, Tensor), ComputeError> {
    let mut plan = PlanBuilder::new("trial");
    let rows = plan.input("rows", [ROWS, WIDTH], F32);
    let scale = plan.constant("scale", [WIDTH], &[1.5f32; WIDTH]);
    let shift = plan.constant("shift", [WIDTH], &[0.25f32; WIDTH]);
    let normalised = plan.temp("normalised", [ROWS, WIDTH], F32);
    let params = LayerNormParams { rows: ROWS as u32, width: WIDTH as u32, eps: 1e-5 };
    plan.dispatch(params, &[rows, scale, shift, normalised], Grid::Groups([ROWS as u32, 1, 1]));
    plan.output(normalised);
    Ok((compute.executor(plan.finish()?)?, rows, normalised))
}

fn run((executor, rows, normalised): &mut (Executor, Tensor, Tensor)) -> Result<Vec<f32>, ComputeError> {
    let values: Vec<f32> = (0..ROWS * WIDTH).map(|n| ((n * n) % 97) as f32 / 97.0 - 0.5).collect();
    executor.write(*rows, &values)?;
    executor.run()?;
    Ok(executor.read(*normalised)?.to_vec())
}
