//! Twin of `hef_finish.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, Spots, double_row, spread};
use crate::kernels::HefFinishParams;
use crate::shared::hef_channels::*;

const COMPOSITE: usize = DRIVEN_COMPOSITE as usize;
const PAINT: usize = DRIVEN_PAINT as usize;
const PRIOR: usize = DRIVEN_PRIOR as usize;
const LIGHT: usize = DRIVEN_LIGHT as usize;
const NEED: usize = DRIVEN_NEED as usize;
const DRIVEN: usize = DRIVEN_CHANNELS as usize;
const COLOUR: usize = HEAD_COLOUR as usize;
const FLOW: usize = HEAD_FLOW as usize;
const MATTE: usize = HEAD_MATTE as usize;
/// Channels of the heads before the sub-pixels.
const HEADS: usize = HEAD_SUB_PIXELS as usize;
const RESULT: usize = RESULT_CHANNELS as usize;
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
    let planes = Planes { batch: p.batch as usize, total: RESULT, first: 0, count: RESULT, width: size, height: size };
    let mut pieces = planes.cut(result, ROWS, RESULT);
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
            let driven = &driven[piece.batch * DRIVEN * plane..][..DRIVEN * plane];
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
                let flow = [head(FLOW), head(FLOW + 1)];
                let prior = if p.prior == 1 { [line(PRIOR), line(PRIOR + 1)] } else { [&still[..]; 2] };
                moved.look(row, size, prior, flow);
                before.look(row, size, prior, [&still[..]; 2]);
                let (need, paint, light) = (line(NEED), line(PAINT), line(LIGHT));
                let colours = [0, 1, 2].map(|c| head(COLOUR + c));
                let composite = [0, 1, 2].map(|c| line(COMPOSITE + c));
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
                let matte = head(MATTE);
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
