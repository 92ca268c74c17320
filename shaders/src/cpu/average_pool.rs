//! Twin of `average_pool.wgsl`.

use rayon::prelude::*;

use crate::kernels::AveragePoolParams;

/// Means over squares of pixels; see the WGSL file.
pub fn average_pool(p: &AveragePoolParams, x: &[f32], y: &mut [f32]) {
    let (width, height, channels, factor) =
        (p.width as usize, p.height as usize, p.channels as usize, p.factor as usize);
    let share = 1.0 / (factor * factor) as f32;
    y.par_chunks_exact_mut(width).take(p.batch as usize * channels * height).with_min_len(16).enumerate().for_each(
        |(line, out)| {
            let (plane, row) = (line / height, line % height);
            let channel = plane / channels * p.x_channels as usize + p.x_first as usize + plane % channels;
            let rows = &x[(channel * height + row) * factor * width * factor..][..factor * width * factor];
            out.fill(0.0);
            for from in rows.chunks_exact(width * factor) {
                for (to, some) in out.iter_mut().zip(from.chunks_exact(factor)) {
                    *to += some.iter().sum::<f32>();
                }
            }
            for v in out {
                *v *= share;
            }
        },
    );
}
