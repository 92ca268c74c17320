//! Twin of `tent_blur.wgsl`.

use rayon::prelude::*;

use crate::kernels::TentBlurParams;

/// A tent along one axis of a field of pairs; see the WGSL file.
pub fn tent_blur(p: &TentBlurParams, from_field: &[[f32; 2]], to_field: &mut [[f32; 2]]) {
    let (w, h, r) = (p.width as usize, p.height as usize, p.radius as usize);
    let scale = 1.0 / ((r + 1) * (r + 1)) as f32;
    to_field.par_chunks_mut(w).take(h).enumerate().with_min_len(16).for_each(|(y, out)| {
        // Most of the field is empty: a line whose window is empty stays so.
        let (top, end) = if p.dx == 1 { (y, y) } else { (y.saturating_sub(r), (y + r).min(h - 1)) };
        if from_field[top * w..(end + 1) * w].iter().all(|v| v[0] == 0.0 && v[1] == 0.0) {
            out.fill([0.0; 2]);
            return;
        }
        for x in 0..w {
            let mut sum = [0.0f32; 2];
            for i in 0..=2 * r {
                let k = if p.dx == 1 {
                    y * w + (x + i).saturating_sub(r).min(w - 1)
                } else {
                    (y + i).saturating_sub(r).min(h - 1) * w + x
                };
                let weight = (r + 1 - i.abs_diff(r)) as f32;
                sum = [sum[0] + from_field[k][0] * weight, sum[1] + from_field[k][1] * weight];
            }
            out[x] = [sum[0] * scale, sum[1] * scale];
        }
    });
}
