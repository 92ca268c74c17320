//! Twin of `eye_paint.wgsl`.

use rayon::prelude::*;

use super::field::Grid;
use super::math::smoothstep;
use crate::kernels::EyePaintParams;
use crate::shared::mesh::{NO_TRIANGLE, REGION_LEFT_EYE, REGION_RIGHT_EYE};

/// The colour of eyeballs that the portrait does not show; see the WGSL file.
pub fn eye_paint(
    p: &EyePaintParams,
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    triangles: &[[u32; 4]],
    look: &[[f32; 4]],
    eyes: &[[f32; 4]],
    mask: &[[f32; 2]],
    paint: &mut [[f32; 4]],
) {
    let (size, side) = (p.size as usize, p.side as usize);
    let (eyes, depths) = eyes.split_at(2 * side * side);
    let depths: &[f32] = depths.as_flattened();
    let portrait = Grid { cells: size, step: 1.0 };
    let (half, picture, middle) = (size / 2, Grid { cells: side, step: 1.0 }, 0.5 * p.side as f32);
    paint.par_chunks_mut(size).take(size).enumerate().with_min_len(16).for_each(|(y, out)| {
        let ids = &triangle_id[y * size..][..size];
        for x in 0..size {
            if ids[x] == NO_TRIANGLE {
                continue;
            }
            let t = triangles[ids[x] as usize];
            if !matches!(t[3], REGION_LEFT_EYE | REGION_RIGHT_EYE) {
                continue;
            }
            let [b0, b1] = barycentric[y * size + x];
            let b2 = 1.0 - b0 - b1;
            let pair = |row: usize| {
                let [a, b, c] = [t[0], t[1], t[2]].map(|v| look[v as usize * 3 + row]);
                [0, 1].map(|i| a[i] * b0 + b[i] * b1 + c[i] * b2)
            };
            let (from_there, d) = (pair(0), pair(2));
            let at = [middle + d[0] * p.scale, middle - d[1] * p.scale];
            let open = mask[(y / 2).min(half - 1) * half + (x / 2).min(half - 1)][1];
            let shadow = 1.0 - p.shade * (1.0 - smoothstep(0.35, 1.0, open));
            let base = (t[3] - REGION_LEFT_EYE) as usize * side * side;
            let [r, g, b] = picture.sample(at, |i| [eyes[base + i][0], eyes[base + i][1], eyes[base + i][2]]);
            let slid = smoothstep(0.3, 1.3, out[x][3]);
            let [depth] = portrait.sample(from_there, |i| [depths[i]]);
            let shown = smoothstep(-0.6, 0.4, depth) * (1.0 - slid);
            let closing = slid * (1.0 - smoothstep(0.05, 0.25, open));
            let shadow = shadow * (1.0 - 0.8 * closing);
            out[x] = [r * shadow, g * shadow, b * shadow, 1.0 - shown];
        }
    });
}
