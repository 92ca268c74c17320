//! Twin of `activation_add.wgsl`.

use rayon::prelude::*;

use super::activation::{activate, planes_of_a_task};
use crate::kernels::ActivationAddParams;

/// y = act(a + b); see the WGSL file.
pub fn activation_add(p: &ActivationAddParams, a: &[f32], b: &[f32], slopes: &[f32], y: &mut [f32]) {
    let (channels, b_channels, plane) = (p.channels as usize, p.b_channels as usize, p.plane as usize);
    let planes = y.par_chunks_exact_mut(plane).zip(a.par_chunks_exact(plane)).take(p.batch as usize * channels);
    planes.with_min_len(planes_of_a_task(plane)).enumerate().for_each(|(k, (y, a))| {
        let channel = k % channels;
        if channel < b_channels {
            let b = &b[(k / channels * b_channels + channel) * plane..][..plane];
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = a + b;
            }
        } else {
            y.copy_from_slice(a);
        }
        // One slope may be there for none.
        activate(y, p.activation, slopes.get(channel).copied().unwrap_or(0.0));
    });
}
