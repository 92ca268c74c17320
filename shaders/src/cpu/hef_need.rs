//! Twin of `hef_need.wgsl`.

use rayon::prelude::*;

use crate::kernels::HefNeedParams;
use crate::shared::hef_channels::DRIVEN_NEED;

const REACH: [f32; 3] = [1.0, 0.75, 0.35];

/// Need, reaching two pixels further; see the WGSL file.
pub fn hef_need(p: &HefNeedParams, need: &[f32], driven: &mut [f32]) {
    let crop = p.crop as usize;
    let channel = &mut driven[DRIVEN_NEED as usize * crop * crop..][..crop * crop];
    channel.par_chunks_exact_mut(crop).enumerate().with_min_len(16).for_each_init(
        || vec![0.0f32; crop + 4],
        |column, (y, out)| {
            // Down the columns first, then along the row: weights are products.
            column.fill(0.0);
            for from in y.max(2) - 2..(y + 3).min(crop) {
                let weight = REACH[from.abs_diff(y)];
                for (most, v) in column[2..].iter_mut().zip(&need[from * crop..][..crop]) {
                    *most = most.max(v * weight);
                }
            }
            for (to, five) in out.iter_mut().zip(column.windows(5)) {
                *to = five[2].max(five[1].max(five[3]) * REACH[1]).max(five[0].max(five[4]) * REACH[2]);
            }
        },
    );
}
