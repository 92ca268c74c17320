//! Twin of `vertex_normals.wgsl`.

use rayon::prelude::*;

use crate::kernels::VertexNormalsParams;

/// Area-weighted vertex normals; shapes as in the WGSL file.
pub fn vertex_normals(
    p: &VertexNormalsParams,
    positions: &[[f32; 4]],
    first: &[u32],
    fan: &[u32],
    normals: &mut [[f32; 4]],
) {
    let fan = fan.as_chunks::<2>().0;
    let out = normals[..p.vertices as usize].par_iter_mut().with_min_len(1024);
    out.zip(&positions[..p.vertices as usize]).enumerate().for_each(|(v, (normal, at))| {
        let mut sum = [0.0f32; 3];
        for [a, b] in &fan[first[v] as usize..first[v + 1] as usize] {
            let (a, b) = (&positions[*a as usize], &positions[*b as usize]);
            let (a, b) = ([a[0] - at[0], a[1] - at[1], a[2] - at[2]], [b[0] - at[0], b[1] - at[1], b[2] - at[2]]);
            sum[0] += a[1] * b[2] - a[2] * b[1];
            sum[1] += a[2] * b[0] - a[0] * b[2];
            sum[2] += a[0] * b[1] - a[1] * b[0];
        }
        let square = sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2];
        let scale = 1.0 / square.sqrt();
        *normal =
            if square > 1e-30 { [sum[0] * scale, sum[1] * scale, sum[2] * scale, 0.0] } else { [0.0, 0.0, 1.0, 0.0] };
    });
}
