//! Cases of `depth_to_space`.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::DepthToSpaceParams;
use vultus_shaders::shared::activation::{ACTIVATION_NONE, ACTIVATION_SIGMOID};

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(batch: usize, channels: usize, [width, height]: [usize; 2], activation: u32, x: Vec<f32>) -> Case {
    let params = DepthToSpaceParams {
        batch: batch as u32,
        channels: channels as u32,
        width: width as u32,
        height: height as u32,
        activation,
    };
    let bindings = vec![Data::F32(x), Data::F32(vec![9.0; 4 * batch * channels * width * height])];
    let grid = Grid::Threads([2 * width as u32, 2 * height as u32, (batch * channels) as u32]);
    Case::new(params, bindings, grid, Tolerance::chain(4, 1.0))
}

pub(crate) fn cases() -> Vec<Case> {
    [(1, 1, [1, 1], ACTIVATION_SIGMOID), (2, 3, [5, 7], ACTIVATION_NONE), (1, 16, [33, 4], ACTIVATION_SIGMOID)]
        .into_iter()
        .map(|(batch, channels, size, act)| {
            case(batch, channels, size, act, noise(1, 4 * batch * channels * size[0] * size[1]))
        })
        .collect()
}

#[test]
fn blocks_are_rows_then_columns_then_channels() {
    // Two channels of one pixel: channel c of block (i, j) is 10 · (2 i + j) + c.
    let x = vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0];
    let got = case(1, 2, [1, 1], ACTIVATION_NONE, x).run(&Compute::Cpu);
    let expected = [0.0, 10.0, 20.0, 30.0, 1.0, 11.0, 21.0, 31.0];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
}
