//! Twin of `hef_blend.wgsl`.

use rayon::prelude::*;

use super::crop::Axis;
use super::field::mix;
use super::hef_range::CELL;
use super::ycocg::ycocg;
use crate::kernels::HefBlendParams;

/// HEF's changes over the picture; see the WGSL file.
pub fn hef_blend(p: &HefBlendParams, result: &[f32], range: &[f32], linear: &mut [[f32; 4]]) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let side = crop as f32;
    let columns = Axis { start: p.left, step: p.step, crop, size };
    let rows = Axis { start: p.top, ..columns };
    let places = columns.places();
    let inside = columns.inside(&places);
    let cells = crop / CELL;
    let cell_columns = Axis { step: p.step * CELL as f32, crop: cells, ..columns };
    let cell_rows = Axis { start: p.top, ..cell_columns };
    let cell_places = cell_columns.places();
    linear.par_chunks_exact_mut(size).take(size).enumerate().with_min_len(8).for_each_init(
        || (vec![0.0f32; 3 * crop], vec![[0.0f32; 2]; cells]),
        |(colours, bounds), (row, to)| {
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
            let y_cell = cell_rows.place(row);
            for (x, to) in bounds.iter_mut().enumerate() {
                let at = |n: usize, y: usize| range[(n * cells + y) * cells + x];
                *to = [0, 3].map(|n| mix(at(n, y_cell.first), at(n, y_cell.first + 1), y_cell.t));
            }
            let across = places[inside.clone()].iter().zip(&cell_places[inside.clone()]);
            for (pixel, (x, cell)) in to[inside.clone()].iter_mut().zip(across) {
                let change: [f32; 3] = std::array::from_fn(|c| {
                    let pair = &colours[c * crop + x.first..][..2];
                    mix(pair[0], pair[1], x.t)
                });
                if change == [0.0; 3] {
                    continue;
                }
                let margin = x.at.min(y.at).min(side - x.at).min(side - y.at);
                let share = p.trust * (margin / p.fade).min(1.0);
                let root: [f32; 3] = std::array::from_fn(|c| pixel[c].max(0.0).sqrt());
                let grey = ycocg(change)[0] / ycocg(root)[0].max(0.05);
                let made: [f32; 3] = std::array::from_fn(|c| root[c] + mix(change[c], root[c] * grey, p.plain) * share);
                let (left, right) = (bounds[cell.first], bounds[cell.first + 1]);
                let bound = |n: usize| mix(left[n], right[n], cell.t);
                let (was, luma) = (ycocg(root)[0], ycocg(made)[0]);
                let more = luma.max(bound(0).min(was)).min(bound(1).max(was)) - luma;
                for (value, made) in pixel.iter_mut().zip(made) {
                    let light = (made + more).max(0.0);
                    *value = light * light;
                }
            }
        },
    );
}
