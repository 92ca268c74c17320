//! Twin of `backdrop.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use crate::kernels::BackdropParams;

/// Another background behind a person; see the WGSL file.
pub fn backdrop(p: &BackdropParams, backdrop: &[[f32; 4]], person: &mut [[f32; 4]]) {
    let size = p.size as usize;
    let rows = person.par_chunks_exact_mut(size).zip(backdrop.par_chunks_exact(size)).take(size).with_min_len(8);
    rows.for_each(|(to, behind)| {
        for (own, behind) in to.iter_mut().zip(behind) {
            let alpha = own[3].clamp(0.0, 1.0);
            for c in 0..3 {
                own[c] = mix(own[c], own[c].max(0.0).min(alpha), p.hold) + (1.0 - alpha) * behind[c];
            }
            own[3] = 1.0;
        }
    });
}
