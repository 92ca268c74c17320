//! Twin of `shade_vertices.wgsl`.

use crate::kernels::ShadeVerticesParams;
use crate::shared::harmonics::{Y_0, Y_1, Y_2, Y_20, Y_22};

/// albedo × spherical-harmonic light; shapes as in the WGSL file.
pub fn shade_vertices(
    p: &ShadeVerticesParams,
    normals: &[[f32; 4]],
    albedo: &[[f32; 4]],
    light: &[[f32; 4]],
    shaded: &mut [[f32; 4]],
) {
    for ((out, n), albedo) in shaded[..p.vertices as usize].iter_mut().zip(normals).zip(albedo) {
        let [x, y, z, _] = *n;
        for k in 0..3 {
            let g = |i: usize| light[i][k];
            let shade = Y_0 * g(0)
                + Y_1 * (y * g(1) + z * g(2) + x * g(3))
                + Y_2 * (x * y * g(4) + y * z * g(5) + x * z * g(7))
                + Y_20 * (3.0 * z * z - 1.0) * g(6)
                + Y_22 * (x * x - y * y) * g(8);
            out[k] = albedo[k] * shade.max(0.0);
        }
        out[3] = albedo[3];
    }
}
