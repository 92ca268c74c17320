//! Cases of `average_pool`.

use vultus::compute::Grid;
use vultus_shaders::kernels::AveragePoolParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 2, [16, 16], 2, [0, 0]), (2, 3, [5, 7], 3, [2, 1]), (1, 1, [1, 1], 17, [0, 0]), (3, 2, [9, 2], 1, [10, 4])]
        .into_iter()
        .map(|(batch, channels, [width, height], factor, [x_first, after])| {
            let x_channels = channels + x_first + after;
            let params = AveragePoolParams {
                width: width as u32,
                height: height as u32,
                batch: batch as u32,
                channels: channels as u32,
                x_channels: x_channels as u32,
                x_first: x_first as u32,
                factor: factor as u32,
            };
            let bindings = vec![
                Data::F32(noise(1, batch * x_channels * width * height * factor * factor)),
                Data::F32(vec![9.0; batch * channels * width * height]),
            ];
            let grid = Grid::Threads([width as u32, height as u32, (batch * channels) as u32]);
            Case::new(params, bindings, grid, Tolerance::sum(factor * factor, 1.0))
        })
        .collect()
}
