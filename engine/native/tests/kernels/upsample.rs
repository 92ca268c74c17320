//! Cases of `upsample`.

use vultus::compute::Grid;
use vultus_shaders::kernels::UpsampleParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 1, [1, 1], [0, 0], 0), (2, 5, [7, 3], [2, 1], 1), (1, 19, [33, 17], [0, 4], 0), (3, 2, [4, 64], [3, 3], 1)]
        .into_iter()
        .map(|(batch, channels, [width, height], [x_first, y_first], accumulate)| {
            let params = UpsampleParams {
                width: width as u32,
                height: height as u32,
                batch: batch as u32,
                channels: channels as u32,
                x_channels: (channels + x_first) as u32,
                x_first: x_first as u32,
                y_channels: (channels + y_first + 1) as u32,
                y_first: y_first as u32,
                accumulate,
            };
            let bindings = vec![
                Data::F32(noise(1, batch * (channels + x_first) * width * height)),
                Data::F32(noise(2, batch * (channels + y_first + 1) * 4 * width * height)),
            ];
            let grid = Grid::Threads([2 * width as u32, 2 * height as u32, (batch * channels) as u32]);
            Case::new(params, bindings, grid, Tolerance::sum(8, 1.0))
        })
        .collect()
}
