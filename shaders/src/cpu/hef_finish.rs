//! Twin of `hef_finish.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, Spots, double_row, spread};
use crate::kernels::HefFinishParams;

const PAINT: usize = 7;
const PRIOR: usize = 10;
const LIGHT: usize = 12;
const NEED: usize = 13;
/// Channels of the heads before the sub-pixels.
const HEADS: usize = 6;
/// Rows that a task makes.
const ROWS: usize = 8;

struct Scratch {
    /// A row of the heads at the picture's size.
    row_heads: Vec<f32>,
    blend: Vec<f32>,
    /// A row of the result: colours and matte.
    values: Vec<[f32; 4]>,
    moved: Spots,
    before: Spots,
}

/// What HEF changes in the picture; see the WGSL file.
pub fn hef_finish(p: &HefFinishParams, driven: &[f32], portrait: &[[f32; 4]], heads: &[f32], result: &mut [f32]) {
    let (size, sub) = (p.size as usize, p.sub as usize);
    let (plane, side) = (size * size, size / sub);
    let head_words = p.head_channels as usize * side * side;
    let planes = Planes { batch: p.batch as usize, total: 6, first: 0, count: 6, width: size, height: size };
    let mut pieces = planes.cut(result, ROWS, 6);
    let still = vec![0.0f32; size];
    pieces.par_iter_mut().with_max_len(1).for_each_init(
        || Scratch {
            row_heads: vec![0.0; HEADS * size],
            blend: vec![0.0; side + 2],
            values: vec![[0.0; 4]; size],
            moved: Spots::default(),
            before: Spots::default(),
        },
        |scratch, piece| {
            let Scratch { row_heads, blend, values, moved, before } = scratch;
            let driven = &driven[piece.batch * 16 * plane..][..16 * plane];
            let portrait = &portrait[piece.batch * plane..][..plane];
            let heads = &heads[piece.batch * head_words..][..head_words];
            for r in 0..piece.lines[0].len() / size {
                let row = piece.row + r;
                // This row of the heads at the picture's size; sub-pixels join the colours.
                for (c, to) in row_heads.chunks_exact_mut(size).enumerate() {
                    let from = &heads[c * side * side..][..side * side];
                    if sub == 1 {
                        to.copy_from_slice(&from[row * size..][..size]);
                        continue;
                    }
                    double_row(from, side, row, blend);
                    spread(blend, to);
                    if c < 3 {
                        let channel = HEADS + 4 * c + row % 2 * 2;
                        let left = &heads[(channel * side + row / 2) * side..][..side];
                        let right = &heads[((channel + 1) * side + row / 2) * side..][..side];
                        for ((pair, left), right) in to.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
                            *pair = [pair[0] + left, pair[1] + right];
                        }
                    }
                }
                let head = |c: usize| &row_heads[c * size..][..size];
                let line = |c: usize| &driven[c * plane + row * size..][..size];
                let flow = [head(3), head(4)];
                let prior = if p.prior == 1 { [line(PRIOR), line(PRIOR + 1)] } else { [&still[..]; 2] };
                moved.look(row, size, prior, flow);
                before.look(row, size, prior, [&still[..]; 2]);
                let (need, paint, light) = (line(NEED), line(PAINT), line(LIGHT));
                let colours = [head(0), head(1), head(2)];
                let composite = [line(0), line(1), line(2)];
                for (x, to) in values.iter_mut().enumerate() {
                    *to = moved.fetch_four(portrait, size, x);
                    let need = need[x];
                    if need == 0.0 {
                        to[..3].fill(0.0);
                        continue;
                    }
                    let (share, was) = if p.prior == 1 {
                        ((1.0 - paint[x]) * (1.0 + light[x]).max(0.0).sqrt(), before.fetch_four(portrait, size, x))
                    } else {
                        (1.0, [composite[0][x], composite[1][x], composite[2][x], 0.0])
                    };
                    for c in 0..3 {
                        to[c] = need * (colours[c][x] + share * (to[c] - was[c]));
                    }
                }
                let matte = head(5);
                for (c, line) in piece.lines[..4].iter_mut().enumerate() {
                    for (to, v) in line[r * size..][..size].iter_mut().zip(values.iter()) {
                        *to = v[c];
                    }
                }
                for (to, v) in piece.lines[3][r * size..][..size].iter_mut().zip(matte) {
                    *to += v;
                }
                for (line, flow) in piece.lines[4..].iter_mut().zip(flow) {
                    line[r * size..][..size].copy_from_slice(flow);
                }
            }
        },
    );
}
