//! Twin of `depthwise_conv1d.wgsl`.

use super::math::gelu;
use crate::kernels::DepthwiseConv1dParams;

/// y += GELU(depthwise convolution along tokens); x, y (B, T, C), weight (C, taps).
pub fn depthwise_conv1d(p: &DepthwiseConv1dParams, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let (tokens, channels, first, taps) = (p.tokens as usize, p.channels as usize, p.first as usize, p.taps as usize);
    // Taps outermost, so that the inner loop runs along channels.
    let by_tap: Vec<f32> = (0..taps * channels).map(|i| weight[(i % channels) * taps + i / channels]).collect();
    let mut sum = vec![0.0; channels];
    for (from, to) in
        x.chunks_exact(tokens * channels).zip(y.chunks_exact_mut(tokens * channels)).take(p.batch as usize)
    {
        for t in first..tokens {
            sum.copy_from_slice(&bias[..channels]);
            for k in 0..taps {
                let at = t + k;
                if at >= first + taps / 2 && at < tokens + taps / 2 {
                    let line = &from[(at - taps / 2) * channels..][..channels];
                    for ((s, w), v) in sum.iter_mut().zip(&by_tap[k * channels..][..channels]).zip(line) {
                        *s += w * v;
                    }
                }
            }
            for (o, s) in to[t * channels..][..channels].iter_mut().zip(&sum) {
                *o += gelu(*s);
            }
        }
    }
}
