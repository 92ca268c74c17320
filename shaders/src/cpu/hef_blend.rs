//! Twin of `hef_blend.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use crate::kernels::HefBlendParams;

/// Where a pixel of the picture lies along one axis of the crop.
#[derive(Clone, Copy)]
struct Place {
    at: f32,
    first: usize,
    t: f32,
}

/// HEF's changes over the picture; see the WGSL file.
pub fn hef_blend(p: &HefBlendParams, result: &[f32], linear: &mut [[f32; 4]]) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let (side, plane) = (crop as f32, crop * crop);
    let place = |pixel: usize, start: f32| {
        let at = (pixel as f32 + 0.5 - start) / p.step;
        let q = (at - 0.5).max(0.0).min(side - 1.0);
        let first = (q as usize).min(crop - 2);
        Place { at, first, t: q - first as f32 }
    };
    let columns: Vec<Place> = (0..size).map(|x| place(x, p.left)).collect();
    let inside = |at: f32| at > 0.0 && at < side;
    let start = columns.iter().position(|c| inside(c.at)).unwrap_or(size);
    let end = columns.iter().rposition(|c| inside(c.at)).map_or(start, |last| last + 1);
    linear.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each_init(
        || [(); 3].map(|()| vec![0.0f32; crop]),
        |changes, (y, row)| {
            let y = place(y, p.top);
            if !inside(y.at) {
                return;
            }
            // This row of the changes first, then between its columns.
            let mut any = false;
            for (c, to) in changes.iter_mut().enumerate() {
                let (above, below) = result[c * plane + y.first * crop..][..2 * crop].split_at(crop);
                for ((to, a), b) in to.iter_mut().zip(above).zip(below) {
                    *to = mix(*a, *b, y.t);
                }
                any |= to.iter().any(|v| *v != 0.0);
            }
            if !any {
                return;
            }
            let [red, green, blue] = &*changes;
            for (pixel, x) in row[start..end].iter_mut().zip(&columns[start..end]) {
                let margin = x.at.min(y.at).min(side - x.at).min(side - y.at);
                let change = [red, green, blue].map(|v| {
                    let pair = &v[x.first..x.first + 2];
                    mix(pair[0], pair[1], x.t)
                });
                if change == [0.0; 3] {
                    continue;
                }
                let share = (margin / p.fade).min(1.0);
                let mut out = [0.0; 4];
                for (c, change) in [change[0], change[1], change[2], 0.0].into_iter().enumerate() {
                    let light = (pixel[c].max(0.0).sqrt() + change * share).max(0.0);
                    out[c] = light * light;
                }
                *pixel = [out[0], out[1], out[2], pixel[3]];
            }
        },
    );
}
