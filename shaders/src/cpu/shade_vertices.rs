//! Twin of `shade_vertices.wgsl`.

use crate::kernels::ShadeVerticesParams;

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
            let shade = 0.282095 * g(0)
                + 0.488603 * (y * g(1) + z * g(2) + x * g(3))
                + 1.092548 * (x * y * g(4) + y * z * g(5) + x * z * g(7))
                + 0.315392 * (3.0 * z * z - 1.0) * g(6)
                + 0.546274 * (x * x - y * y) * g(8);
            out[k] = albedo[k] * shade.max(0.0);
        }
        out[3] = albedo[3];
    }
}
