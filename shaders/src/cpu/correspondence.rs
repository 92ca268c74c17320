//! Twin of `correspondence.wgsl`.

use rayon::prelude::*;

use crate::kernels::CorrespondenceParams;

/// Depths from here on mean that the source shows nothing.
const EMPTY: f32 = 1e8;

/// Source position, depth and visibility of every pixel; shapes as in the WGSL file.
pub fn correspondence(
    p: &CorrespondenceParams,
    triangles: &[[u32; 4]],
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    source: &[[f32; 4]],
    margin: &[f32],
    source_depth: &[f32],
    out: &mut [[f32; 4]],
) {
    let size = p.size as usize;
    let pixels = size * size;
    let from = triangle_id[..pixels].par_iter().zip(&barycentric[..pixels]);
    out[..pixels].par_iter_mut().zip(from).with_min_len(8192).for_each(|(out, (index, b))| {
        if *index == u32::MAX {
            *out = [0.0, 0.0, 1e9, 0.0];
            return;
        }
        let t = triangles[*index as usize];
        let (c0, c1, c2) = (&source[t[0] as usize], &source[t[1] as usize], &source[t[2] as usize]);
        let (w0, w1, w2) = (b[0], b[1], 1.0 - b[0] - b[1]);
        let mut s = [0.0; 4];
        for k in 0..4 {
            s[k] = w0 * c0[k] + w1 * c1[k] + w2 * c2[k];
        }
        let inverse = 1.0 / s[2];
        let at = [s[0] * inverse, s[1] * inverse];
        let allowed = margin[*index as usize];
        let mut visible = 0.0;
        if allowed > 0.0 {
            let (last, sharpness) = (size as f32 - 1.0, 1.0 / allowed);
            let (gx, gy) = ((at[0] - 0.5).clamp(0.0, last), (at[1] - 0.5).clamp(0.0, last));
            let (ix, iy) = ((gx as usize).min(size - 2), (gy as usize).min(size - 2));
            let f = [gx - ix as f32, gy - iy as f32];
            let k = iy * size + ix;
            let near = [source_depth[k], source_depth[k + 1], source_depth[k + size], source_depth[k + size + 1]];
            let mut seen = [0.0; 4];
            for (seen, near) in seen.iter_mut().zip(near) {
                let behind = ((s[2] - near) * sharpness - 1.0).clamp(0.0, 1.0);
                *seen = if near < EMPTY { 1.0 - behind * behind * (3.0 - 2.0 * behind) } else { 0.0 };
            }
            let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
            visible = mix(mix(seen[0], seen[1], f[0]), mix(seen[2], seen[3], f[0]), f[1]);
        }
        *out = [at[0], at[1], s[2], visible];
    });
}
