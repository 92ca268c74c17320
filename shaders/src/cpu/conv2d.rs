//! Twin of `conv2d.wgsl`: a direct convolution. A group of rows of all input channels is laid out tile by tile, with borders (and, at stride 2, even
//! and odd columns apart), so that every tap is a run of pixels; a tile of pixels times channels stays in registers over all taps of all channels.
//! On x86-64-v3 that runs at 80 to 90 GFLOP/s a core, of 110 that its multipliers can do, however few channels there are; a product over unrolled
//! patches would have to write each pixel nine times first.

use std::cell::RefCell;

use rayon::prelude::*;

use super::planes::{Piece, Planes};
use crate::kernels::Conv2dParams;

/// Channels of a tile, and of a word of packed weights.
const BLOCK: usize = 4;
/// Pixels of a tile: two AVX registers, times four channels: eight of the sixteen registers, as many as keep both multipliers busy.
const TILE: usize = 16;
/// Words after a tile: two are read, eight keep lines whole registers.
const REACH: usize = 8;
/// Rows that a task lays out at once: with 100 channels of 128 pixels still within a core's second cache.
const ROWS: usize = 4;
/// Tasks to have at least, so that no core waits long for the last.
const TASKS: usize = 8;

/// A tile's pixels of a row, and what taps reach beyond them.
type Line = [f32; TILE + REACH];

#[derive(Default)]
struct Strip {
    lines: Vec<Line>,
    /// One row of one channel, on its way there.
    row: Vec<f32>,
}

thread_local! {
    static STRIP: RefCell<Strip> = RefCell::default();
}

/// See the WGSL file.
///
/// # Panics
/// Where side and stride are not one of the five pairs.
pub fn conv2d(p: &Conv2dParams, x: &[f32], w: &[[f32; 4]], bias: &[f32], scale: &[f32], demod: &[f32], y: &mut [f32]) {
    match (p.side, p.stride) {
        (1, 1) => run::<1, 1, 1>(p, x, w, bias, scale, demod, y),
        (2, 2) => run::<2, 2, 4>(p, x, w, bias, scale, demod, y),
        (3, 1) => run::<3, 1, 3>(p, x, w, bias, scale, demod, y),
        (3, 2) => run::<3, 2, 6>(p, x, w, bias, scale, demod, y),
        (5, 2) => run::<5, 2, 10>(p, x, w, bias, scale, demod, y),
        other => panic!("conv2d: side and stride {other:?}"),
    }
}

fn run<const K: usize, const S: usize, const L: usize>(
    p: &Conv2dParams,
    x: &[f32],
    w: &[[f32; 4]],
    bias: &[f32],
    scale: &[f32],
    demod: &[f32],
    y: &mut [f32],
) {
    let layout = Layout::<K, S, L>::new(p);
    tasks(p, y).into_par_iter().with_max_len(1).for_each(|mut task| {
        STRIP.with_borrow_mut(|strip| {
            layout.fill(p, x, scale, &task, strip);
            let taps = p.c_in as usize * K * K;
            let demod_at = task.batch * p.demod_stride as usize + p.demod_at as usize;
            let demod = if p.modulated == 1 { &demod[demod_at + task.first..] } else { &[] };
            let (bias, slopes) = bias.split_at(p.c_out as usize);
            let (bias, slopes) = (&bias[task.first..], if p.slopes == 1 { &slopes[task.first..] } else { &[] });
            let weights = &w[task.first / BLOCK * taps..];
            // Channels outside: a block's weights stay in the first cache while the strip passes by, line after line.
            let blocks = task.lines.chunks_mut(BLOCK).zip(weights.chunks_exact(taps)).enumerate();
            for (block, (lines, weights)) in blocks {
                let end = End::new(p, bias, slopes, demod, block * BLOCK);
                // Two channels left over take half of a tile's registers: twice the pixels fill them.
                if lines.len() > 2 {
                    layout.block::<4, 1>(&strip.lines, weights, lines, &end);
                } else {
                    layout.block::<2, 2>(&strip.lines, weights, lines, &end);
                }
            }
        });
    });
}

/// Tasks of some rows each, and of some channels where there are few rows.
fn tasks<'a>(p: &Conv2dParams, y: &'a mut [f32]) -> Vec<Piece<'a>> {
    let (height, count) = (p.out_h as usize, p.c_out as usize);
    let planes = Planes {
        batch: p.batch as usize,
        total: p.y_channels as usize,
        first: p.y_first as usize,
        count,
        width: p.out_w as usize,
        height,
    };
    let cuts = TASKS.div_ceil(height.div_ceil(ROWS) * planes.batch).min(count.div_ceil(2 * BLOCK));
    planes.cut(y, ROWS, count.div_ceil(cuts).next_multiple_of(BLOCK))
}

/// What happens to a sum before it is written.
struct End {
    factor: [f32; BLOCK],
    bias: [f32; BLOCK],
    slope: [f32; BLOCK],
    gain: f32,
}

impl End {
    /// Of up to four channels from `first` on; `slopes` is empty where all channels have one, `demod` where nothing is modulated.
    #[inline(always)]
    fn new(p: &Conv2dParams, bias: &[f32], slopes: &[f32], demod: &[f32], first: usize) -> Self {
        let mut end = Self { factor: [1.0; BLOCK], bias: [0.0; BLOCK], slope: [p.slope; BLOCK], gain: p.gain };
        for (to, v) in end.slope.iter_mut().zip(slopes.iter().skip(first)) {
            *to = *v;
        }
        for (to, v) in end.bias.iter_mut().zip(&bias[first..]) {
            *to = *v;
        }
        for (to, v) in end.factor.iter_mut().zip(demod.iter().skip(first)) {
            *to = *v;
        }
        end
    }
}

/// Even and odd columns apart. In runs of 16, which the compiler turns into shuffles.
fn split(from: &[f32], factor: f32, even: &mut [f32], odd: &mut [f32]) {
    let (runs, rest) = from[..2 * even.len()].as_chunks::<16>();
    let (even_runs, even_rest) = even.as_chunks_mut::<8>();
    let (odd_runs, odd_rest) = odd.as_chunks_mut::<8>();
    for ((run, even), odd) in runs.iter().zip(even_runs).zip(odd_runs) {
        for i in 0..8 {
            even[i] = run[2 * i] * factor;
        }
        for i in 0..8 {
            odd[i] = run[2 * i + 1] * factor;
        }
    }
    for ((pair, even), odd) in rest.as_chunks::<2>().0.iter().zip(even_rest).zip(odd_rest) {
        *even = pair[0] * factor;
        *odd = pair[1] * factor;
    }
}

/// How a task's input lies in its strip: (tile, channel, row, phase of the column), a [`Line`] each. So a tile reads one run of memory from its
/// first channel to its last, and all places in a line are known when compiling. L is K · S.
struct Layout<const K: usize, const S: usize, const L: usize> {
    channels: usize,
    rows: usize,
    tiles: usize,
    width: usize,
}

impl<const K: usize, const S: usize, const L: usize> Layout<K, S, L> {
    fn new(p: &Conv2dParams) -> Self {
        let width = p.out_w as usize;
        // An even number of tiles, because some go in pairs.
        let tiles = width.div_ceil(TILE).next_multiple_of(2);
        Self { channels: p.c_in as usize, rows: (ROWS - 1) * S + K, tiles, width }
    }

    /// Lays a task's input out in the strip, which only ever grows.
    fn fill(&self, p: &Conv2dParams, x: &[f32], scale: &[f32], task: &Piece<'_>, strip: &mut Strip) {
        let (in_w, in_h, pad) = (p.in_w as usize, p.in_h as usize, p.pad as usize);
        let pitch = self.tiles * TILE + REACH;
        let lines = self.channels * self.rows * S;
        if strip.lines.len() < self.tiles * lines {
            strip.lines.resize(self.tiles * lines, [0.0; TILE + REACH]);
        }
        strip.row.clear();
        strip.row.resize(S * pitch, 0.0);
        let planes = (task.batch * p.x_channels as usize + p.x_first as usize) * in_w * in_h;
        let scale_at = task.batch * p.scale_stride as usize + p.scale_at as usize;
        for c in 0..self.channels {
            let plane = &x[planes + c * in_w * in_h..][..in_w * in_h];
            let factor = if p.modulated == 1 { scale[scale_at + c] } else { 1.0 };
            for r in 0..self.rows {
                let line = (c * self.rows + r) * S;
                let row = task.row * S + r;
                if row < pad || row >= in_h + pad {
                    for tile in strip.lines.chunks_exact_mut(lines).take(self.tiles) {
                        tile[line..line + S].fill([0.0; TILE + REACH]);
                    }
                    continue;
                }
                // The row with its borders, which stay zero; column j · S + phase − pad of the picture stands at j of its phase.
                let from = &plane[(row - pad) * in_w..][..in_w];
                if S == 1 {
                    for (t, f) in strip.row[pad..].iter_mut().zip(from) {
                        *t = f * factor;
                    }
                } else {
                    let (first, second) = strip.row.split_at_mut(pitch);
                    let (even, odd) = if pad == 0 { (first, second) } else { (second, first) };
                    let count = (in_w / 2).min(pitch - pad);
                    split(from, factor, &mut even[..count], &mut odd[pad..][..count]);
                    if in_w % 2 == 1 && count < pitch {
                        even[count] = from[in_w - 1] * factor;
                    }
                }
                for (t, tile) in strip.lines.chunks_exact_mut(lines).take(self.tiles).enumerate() {
                    for (to, phase) in tile[line..line + S].iter_mut().zip(strip.row.chunks_exact(pitch)) {
                        to.copy_from_slice(&phase[t * TILE..][..TILE + REACH]);
                    }
                }
            }
        }
    }

    /// N of up to four output channels of a task's rows, P tiles at a time. Its own function, so that the compiler keeps nothing else in registers.
    #[inline(never)]
    fn block<const N: usize, const P: usize>(
        &self,
        strip: &[Line],
        weights: &[[f32; 4]],
        lines: &mut [&mut [f32]],
        end: &End,
    ) {
        let per_tile = self.channels * self.rows * S;
        for row in 0..lines[0].len() / self.width {
            for first in (0..self.width.div_ceil(TILE)).step_by(P) {
                let tiles: [&[Line]; P] = std::array::from_fn(|t| &strip[(first + t) * per_tile..][..per_tile]);
                let mut sums = self.sums::<N, P>(tiles, weights, row);
                for (o, (line, made)) in lines.iter_mut().zip(&mut sums).enumerate() {
                    let (factor, bias, slope, gain) = (end.factor[o], end.bias[o], end.slope[o], end.gain);
                    for (t, made) in made.iter_mut().enumerate() {
                        for v in made.iter_mut() {
                            let sum = v.mul_add(factor, bias);
                            *v = (if sum > 0.0 { sum } else { sum * slope }) * gain;
                        }
                        let x = (first + t) * TILE;
                        let count = self.width.saturating_sub(x).min(TILE);
                        if count == TILE {
                            line[row * self.width + x..][..TILE].copy_from_slice(made);
                        } else if count > 0 {
                            line[row * self.width + x..][..count].copy_from_slice(&made[..count]);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sums<const N: usize, const P: usize>(
        &self,
        tiles: [&[Line]; P],
        weights: &[[f32; 4]],
        row: usize,
    ) -> [[[f32; TILE]; P]; N] {
        let mut sums = [[[0.0f32; TILE]; P]; N];
        for (c, taps) in weights.chunks_exact(K * K).enumerate() {
            let first = (c * self.rows + row * S) * S;
            let lines: [&[Line; L]; P] =
                std::array::from_fn(|t| tiles[t][first..].first_chunk().expect("a tile holds all channels"));
            for ky in 0..K {
                for kx in 0..K {
                    let tap = &taps[ky * K + kx];
                    for t in 0..P {
                        let line = &lines[t][ky * S + kx % S];
                        for o in 0..N {
                            for j in 0..TILE {
                                sums[o][t][j] = line[j + kx / S].mul_add(tap[o], sums[o][t][j]);
                            }
                        }
                    }
                }
            }
        }
        sums
    }
}
