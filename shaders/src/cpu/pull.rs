//! Twin of `pull.wgsl`.

use crate::kernels::PullParams;

/// One step down of a pull–push pyramid; see the WGSL file.
pub fn pull(p: &PullParams, fine: &[[f32; 4]], coarse: &mut [[f32; 4]]) {
    let [fw, fh, w, h] = [p.fine_width, p.fine_height, p.width, p.height].map(|v| v as usize);
    for y in 0..h {
        for x in 0..w {
            let mut sum = [0.0f32; 3];
            for fy in y * 2..(y * 2 + 2).min(fh) {
                for v in &fine[fy * fw + x * 2..fy * fw + (x * 2 + 2).min(fw)] {
                    sum = [sum[0] + v[0] * v[2], sum[1] + v[1] * v[2], sum[2] + v[2]];
                }
            }
            let k = sum[2].max(1e-6);
            coarse[y * w + x] = [sum[0] / k, sum[1] / k, sum[2].min(1.0), 0.0];
        }
    }
}
