//! Twin of `hef_blend.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use crate::kernels::HefBlendParams;

const MATTE: usize = 3;
const NEED: usize = 13;

/// Where a pixel of the picture lies along one axis of the crop.
#[derive(Clone, Copy)]
struct Place {
    at: f32,
    first: usize,
    t: f32,
}

/// HEF's changes over the picture; see the WGSL file.
pub fn hef_blend(p: &HefBlendParams, result: &[f32], driven: &[f32], linear: &mut [[f32; 4]]) {
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
    let cut_out = p.cut_out == 1;
    // Red, green, blue, and of a person who is cut out matte and need.
    let planes = if cut_out { 5 } else { 3 };
    linear.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each_init(
        || vec![0.0f32; planes * crop],
        |rows, (y, row)| {
            let y = place(y, p.top);
            if !inside(y.at) {
                return;
            }
            // These planes at this row first, then between its columns.
            let mut any = cut_out;
            for (c, to) in rows.chunks_exact_mut(crop).enumerate() {
                let from = match c {
                    0..3 => &result[c * plane..],
                    3 => &result[MATTE * plane..],
                    _ => &driven[NEED * plane..],
                };
                let (above, below) = from[y.first * crop..][..2 * crop].split_at(crop);
                for ((to, a), b) in to.iter_mut().zip(above).zip(below) {
                    *to = mix(*a, *b, y.t);
                }
                any |= to.iter().any(|v| *v != 0.0);
            }
            if !any {
                return;
            }
            for (pixel, x) in row[start..end].iter_mut().zip(&columns[start..end]) {
                let at = |c: usize| {
                    let pair = &rows[c * crop + x.first..][..2];
                    mix(pair[0], pair[1], x.t)
                };
                let change = [at(0), at(1), at(2)];
                let margin = x.at.min(y.at).min(side - x.at).min(side - y.at);
                let share = (margin / p.fade).min(1.0);
                let before = pixel[3];
                let alpha = if cut_out { mix(before, at(3).clamp(0.0, 1.0), at(4) * share) } else { before };
                if change == [0.0; 3] && alpha == before {
                    continue;
                }
                let whole = before.max(1e-4);
                for (value, change) in pixel.iter_mut().zip(change) {
                    let light = ((value.max(0.0) / whole).sqrt() + change * share).max(0.0);
                    *value = light * light * alpha;
                }
                pixel[3] = alpha;
            }
        },
    );
}
