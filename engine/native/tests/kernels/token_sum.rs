//! Cases of `token_sum`.

use vultus::compute::Grid;
use vultus_shaders::kernels::TokenSumParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 33, 256), (3, 2, 345), (2, 17, 1)]
        .into_iter()
        .map(|(batch, tokens, channels)| {
            let params = TokenSumParams { batch: batch as u32, tokens: tokens as u32, channels: channels as u32 };
            let bindings = vec![
                Data::F32(noise(1, batch * (tokens - 1) * channels)),
                Data::F32(noise(2, channels)),
                Data::F32(noise(3, tokens * channels)),
                Data::F32(noise(4, batch * channels)),
                Data::F32(noise(5, batch)),
                Data::F32(vec![9.0; batch * tokens * channels]),
            ];
            Case::new(params, bindings, Grid::linear(batch * tokens * channels), Tolerance::chain(3, 1.0))
        })
        .collect()
}
