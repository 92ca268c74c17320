//! Twin of `depth_to_space.wgsl`.

use rayon::prelude::*;

use super::activation::{activate, planes_of_a_task};
use crate::kernels::DepthToSpaceParams;

/// Four channels to one of twice the sides; see the WGSL file.
pub fn depth_to_space(p: &DepthToSpaceParams, x: &[f32], y: &mut [f32]) {
    let (channels, width, height) = (p.channels as usize, p.width as usize, p.height as usize);
    let planes = y.par_chunks_exact_mut(4 * width * height).take(p.batch as usize * channels);
    planes.with_min_len(planes_of_a_task(4 * width * height)).enumerate().for_each(|(k, y)| {
        for (row, line) in y.chunks_exact_mut(2 * width).enumerate() {
            let from = |part: usize| {
                let plane = (k / channels * 4 + 2 * (row % 2) + part) * channels + k % channels;
                &x[(plane * height + row / 2) * width..][..width]
            };
            for ((pair, left), right) in line.chunks_exact_mut(2).zip(from(0)).zip(from(1)) {
                (pair[0], pair[1]) = (*left, *right);
            }
            activate(line, p.activation, 0.0);
        }
    });
}
