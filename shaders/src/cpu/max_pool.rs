//! Twin of `max_pool.wgsl`.

use rayon::prelude::*;

use super::activation::planes_of_a_task;
use crate::kernels::MaxPoolParams;

/// Largest of 2 × 2 pixels; see the WGSL file.
pub fn max_pool(p: &MaxPoolParams, x: &[f32], y: &mut [f32]) {
    let (in_w, in_h) = (p.in_w as usize, p.in_h as usize);
    let (out_w, out_h) = (in_w / 2, in_h / 2);
    let planes = y.par_chunks_exact_mut(out_w * out_h).zip(x.par_chunks_exact(in_w * in_h)).take(p.planes as usize);
    planes.with_min_len(planes_of_a_task(out_w * out_h)).for_each(|(y, x)| {
        for (to, two) in y.chunks_exact_mut(out_w).zip(x.chunks_exact(2 * in_w)) {
            let (above, below) = two.split_at(in_w);
            for ((v, a), b) in to.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
                *v = a[0].max(a[1]).max(b[0].max(b[1]));
            }
        }
    });
}
