//! Twin of `hef_bound.wgsl`.

use rayon::prelude::*;

use super::crop::Axis;
use super::field::mix;
use super::hef_range::CELL;
use super::planes::Planes;
use super::ycocg::{rgb, ycocg};
use crate::kernels::HefBoundParams;
use crate::shared::hef_channels::{DRIVEN_MOUTH, RESULT_CHANNELS, RESULT_DELTA};
use crate::shared::hef_range::DARK;

const MOUTH: usize = DRIVEN_MOUTH as usize;
const RESULT: usize = RESULT_CHANNELS as usize;
/// See the WGSL file.
const PAINTED: [f32; 3] = [0.03, 0.015, 0.015];
/// Rows that a task holds.
const ROWS: usize = 8;

/// HEF's colours, held to those nearby; see the WGSL file.
pub fn hef_bound(p: &HefBoundParams, driven: &[f32], range: &[f32], result: &mut [f32]) {
    let crop = p.crop as usize;
    let (cells, plane) = (crop / CELL, crop * crop);
    let axis = Axis { start: 0.0, step: CELL as f32, crop: cells, size: crop };
    let columns = axis.places();
    let planes = Planes { batch: 1, total: RESULT, first: RESULT_DELTA as usize, count: 3, width: crop, height: crop };
    let mut pieces = planes.cut(result, ROWS, RESULT);
    pieces.par_iter_mut().with_max_len(1).for_each_init(
        || vec![[0.0f32; 6]; cells],
        |bounds, piece| {
            let row = piece.row;
            let [red, green, blue] = &mut piece.lines[..] else { return };
            let lines = red.chunks_exact_mut(crop).zip(green.chunks_exact_mut(crop)).zip(blue.chunks_exact_mut(crop));
            for (r, ((red, green), blue)) in lines.enumerate() {
                let y = axis.place(row + r);
                // The bounds at this row first, then between its columns.
                for (x, to) in bounds.iter_mut().enumerate() {
                    let at = |n: usize, y: usize| range[(n * cells + y) * cells + x];
                    *to = std::array::from_fn(|n| mix(at(n, y.first), at(n, y.first + 1), y.t));
                }
                let line = |c: usize| &driven[c * plane + (row + r) * crop..][..crop];
                let (before, inside) = ([line(0), line(1), line(2)], line(MOUTH));
                for (x, place) in columns.iter().enumerate() {
                    let change = [red[x], green[x], blue[x]];
                    if change == [0.0; 3] {
                        continue;
                    }
                    let before = before.map(|line| line[x]);
                    let made = ycocg(std::array::from_fn(|c| before[c] + change[c]));
                    let (left, right) = (bounds[place.first], bounds[place.first + 1]);
                    let bound = |n: usize| mix(left[n], right[n], place.t);
                    let was = ycocg(before);
                    let share = [made[1], made[2]].map(|v| v / (made[0].max(0.0) + DARK));
                    let luma = made[0].max(bound(0)).min(bound(3));
                    let held_share: [f32; 2] = std::array::from_fn(|c| share[c].max(bound(c + 1)).min(bound(c + 4)));
                    let chroma = if luma == made[0] && held_share == share {
                        [made[1], made[2]]
                    } else {
                        held_share.map(|v| v * (luma.max(0.0) + DARK))
                    };
                    let free = [luma, chroma[0], chroma[1]];
                    let held: [f32; 3] = std::array::from_fn(|c| {
                        let limit = mix(1.0, PAINTED[c], inside[x]);
                        free[c].max(was[c] - limit).min(was[c] + limit)
                    });
                    if held != made {
                        let held = rgb(held);
                        (red[x], green[x], blue[x]) = (held[0] - before[0], held[1] - before[1], held[2] - before[2]);
                    }
                }
            }
        },
    );
}
