//! Twin of `linear.wgsl`.

use super::{gemm::product, math::gelu};
use crate::kernels::LinearParams;

/// y = act(x · Wᵀ + b), or y += that. Shapes and row maps as in the WGSL file.
pub fn linear(p: &LinearParams, x: &[[f32; 4]], w: &[[f32; 4]], b: &[f32], y: &mut [f32]) {
    let (rows, cols, inner) = (p.rows as usize, p.cols as usize, p.inner as usize);
    let (x, w): (&[f32], &[f32]) = (x.as_flattened(), w.as_flattened());
    let row = |r: usize, group: u32, stride: u32, first: u32| {
        (r / group as usize) * stride as usize + first as usize + r % group as usize
    };
    // A run of rows that lies evenly spaced in both tensors is one product.
    let run = (p.x_group.min(p.y_group) as usize).min(rows);
    let plain = p.activation == 0;
    let mut scratch = vec![0.0; if plain { 0 } else { run * cols }];
    let mut at = 0;
    while at < rows {
        let left_x = p.x_group as usize - at % p.x_group as usize;
        let left_y = p.y_group as usize - at % p.y_group as usize;
        let m = run.min(left_x).min(left_y).min(rows - at);
        let xs = &x[row(at, p.x_group, p.x_stride, p.x_first) * inner..];
        let ys = &mut y[row(at, p.y_group, p.y_stride, p.y_first) * cols..][..m * cols];
        if plain {
            for line in ys.chunks_exact_mut(cols) {
                for (v, b) in line.iter_mut().zip(b) {
                    *v = if p.accumulate == 1 { *v + b } else { *b };
                }
            }
            product(m, cols, inner, xs, inner, w, ys, cols, true);
        } else {
            product(m, cols, inner, xs, inner, w, &mut scratch, cols, false);
            for (line, made) in ys.chunks_exact_mut(cols).zip(scratch.chunks_exact(cols)) {
                for ((v, s), b) in line.iter_mut().zip(made).zip(b) {
                    let g = gelu(s + b);
                    *v = if p.accumulate == 1 { *v + g } else { g };
                }
            }
        }
        at += m;
    }
}
