//! Twin of `hef_range.wgsl`.

use rayon::prelude::*;

use super::ycocg::ycocg;
use crate::kernels::HefRangeParams;
use crate::shared::hef_range::{self as shared, DARK};

/// Pixels of a cell, along one axis.
pub(super) const CELL: usize = shared::CELL as usize;
/// See the WGSL file.
const SLACK: f32 = 0.002;

type Bounds = [[f32; 3]; 2];

fn joined([low, high]: Bounds, [l, h]: Bounds) -> Bounds {
    [std::array::from_fn(|c| low[c].min(l[c])), std::array::from_fn(|c| high[c].max(h[c]))]
}

/// The colours around each cell; see the WGSL file.
pub fn hef_range(p: &HefRangeParams, driven: &[f32], range: &mut [f32]) {
    let crop = p.crop as usize;
    let (cells, plane) = (crop / CELL, crop * crop);
    let none: Bounds = [[1e9; 3], [-1e9; 3]];
    let mut own = vec![none; cells * cells];
    own.par_chunks_exact_mut(cells).enumerate().with_min_len(8).for_each(|(row, own)| {
        for y in CELL * row..CELL * (row + 1) {
            let line = |c: usize| driven[c * plane + y * crop..][..crop].chunks_exact(CELL);
            for (((to, r), g), b) in own.iter_mut().zip(line(0)).zip(line(1)).zip(line(2)) {
                for ((r, g), b) in r.iter().zip(g).zip(b) {
                    let [luma, co, cg] = ycocg([*r, *g, *b]);
                    let colour = [luma, co / (luma.max(0.0) + DARK), cg / (luma.max(0.0) + DARK)];
                    *to = joined(*to, [colour, colour]);
                }
            }
        }
    });
    for y in 0..cells {
        for x in 0..cells {
            let mut all = none;
            for v in y.saturating_sub(1)..(y + 2).min(cells) {
                for u in x.saturating_sub(1)..(x + 2).min(cells) {
                    all = joined(all, own[v * cells + u]);
                }
            }
            for c in 0..3 {
                range[(c * cells + y) * cells + x] = all[0][c] - SLACK;
                range[((c + 3) * cells + y) * cells + x] = all[1][c] + SLACK;
            }
        }
    }
}
