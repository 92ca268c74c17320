//! Twin of `hef_blend.wgsl`.

use rayon::prelude::*;

use super::crop::Axis;
use super::field::mix;
use crate::kernels::HefBlendParams;

/// HEF's changes over the picture; see the WGSL file.
pub fn hef_blend(p: &HefBlendParams, result: &[f32], linear: &mut [[f32; 4]]) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let side = crop as f32;
    let columns = Axis { start: p.left, step: p.step, crop, size };
    let rows = Axis { start: p.top, ..columns };
    let places = columns.places();
    let inside = columns.inside(&places);
    linear.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each_init(
        || vec![0.0f32; 3 * crop],
        |colours, (row, to)| {
            let y = rows.place(row);
            if !y.inside(side) {
                return;
            }
            // Red, green and blue at this row first, then between its columns.
            let mut any = false;
            for (colour, from) in colours.chunks_exact_mut(crop).zip(result.chunks_exact(crop * crop)) {
                let (above, below) = from[y.first * crop..][..2 * crop].split_at(crop);
                for ((to, a), b) in colour.iter_mut().zip(above).zip(below) {
                    *to = mix(*a, *b, y.t);
                }
                any |= colour.iter().any(|v| *v != 0.0);
            }
            if !any {
                return;
            }
            for (pixel, x) in to[inside.clone()].iter_mut().zip(&places[inside.clone()]) {
                let change: [f32; 3] = std::array::from_fn(|c| {
                    let pair = &colours[c * crop + x.first..][..2];
                    mix(pair[0], pair[1], x.t)
                });
                if change == [0.0; 3] {
                    continue;
                }
                let margin = x.at.min(y.at).min(side - x.at).min(side - y.at);
                let share = (margin / p.fade).min(1.0);
                for (value, change) in pixel.iter_mut().zip(change) {
                    let light = (value.max(0.0).sqrt() + change * share).max(0.0);
                    *value = light * light;
                }
            }
        },
    );
}
