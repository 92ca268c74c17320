//! Twin of `relax.wgsl`.

use rayon::prelude::*;

use crate::kernels::RelaxParams;

/// One Jacobi sweep of the membrane; see the WGSL file.
pub fn relax(p: &RelaxParams, cells: &[[f32; 4]], other: &[[f32; 2]], relaxed: &mut [[f32; 4]]) {
    let (w, h) = (p.width as usize, p.height as usize);
    relaxed.par_chunks_mut(w).take(h).enumerate().with_min_len(16).for_each(|(y, out)| {
        let (up, down) = (&cells[y.saturating_sub(1) * w..][..w], &cells[(y + 1).min(h - 1) * w..][..w]);
        let (here, other) = (&cells[y * w..][..w], &other[y * w..][..w]);
        for x in 0..w {
            let v = here[x];
            let (l, r) = (here[x.saturating_sub(1)], here[(x + 1).min(w - 1)]);
            for c in 0..2 {
                let mean = 0.25 * (l[c] + r[c] + up[x][c] + down[x][c]);
                out[x][c] = mean * (1.0 - v[2]) + v[c] * v[2] + p.add * other[x][c];
            }
            out[x][2] = v[2];
            out[x][3] = 0.0;
        }
    });
}
