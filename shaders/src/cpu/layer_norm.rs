//! Twin of `layer_norm.wgsl`.

use crate::kernels::LayerNormParams;

/// Layer normalisation of each row of x (rows, width).
pub fn layer_norm(p: &LayerNormParams, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let width = p.width as usize;
    for (from, to) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).take(p.rows as usize) {
        let mean = sum(from.iter().copied()) / width as f32;
        let var = sum(from.iter().map(|v| (v - mean) * (v - mean))) / width as f32;
        let scale = 1.0 / (var + p.eps).sqrt();
        for i in 0..width {
            to[i] = (from[i] - mean) * scale * weight[i] + bias[i];
        }
    }
}

/// Sum in eight lanes, which vectorises and keeps the error low.
fn sum(values: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (i, v) in values.enumerate() {
        lanes[i % 8] += v;
    }
    lanes.iter().sum()
}
