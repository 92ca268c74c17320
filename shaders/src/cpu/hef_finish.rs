//! Twin of `hef_finish.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, Spot};
use crate::kernels::HefFinishParams;

const PAINT: usize = 7;
const PRIOR: usize = 10;
const LIGHT: usize = 12;
const NEED: usize = 13;
/// Rows that a task makes.
const ROWS: usize = 8;

/// What HEF changes in the picture; see the WGSL file.
pub fn hef_finish(p: &HefFinishParams, driven: &[f32], portrait: &[f32], heads: &[f32], result: &mut [f32]) {
    let (size, patch) = (p.size as usize, p.sub as usize);
    let (plane, side) = (size * size, size / patch);
    let planes = Planes { batch: p.batch as usize, total: 6, first: 0, count: 6, width: size, height: size };
    let mut pieces = planes.cut(result, ROWS, 6);
    pieces.par_iter_mut().with_max_len(1).for_each(|piece| {
        let driven = &driven[piece.batch * 16 * plane..][..16 * plane];
        let portrait = &portrait[piece.batch * 8 * plane..][..8 * plane];
        let heads =
            &heads[piece.batch * p.head_channels as usize * side * side..][..p.head_channels as usize * side * side];
        let seen = |spot: Spot, c: usize| spot.of(&portrait[c * plane..][..plane], size);
        for r in 0..piece.lines[0].len() / size {
            let row = piece.row + r;
            for x in 0..size {
                let k = row * size + x;
                let at = [x as f32 + 0.5, row as f32 + 0.5];
                let spot = Spot::new(0.5 * at[0], 0.5 * at[1], side);
                let head = |c: usize| {
                    let plane = &heads[c * side * side..][..side * side];
                    if patch == 1 { plane[k] } else { spot.of(plane, side) }
                };
                let flow = [head(3), head(4)];
                let prior =
                    if p.prior == 1 { [driven[PRIOR * plane + k], driven[(PRIOR + 1) * plane + k]] } else { [0.0; 2] };
                let there = |f: [f32; 2]| Spot::new(at[0] + f[0] * size as f32, at[1] + f[1] * size as f32, size);
                let moved = there([prior[0] + flow[0], prior[1] + flow[1]]);
                let need = driven[NEED * plane + k];
                let mut delta = [0.0; 3];
                if need != 0.0 {
                    let share = (1.0 - driven[PAINT * plane + k]) * (1.0 + driven[LIGHT * plane + k]).max(0.0).sqrt();
                    let before = there(prior);
                    for (c, delta) in delta.iter_mut().enumerate() {
                        *delta = head(c);
                        if patch == 2 {
                            let sub = 6 + 4 * c + row % 2 * 2 + x % 2;
                            *delta += heads[(sub * side + row / 2) * side + x / 2];
                        }
                        *delta += if p.prior == 1 {
                            share * (seen(moved, c) - seen(before, c))
                        } else {
                            seen(moved, c) - driven[c * plane + k]
                        };
                    }
                }
                let matte = seen(moved, 3) + head(5);
                let values = [need * delta[0], need * delta[1], need * delta[2], matte, flow[0], flow[1]];
                for (line, v) in piece.lines.iter_mut().zip(values) {
                    line[r * size + x] = v;
                }
            }
        }
    });
}
