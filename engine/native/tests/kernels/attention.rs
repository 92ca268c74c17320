//! Cases of `attention`.

use vultus::compute::Grid;
use vultus_shaders::kernels::AttentionParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 33, 8, 32), (3, 5, 2, 64), (2, 345, 1, 3), (1, 1, 1, 1)]
        .into_iter()
        .map(|(batch, tokens, heads, head_dim)| {
            let params = AttentionParams {
                batch: batch as u32,
                tokens: tokens as u32,
                heads: heads as u32,
                head_dim: head_dim as u32,
                scale: 1.0 / (head_dim as f32).sqrt(),
            };
            let width = heads * head_dim;
            let qkv: Vec<f32> = noise(1, batch * tokens * 3 * width).iter().map(|v| v * 4.0).collect();
            let bindings = vec![Data::F32(qkv), Data::F32(vec![9.0; batch * tokens * width])];
            // A score's error (a sum over head_dim of products up to 16) goes through exp, then a sum over tokens.
            let tolerance = Tolerance::sum(head_dim * 16 + tokens, 8.0);
            Case::new(params, bindings, Grid::linear(batch * heads * tokens), tolerance)
        })
        .collect()
}
