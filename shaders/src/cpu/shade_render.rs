//! Twin of `shade_render.wgsl`.

use rayon::prelude::*;

use crate::kernels::ShadeRenderParams;
use crate::shared::mesh::NO_TRIANGLE;

/// Colours interpolated over the drawn triangles; shapes as in the WGSL file.
pub fn shade_render(
    p: &ShadeRenderParams,
    triangles: &[[u32; 4]],
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    shaded: &[[f32; 4]],
    rendered: &mut [[f32; 4]],
) {
    let pixels = p.pixels as usize;
    let from = triangle_id[..pixels].par_iter().zip(&barycentric[..pixels]);
    rendered[..pixels].par_iter_mut().zip(from).with_min_len(8192).for_each(|(color, (index, b))| {
        if *index == NO_TRIANGLE {
            *color = [0.0; 4];
            return;
        }
        let t = triangles[*index as usize];
        let (c0, c1, c2) = (&shaded[t[0] as usize], &shaded[t[1] as usize], &shaded[t[2] as usize]);
        let (w0, w1, w2) = (b[0], b[1], 1.0 - b[0] - b[1]);
        for k in 0..4 {
            color[k] = w0 * c0[k] + w1 * c1[k] + w2 * c2[k];
        }
    });
}
