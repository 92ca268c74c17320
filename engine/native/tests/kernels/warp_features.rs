//! Cases of `warp_features`.

use vultus::compute::Grid;
use vultus_shaders::kernels::WarpFeaturesParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 1, 2, 0, 0), (2, 5, 14, 7, 3), (1, 13, 66, 5, 0), (3, 2, 16, 0, 2)]
        .into_iter()
        .map(|(batch, channels, size, coarse_channels, y_first)| {
            let half = size / 2;
            let params = WarpFeaturesParams {
                size: size as u32,
                batch: batch as u32,
                channels: channels as u32,
                coarse_channels: coarse_channels as u32,
                coarse_first: coarse_channels.min(3) as u32,
                y_channels: (channels + y_first + 1) as u32,
                y_first: y_first as u32,
            };
            let y_channels = channels + y_first + 1;
            // Flows that run out of the picture on all sides.
            let flow = |seed, len| noise(seed, len).iter().map(|v| 0.3 * v).collect::<Vec<f32>>();
            let bindings = vec![
                Data::F32(noise(1, batch * channels * size * size)),
                Data::F32(flow(2, batch * 2 * size * size)),
                Data::F32(flow(3, (batch * coarse_channels * half * half).max(1))),
                Data::F32(noise(4, batch * y_channels * size * size)),
            ];
            let grid = Grid::Threads([size as u32, size as u32, batch as u32]);
            // A position is exact to about `size` rounding steps, and neighbours differ by 2 at most.
            Case::new(params, bindings, grid, Tolerance::chain(2 * size, 1.0))
        })
        .collect()
}
