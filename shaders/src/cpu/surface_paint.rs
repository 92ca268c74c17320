//! Twin of `surface_paint.wgsl`.

use rayon::prelude::*;

use super::field::{Grid, mix};
use super::math::smoothstep;
use crate::kernels::SurfacePaintParams;
use crate::shared::mesh::{NO_TRIANGLE, REGION_LEFT_EYE, REGION_RIGHT_EYE, REGION_SKIN, REGION_TEETH};

/// Where each pixel looks in the portrait and what is laid over it; see the WGSL file.
pub fn surface_paint(
    p: &SurfacePaintParams,
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    triangles: &[[u32; 4]],
    look: &[[f32; 4]],
    outer: &[[f32; 4]],
    mask: &[[f32; 2]],
    warp: &mut [[f32; 4]],
    paint: &mut [[f32; 4]],
) {
    let size = p.size as usize;
    let (cells, step) = (p.cells as usize, p.step as f32);
    let half = Grid { cells: size / 2, step: 2.0 };
    let place = |pixel: usize| {
        let q = ((pixel as f32 + 0.5) / step - 0.5).max(0.0).min(cells as f32 - 1.0);
        let first = (q as usize).min(cells - 2);
        (first, q - first as f32)
    };
    let columns: Vec<(usize, f32)> = (0..size).map(place).collect();
    let rows = warp.par_chunks_mut(size).zip(paint.par_chunks_mut(size)).enumerate().take(size);
    let scratch = || (vec![[0.0f32; 2]; cells], vec![[0.0f32; 2]; size]);
    rows.with_min_len(8).for_each_init(scratch, |(line, around), (y, (warp, paint))| {
        // The outer flow at this row first, then between its columns: where every pixel would look that is no face.
        let (first, ty) = place(y);
        let (above, below) = outer[first * cells..][..2 * cells].split_at(cells);
        for ((to, a), b) in line.iter_mut().zip(above).zip(below) {
            *to = [mix(a[0], b[0], ty), mix(a[1], b[1], ty)];
        }
        for (x, (to, (first, t))) in around.iter_mut().zip(&columns).enumerate() {
            let pair = &line[*first..*first + 2];
            let flow = [0, 1].map(|i| mix(pair[0][i], pair[1][i], *t));
            *to = [x as f32 + 0.5 + flow[0], y as f32 + 0.5 + flow[1]];
        }
        for x in 0..size {
            let k = y * size + x;
            let at = [x as f32 + 0.5, y as f32 + 0.5];
            let around = around[x];
            if triangle_id[k] == NO_TRIANGLE {
                warp[x] = [around[0], around[1], 1.0, 0.0];
                paint[x] = [0.0; 4];
                continue;
            }
            let t = triangles[triangle_id[k] as usize];
            let [b0, b1] = barycentric[k];
            let b2 = 1.0 - b0 - b1;
            let [va, vb, vc] = [t[0], t[1], t[2]].map(|v| v as usize * 3);
            let row = |r: usize| -> [f32; 4] {
                let (a, b, c) = (&look[va + r], &look[vb + r], &look[vc + r]);
                std::array::from_fn(|i| a[i] * b0 + b[i] * b1 + c[i] * b2)
            };
            let (l0, l1) = (row(0), row(1));
            if t[3] == REGION_SKIN {
                let l2 = row(2);
                let own = smoothstep(0.1, 0.95, l0[2]);
                warp[x] = [mix(around[0], l0[0], own), mix(around[1], l0[1], own), mix(1.0, l1[3], own), l2[0]];
                paint[x] = [l1[0], l1[1], l1[2], (1.0 - l0[3]) * own];
                continue;
            }
            warp[x] = [l0[0], l0[1], 1.0, 0.0];
            if matches!(t[3], REGION_LEFT_EYE | REGION_RIGHT_EYE) {
                let d = [l0[0] - around[0], l0[1] - around[1]];
                paint[x] = [0.0, 0.0, 0.0, (d[0] * d[0] + d[1] * d[1]).sqrt()];
                continue;
            }
            let [edge] = half.sample(at, |i| [mask[i][0]]);
            let [above] = half.sample([at[0], at[1] - p.under_lip], |i| [mask[i][0]]);
            let shadow = (0.48 + 0.52 * smoothstep(0.2, 1.0, edge)) * (0.55 + 0.45 * smoothstep(0.0, 0.9, above));
            let [r, g, b] = p.tint.map(|t| shadow * (1.0 + (1.0 - shadow) * t));
            let through = if t[3] == REGION_TEETH { 0.0 } else { 1.0 - smoothstep(0.1, 0.7, edge) };
            let lips = p.lips;
            paint[x] = [
                l1[0] * r + lips[0] * through,
                l1[1] * g + lips[1] * through,
                l1[2] * b + lips[2] * through,
                1.0 - l0[3],
            ];
        }
    });
}
