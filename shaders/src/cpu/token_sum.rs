//! Twin of `token_sum.wgsl`.

use crate::kernels::TokenSumParams;

/// [μ·σ_base, audio] + PE + emotion; shapes as in the WGSL file.
pub fn token_sum(
    p: &TokenSumParams,
    audio: &[f32],
    sigma_base: &[f32],
    position: &[f32],
    emotion: &[f32],
    mu: &[f32],
    y: &mut [f32],
) {
    let (tokens, channels) = (p.tokens as usize, p.channels as usize);
    for batch in 0..p.batch as usize {
        for t in 0..tokens {
            for c in 0..channels {
                let v = if t == 0 {
                    mu[batch] * sigma_base[c]
                } else {
                    audio[(batch * (tokens - 1) + t - 1) * channels + c]
                };
                y[(batch * tokens + t) * channels + c] = v + position[t * channels + c] + emotion[batch * channels + c];
            }
        }
    }
}
