//! Twin of `blendshape_sum.wgsl`.

use rayon::prelude::*;

use crate::kernels::BlendshapeSumParams;

const BLOCK: usize = 64;

/// neutral + Σ coefficient · component over a block-sparse basis; shapes as in the WGSL file. Blocks skip the components that rest.
pub fn blendshape_sum(
    p: &BlendshapeSumParams,
    neutral: &[f32],
    basis: &[f32],
    first: &[u32],
    component: &[u32],
    coefficients: &[f32],
    sum: &mut [f32],
) {
    let blocks = sum.as_chunks_mut::<BLOCK>().0[..p.blocks as usize].par_iter_mut().with_min_len(32);
    let basis = basis.as_chunks::<BLOCK>().0;
    blocks.zip(neutral.as_chunks::<BLOCK>().0).enumerate().for_each(|(block, (out, start))| {
        let mut total = *start;
        for e in first[block] as usize..first[block + 1] as usize {
            let c = coefficients[component[e] as usize];
            if c != 0.0 {
                for (t, b) in total.iter_mut().zip(&basis[e]) {
                    *t += c * b;
                }
            }
        }
        *out = total;
    });
}
