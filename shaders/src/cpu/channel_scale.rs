//! Twin of `channel_scale.wgsl`.

use rayon::prelude::*;

use super::activation::planes_of_a_task;
use crate::kernels::ChannelScaleParams;

/// y = x · s, a factor a channel; see the WGSL file.
pub fn channel_scale(p: &ChannelScaleParams, x: &[f32], s: &[f32], y: &mut [f32]) {
    let plane = p.plane as usize;
    let planes = y.par_chunks_exact_mut(plane).zip(x.par_chunks_exact(plane)).take(p.planes as usize);
    planes.with_min_len(planes_of_a_task(plane)).zip(s).for_each(|((y, x), s)| {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x * s;
        }
    });
}
