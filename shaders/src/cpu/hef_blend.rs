//! Twin of `hef_blend.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use crate::kernels::HefBlendParams;

/// HEF's changes over the picture; see the WGSL file.
pub fn hef_blend(p: &HefBlendParams, result: &[f32], linear: &mut [[f32; 4]]) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let (side, plane) = (crop as f32, crop * crop);
    linear.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each(|(y, row)| {
        let at_y = (y as f32 + 0.5 - p.top) / p.step;
        if at_y <= 0.0 || at_y >= side {
            return;
        }
        let qy = (at_y - 0.5).max(0.0).min(side - 1.0);
        let iy = (qy as i32 as usize).min(crop - 2);
        let ty = qy - iy as f32;
        for (x, pixel) in row.iter_mut().enumerate() {
            let at_x = (x as f32 + 0.5 - p.left) / p.step;
            let margin = at_x.min(at_y).min(side - at_x).min(side - at_y);
            if margin <= 0.0 {
                continue;
            }
            let qx = (at_x - 0.5).max(0.0).min(side - 1.0);
            let ix = (qx as i32 as usize).min(crop - 2);
            let tx = qx - ix as f32;
            let mut change = [0.0f32; 3];
            for (c, change) in change.iter_mut().enumerate() {
                let square = &result[c * plane + iy * crop + ix..][..crop + 2];
                *change = mix(mix(square[0], square[1], tx), mix(square[crop], square[crop + 1], tx), ty);
            }
            if change == [0.0; 3] {
                continue;
            }
            let share = (margin / p.fade).min(1.0);
            for c in 0..3 {
                let light = (pixel[c].max(0.0).sqrt() + change[c] * share).max(0.0);
                pixel[c] = light * light;
            }
        }
    });
}
