//! Twin of `shade_render.wgsl`.

use rayon::prelude::*;

use crate::kernels::ShadeRenderParams;

/// Colours interpolated over the drawn triangles; shapes as in the WGSL file.
pub fn shade_render(
    p: &ShadeRenderParams,
    triangles: &[[u32; 4]],
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    shaded: &[[f32; 4]],
    rendered: &mut [[f32; 4]],
    region: &mut [u32],
) {
    let pixels = p.pixels as usize;
    let out = rendered[..pixels].par_iter_mut().zip(region[..pixels].par_iter_mut());
    let from = triangle_id[..pixels].par_iter().zip(&barycentric[..pixels]);
    out.zip(from).with_min_len(8192).for_each(|((color, kind), (index, b))| {
        if *index == u32::MAX {
            (*color, *kind) = ([0.0; 4], 255);
            return;
        }
        let t = triangles[*index as usize];
        let (c0, c1, c2) = (&shaded[t[0] as usize], &shaded[t[1] as usize], &shaded[t[2] as usize]);
        let (w0, w1, w2) = (b[0], b[1], 1.0 - b[0] - b[1]);
        for k in 0..4 {
            color[k] = w0 * c0[k] + w1 * c1[k] + w2 * c2[k];
        }
        *kind = t[3];
    });
}
