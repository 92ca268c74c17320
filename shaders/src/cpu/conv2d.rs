//! Twin of `conv2d.wgsl`: a direct convolution. A group of rows of all input channels is laid out with its borders (and, at stride 2, even and odd
//! columns apart), so that every tap is a run of pixels; a tile of pixels times channels stays in registers over all taps of all channels. On
//! x86-64-v3 that reaches 100 GFLOP/s a core at any number of channels, where a product over unrolled patches has to write each pixel nine times.

use std::cell::RefCell;

use rayon::prelude::*;

use super::planes::{Piece, Planes};
use crate::kernels::Conv2dParams;

/// Channels of a tile, and of a word of packed weights.
const BLOCK: usize = 4;
/// Pixels of a tile: two AVX registers, times four channels: eight of the sixteen registers, as many as keep both multipliers busy.
const TILE: usize = 16;
/// Rows that a task lays out at once: with 100 channels of 128 pixels still within a core's second cache.
const ROWS: usize = 4;
/// Tasks to have at least, so that no core waits long for the last.
const TASKS: usize = 8;

thread_local! {
    static STRIP: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// See the WGSL file.
///
/// # Panics
/// Where side and stride are not one of the four pairs.
pub fn conv2d(p: &Conv2dParams, x: &[f32], w: &[[f32; 4]], bias: &[f32], scale: &[f32], demod: &[f32], y: &mut [f32]) {
    match (p.side, p.stride) {
        (1, 1) => run::<1, 1>(p, x, w, bias, scale, demod, y),
        (2, 2) => run::<2, 2>(p, x, w, bias, scale, demod, y),
        (3, 1) => run::<3, 1>(p, x, w, bias, scale, demod, y),
        (3, 2) => run::<3, 2>(p, x, w, bias, scale, demod, y),
        other => panic!("conv2d: side and stride {other:?}"),
    }
}

fn run<const K: usize, const S: usize>(
    p: &Conv2dParams,
    x: &[f32],
    w: &[[f32; 4]],
    bias: &[f32],
    scale: &[f32],
    demod: &[f32],
    y: &mut [f32],
) {
    let layout = Layout::<K, S>::new(p);
    tasks(p, y).into_par_iter().with_max_len(1).for_each(|mut task| {
        STRIP.with_borrow_mut(|strip| {
            layout.fill(p, x, scale, &task, strip);
            let taps = p.c_in as usize * K * K;
            let demod =
                &demod[if p.modulated == 1 { task.batch * p.demod_stride as usize + p.demod_at as usize } else { 0 }..];
            let first = task.first;
            for (block, lines) in task.lines.chunks_mut(BLOCK).enumerate() {
                let channel = first + block * BLOCK;
                let weights = &w[channel / BLOCK * taps..][..taps];
                let finish = |o: usize, v: f32| {
                    let v = v * if p.modulated == 1 { demod[channel + o] } else { 1.0 } + bias[channel + o];
                    (if v > 0.0 { v } else { v * p.slope }) * p.gain
                };
                // Two channels left over take half of a tile's registers: twice the pixels fill them.
                if lines.len() > 2 {
                    layout.block::<TILE, 4>(strip, weights, lines, finish);
                } else {
                    layout.block::<{ 2 * TILE }, 2>(strip, weights, lines, finish);
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

/// How a task's input lies in its strip: (channel, row, phase of the column, column / stride), borders included.
struct Layout<const K: usize, const S: usize> {
    channels: usize,
    rows: usize,
    line: usize,
    width: usize,
}

impl<const K: usize, const S: usize> Layout<K, S> {
    fn new(p: &Conv2dParams) -> Self {
        let width = p.out_w as usize;
        // Whole tiles, and what their last tap reaches beyond.
        Self {
            channels: p.c_in as usize,
            rows: (ROWS - 1) * S + K,
            line: width.next_multiple_of(2 * TILE) + K / S,
            width,
        }
    }

    fn fill(&self, p: &Conv2dParams, x: &[f32], scale: &[f32], task: &Piece<'_>, strip: &mut Vec<f32>) {
        let (in_w, in_h, pad) = (p.in_w as usize, p.in_h as usize, p.pad as usize);
        strip.resize(self.channels * self.rows * S * self.line, 0.0);
        let planes = (task.batch * p.x_channels as usize + p.x_first as usize) * in_w * in_h;
        for (c, to) in strip.chunks_exact_mut(self.rows * S * self.line).enumerate() {
            let plane = &x[planes + c * in_w * in_h..][..in_w * in_h];
            let factor = if p.modulated == 1 {
                scale[task.batch * p.scale_stride as usize + p.scale_at as usize + c]
            } else {
                1.0
            };
            for (r, to) in to.chunks_exact_mut(S * self.line).enumerate() {
                let row = task.row * S + r;
                if row < pad || row >= in_h + pad {
                    to.fill(0.0);
                    continue;
                }
                let from = &plane[(row - pad) * in_w..][..in_w];
                for (phase, to) in to.chunks_exact_mut(self.line).enumerate() {
                    // Column j · S + phase − pad of the picture stands at j.
                    let lead = pad.saturating_sub(phase).div_ceil(S);
                    let from = &from[(lead * S + phase - pad).min(in_w)..];
                    let (before, rest) = to.split_at_mut(lead);
                    before.fill(0.0);
                    let count = from.len().div_ceil(S).min(rest.len());
                    let (inside, after) = rest.split_at_mut(count);
                    if S == 1 {
                        for (t, f) in inside.iter_mut().zip(from) {
                            *t = f * factor;
                        }
                    } else {
                        for (t, f) in inside.iter_mut().zip(from.iter().step_by(S)) {
                            *t = f * factor;
                        }
                    }
                    after.fill(0.0);
                }
            }
        }
    }

    /// Up to four output channels of a task's rows.
    fn block<const T: usize, const N: usize>(
        &self,
        strip: &[f32],
        weights: &[[f32; 4]],
        lines: &mut [&mut [f32]],
        finish: impl Fn(usize, f32) -> f32,
    ) {
        for r in 0..lines[0].len() / self.width {
            for x in (0..self.width).step_by(T) {
                let tile = self.tile::<T, N>(strip, weights, r, x);
                let count = T.min(self.width - x);
                for (o, (line, made)) in lines.iter_mut().zip(&tile).enumerate() {
                    for (to, v) in line[r * self.width + x..][..count].iter_mut().zip(made) {
                        *to = finish(o, *v);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn tile<const T: usize, const N: usize>(
        &self,
        strip: &[f32],
        weights: &[[f32; 4]],
        row: usize,
        x: usize,
    ) -> [[f32; T]; N] {
        let mut sums = [[0.0f32; T]; N];
        for (channel, taps) in strip.chunks_exact(self.rows * S * self.line).zip(weights.chunks_exact(K * K)) {
            for ky in 0..K {
                let lines = &channel[(row * S + ky) * S * self.line..][..S * self.line];
                for kx in 0..K {
                    let run: &[f32; T] =
                        lines[kx % S * self.line + x + kx / S..][..T].try_into().expect("a slice of that length");
                    let tap = &taps[ky * K + kx];
                    for o in 0..N {
                        for j in 0..T {
                            sums[o][j] = run[j].mul_add(tap[o], sums[o][j]);
                        }
                    }
                }
            }
        }
        sums
    }
}
