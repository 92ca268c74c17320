//! Twin of `crop_by_matrix.wgsl`.

use super::field::mix;
use crate::kernels::CropByMatrixParams;

/// A crop that a matrix places; see the WGSL file.
pub fn crop_by_matrix(p: &CropByMatrixParams, x: &[f32], m: &[f32], y: &mut [f32]) {
    let (channels, in_w, in_h) = (p.channels as usize, p.in_w as usize, p.in_h as usize);
    let (out_w, out_h) = (p.out_w as usize, p.out_h as usize);
    let (right, bottom) = (in_w as f32 - 1.0, in_h as f32 - 1.0);
    // (first pixel of four, how far right of it and below it), once for all channels.
    let mut spots = Vec::with_capacity(out_w * out_h);
    let pictures = y.chunks_exact_mut(channels * out_w * out_h).zip(x.chunks_exact(channels * in_w * in_h));
    for (batch, (y, x)) in pictures.take(p.batch as usize).enumerate() {
        let m = &m[batch * p.matrix_stride as usize + p.matrix_at as usize..][..6];
        spots.clear();
        spots.extend((0..out_w * out_h).map(|k| {
            let (i, j) = ((k % out_w) as f32 + 0.5, (k / out_w) as f32 + 0.5);
            let (u, v) = (m[0] * i + m[1] * j + m[2] - 0.5, m[3] * i + m[4] * j + m[5] - 0.5);
            (u >= 0.0 && v >= 0.0 && u <= right && v <= bottom).then(|| {
                let (col, row) = (u as usize, v as usize);
                let (next, below) = ((col + 1).min(in_w - 1), (row + 1).min(in_h - 1) * in_w);
                let at = [row * in_w + col, row * in_w + next, below + col, below + next];
                (at, u - col as f32, v - row as f32)
            })
        }));
        for (to, from) in y.chunks_exact_mut(out_w * out_h).zip(x.chunks_exact(in_w * in_h)) {
            for (v, spot) in to.iter_mut().zip(&spots) {
                *v = spot.map_or(0.0, |(at, tx, ty)| {
                    let [a, b, c, d] = at.map(|k| from[k]);
                    mix(mix(a, b, tx), mix(c, d, tx), ty)
                });
            }
        }
    }
}
