//! Twin of `correspondence.wgsl`.

use rayon::prelude::*;

use crate::kernels::CorrespondenceParams;

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
        let corners = [0, 1, 2].map(|k| &source[t[k] as usize]);
        let weights = [b[0], b[1], 1.0 - b[0] - b[1]];
        let s = [0, 1, 2].map(|k| weights[0] * corners[0][k] + weights[1] * corners[1][k] + weights[2] * corners[2][k]);
        let at = [s[0] / s[2], s[1] / s[2]];
        let allowed = margin[*index as usize];
        let mut visible = 0.0;
        if allowed > 0.0 {
            let last = size as f32 - 1.0;
            let g = at.map(|v| (v - 0.5).clamp(0.0, last));
            let i = g.map(|v| (v as usize).min(size - 2));
            let f = [g[0] - i[0] as f32, g[1] - i[1] as f32];
            let k = i[1] * size + i[0];
            let near = [source_depth[k], source_depth[k + 1], source_depth[k + size], source_depth[k + size + 1]];
            let seen = near.map(|near| {
                let behind = ((s[2] - near) / allowed - 1.0).clamp(0.0, 1.0);
                1.0 - behind * behind * (3.0 - 2.0 * behind)
            });
            let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
            visible = mix(mix(seen[0], seen[1], f[0]), mix(seen[2], seen[3], f[0]), f[1]);
        }
        *out = [at[0], at[1], s[2], visible];
    });
}
