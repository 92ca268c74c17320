//! Twin of `interior_mask.wgsl`.

use rayon::prelude::*;

use crate::kernels::InteriorMaskParams;
use crate::shared::mesh::{NO_TRIANGLE, REGION_LEFT_EYE, REGION_RIGHT_EYE, REGION_SKIN};

/// Share of mouth and of eyeball in each 2 × 2 block; see the WGSL file.
pub fn interior_mask(p: &InteriorMaskParams, triangle_id: &[u32], triangles: &[[u32; 4]], mask: &mut [[f32; 2]]) {
    let size = p.size as usize;
    let half = size / 2;
    mask.par_chunks_mut(half).take(half).enumerate().with_min_len(16).for_each(|(y, out)| {
        let (a, b) = (&triangle_id[y * 2 * size..][..size], &triangle_id[(y * 2 + 1) * size..][..size]);
        for x in 0..half {
            let mut sum = [0.0; 2];
            for f in [a[x * 2], a[x * 2 + 1], b[x * 2], b[x * 2 + 1]] {
                if f != NO_TRIANGLE {
                    match triangles[f as usize][3] {
                        REGION_SKIN => {}
                        REGION_LEFT_EYE | REGION_RIGHT_EYE => sum[1] += 0.25,
                        _ => sum[0] += 0.25,
                    }
                }
            }
            out[x] = sum;
        }
    });
}
