//! Cases of `depthwise_conv1d`.

use vultus::compute::Grid;
use vultus_shaders::kernels::DepthwiseConv1dParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 33, 256, 1, 7), (2, 5, 3, 0, 7), (3, 345, 17, 2, 3), (1, 2, 1757, 1, 1)]
        .into_iter()
        .map(|(batch, tokens, channels, first, taps)| {
            let params = DepthwiseConv1dParams {
                batch: batch as u32,
                tokens: tokens as u32,
                channels: channels as u32,
                first: first as u32,
                taps: taps as u32,
            };
            let len = batch * tokens * channels;
            let bindings = vec![
                Data::F32(noise(1, len)),
                Data::F32(noise(2, channels * taps)),
                Data::F32(noise(3, channels)),
                Data::F32(noise(4, len)),
            ];
            Case::new(
                params,
                bindings,
                Grid::linear(batch * (tokens - first) * channels),
                Tolerance::sum(taps + 8, 2.0),
            )
        })
        .collect()
}
