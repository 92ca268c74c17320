//! Twin of `triangle_stretch.wgsl`.

use super::math::smoothstep;
use crate::kernels::TriangleStretchParams;

/// How each triangle stretches the portrait; see the WGSL file.
pub fn triangle_stretch(
    p: &TriangleStretchParams,
    triangles: &[[u32; 4]],
    screen: &[[f32; 4]],
    fixed: &[[f32; 4]],
    stretch: &mut [[f32; 4]],
) {
    for (t, out) in triangles.iter().zip(stretch).take(p.triangles as usize) {
        let edge = |of: &[[f32; 4]], step: usize, i: usize| {
            let (a, b) = (of[t[0] as usize * step], of[t[i] as usize * step]);
            [b[0] - a[0], b[1] - a[1]]
        };
        let (d1, d2) = (edge(screen, 1, 1), edge(screen, 1, 2));
        let (s1, s2) = (edge(fixed, 4, 1), edge(fixed, 4, 2));
        let area = d1[1] * d2[0] - d1[0] * d2[1];
        let weight = smoothstep(0.02, 0.3, area);
        if weight <= 0.0 {
            *out = [0.0; 4];
            continue;
        }
        let k = -1.0 / area;
        let j00 = (s1[0] * d2[1] - s2[0] * d1[1]) * k;
        let j01 = (s2[0] * d1[0] - s1[0] * d2[0]) * k;
        let j10 = (s1[1] * d2[1] - s2[1] * d1[1]) * k;
        let j11 = (s2[1] * d1[0] - s1[1] * d2[0]) * k;
        let e = 0.5 * length(j00 + j11, j10 - j01);
        let g = 0.5 * length(j00 - j11, j10 + j01);
        let off = length(e - g - 1.0, e + g - 1.0).min(4.0);
        *out = [(e - g).max(0.0) * weight, off * weight, weight, 0.0];
    }
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}
