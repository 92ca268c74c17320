//! Twin of `demodulate.wgsl`.

use rayon::prelude::*;

use crate::kernels::DemodulateParams;

/// 1 / √(Σ s² Σ W² + ε) for each output channel of each modulated layer; see the WGSL file.
pub fn demodulate(p: &DemodulateParams, scale: &[f32], outputs: &[[u32; 4]], power: &[f32], y: &mut [f32]) {
    let per = p.outputs as usize;
    y.par_iter_mut().take(p.batch as usize * per).with_min_len(64).enumerate().for_each(|(k, y)| {
        let [row, first, count, _] = outputs[k % per].map(|v| v as usize);
        let scales = &scale[k / per * p.scales as usize + first..][..count];
        // Eight sums side by side, so that the additions do not wait for one another.
        let mut sums = [0.0f32; 8];
        let (power, scales) = (power[row..][..count].chunks(8), scales.chunks(8));
        for (w, s) in power.zip(scales) {
            for ((sum, w), s) in sums.iter_mut().zip(w).zip(s) {
                *sum += s * s * w;
            }
        }
        *y = 1.0 / (sums.iter().sum::<f32>() + p.epsilon).sqrt();
    });
}
