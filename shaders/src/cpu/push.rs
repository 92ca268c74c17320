//! Twin of `push.wgsl`.

use crate::kernels::PushParams;

/// One step up of a pull–push pyramid; see the WGSL file.
pub fn push(p: &PushParams, coarse: &[[f32; 4]], fine: &mut [[f32; 4]]) {
    let [w, h, cw, ch] = [p.width, p.height, p.coarse_width, p.coarse_height].map(|v| v as usize);
    let place = |v: usize, n: usize| {
        let q = (v as f32 * 0.5 - 0.25).clamp(0.0, n as f32 - 1.0);
        let i = q as usize;
        (i, (i + 1).min(n - 1), q - i as f32)
    };
    let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
    for y in 0..h {
        let (i, j, ty) = place(y, ch);
        for x in 0..w {
            let (l, r, tx) = place(x, cw);
            let v = &mut fine[y * w + x];
            for c in 0..2 {
                let top = mix(coarse[i * cw + l][c], coarse[i * cw + r][c], tx);
                let low = mix(coarse[j * cw + l][c], coarse[j * cw + r][c], tx);
                v[c] = mix(mix(top, low, ty), v[c], v[2]);
            }
            v[3] = 0.0;
        }
    }
}
