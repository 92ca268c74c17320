//! Twin of `attention.wgsl`.

use super::math::exp;
use crate::kernels::AttentionParams;

/// Multi-head self-attention; qkv (B, T, 3·D), y (B, T, D).
pub fn attention(p: &AttentionParams, qkv: &[f32], y: &mut [f32]) {
    let (tokens, heads, d) = (p.tokens as usize, p.heads as usize, p.head_dim as usize);
    let width = heads * d;
    // Keys of one head, transposed so that a query's scores are a sum of scaled rows.
    let mut keys = vec![0.0; d * tokens];
    let mut scores = vec![0.0; tokens];
    for (from, to) in
        qkv.chunks_exact(tokens * 3 * width).zip(y.chunks_exact_mut(tokens * width)).take(p.batch as usize)
    {
        for head in 0..heads {
            for t in 0..tokens {
                let k = &from[t * 3 * width + width + head * d..][..d];
                for i in 0..d {
                    keys[i * tokens + t] = k[i];
                }
            }
            for t in 0..tokens {
                let q = &from[t * 3 * width + head * d..][..d];
                scores.fill(0.0);
                for i in 0..d {
                    let s = q[i] * p.scale;
                    for (score, k) in scores.iter_mut().zip(&keys[i * tokens..][..tokens]) {
                        *score += s * k;
                    }
                }
                let top = scores.iter().copied().fold(f32::MIN, f32::max);
                let mut norm = 0.0;
                for s in &mut scores {
                    *s = exp(*s - top);
                    norm += *s;
                }
                let out = &mut to[t * width + head * d..][..d];
                out.fill(0.0);
                for (key, s) in scores.iter().enumerate() {
                    let weight = s / norm;
                    let v = &from[key * 3 * width + 2 * width + head * d..][..d];
                    for (o, v) in out.iter_mut().zip(v) {
                        *o += weight * v;
                    }
                }
            }
        }
    }
}
