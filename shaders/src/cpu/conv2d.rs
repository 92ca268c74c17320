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
/// Words of a cache line.
const LINE: usize = 16;
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
            let strip = layout.fill(p, x, scale, &task, strip);
            let taps = p.c_in as usize * K * K;
            let demod_at = task.batch * p.demod_stride as usize + p.demod_at as usize;
            let demod = if p.modulated == 1 { &demod[demod_at + task.first..] } else { &[] };
            let bias = &bias[task.first..];
            let weights = &w[task.first / BLOCK * taps..];
            // Channels outside: a block's weights stay in the first cache while the strip passes by, line after line.
            let blocks = task.lines.chunks_mut(BLOCK).zip(weights.chunks_exact(taps)).enumerate();
            for (block, (lines, weights)) in blocks {
                let end = End::new(p, bias, demod, block * BLOCK);
                // Two channels left over take half of a tile's registers: twice the pixels fill them.
                if lines.len() > 2 {
                    layout.block::<TILE, 4>(strip, weights, lines, &end);
                } else {
                    layout.block::<{ 2 * TILE }, 2>(strip, weights, lines, &end);
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
    slope: f32,
    gain: f32,
}

impl End {
    /// Of up to four channels from `first` on; `demod` is empty where nothing is modulated.
    #[inline(always)]
    fn new(p: &Conv2dParams, bias: &[f32], demod: &[f32], first: usize) -> Self {
        let mut end = Self { factor: [1.0; BLOCK], bias: [0.0; BLOCK], slope: p.slope, gain: p.gain };
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
        // Whole tiles, and room for what their last tap reaches beyond; lines begin where cache lines do.
        Self {
            channels: p.c_in as usize,
            rows: (ROWS - 1) * S + K,
            line: width.next_multiple_of(2 * TILE) + LINE,
            width,
        }
    }

    /// Lays a task's input out in `strip`, which only ever grows.
    fn fill<'a>(
        &self,
        p: &Conv2dParams,
        x: &[f32],
        scale: &[f32],
        task: &Piece<'_>,
        strip: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let (in_w, in_h, pad) = (p.in_w as usize, p.in_h as usize, p.pad as usize);
        let len = self.channels * self.rows * S * self.line;
        if strip.len() < len + LINE {
            strip.resize(len + LINE, 0.0);
        }
        let skip = strip.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let strip = &mut strip[skip..skip + len];
        let planes = (task.batch * p.x_channels as usize + p.x_first as usize) * in_w * in_h;
        let scale_at = task.batch * p.scale_stride as usize + p.scale_at as usize;
        for (c, to) in strip.chunks_exact_mut(self.rows * S * self.line).enumerate() {
            let plane = &x[planes + c * in_w * in_h..][..in_w * in_h];
            let factor = if p.modulated == 1 { scale[scale_at + c] } else { 1.0 };
            for (r, to) in to.chunks_exact_mut(S * self.line).enumerate() {
                let row = task.row * S + r;
                if row < pad || row >= in_h + pad {
                    to.fill(0.0);
                    continue;
                }
                let from = &plane[(row - pad) * in_w..][..in_w];
                if S == 1 {
                    let count = in_w.min(self.line - pad);
                    to[..pad].fill(0.0);
                    for (t, f) in to[pad..][..count].iter_mut().zip(from) {
                        *t = f * factor;
                    }
                    to[pad + count..].fill(0.0);
                } else {
                    // Column j · 2 + phase − pad of the picture stands at j of its phase.
                    let (first, second) = to.split_at_mut(self.line);
                    let (even, odd) = if pad == 0 { (first, second) } else { (second, first) };
                    let count = (in_w / 2).min(self.line - pad);
                    odd[..pad].fill(0.0);
                    split(from, factor, &mut even[..count], &mut odd[pad..][..count]);
                    odd[pad + count..].fill(0.0);
                    even[count..].fill(0.0);
                    if in_w % 2 == 1 && count < self.line {
                        even[count] = from[in_w - 1] * factor;
                    }
                }
            }
        }
        strip
    }

    /// Up to four output channels of a task's rows. Its own function, so that the compiler keeps nothing else in registers.
    #[inline(never)]
    fn block<const T: usize, const N: usize>(
        &self,
        strip: &[f32],
        weights: &[[f32; 4]],
        lines: &mut [&mut [f32]],
        end: &End,
    ) {
        for row in 0..lines[0].len() / self.width {
            for x in (0..self.width).step_by(T) {
                let mut sums = self.sums::<T, N>(strip, weights, row, x);
                let count = T.min(self.width - x);
                for (o, (line, made)) in lines.iter_mut().zip(&mut sums).enumerate() {
                    let (factor, bias, slope, gain) = (end.factor[o], end.bias[o], end.slope, end.gain);
                    for v in made.iter_mut() {
                        let sum = v.mul_add(factor, bias);
                        *v = (if sum > 0.0 { sum } else { sum * slope }) * gain;
                    }
                    let to = &mut line[row * self.width + x..];
                    // A whole tile needs no call.
                    match to.first_chunk_mut::<T>() {
                        Some(whole) if count == T => *whole = *made,
                        _ => to[..count].copy_from_slice(&made[..count]),
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sums<const T: usize, const N: usize>(
        &self,
        strip: &[f32],
        weights: &[[f32; 4]],
        row: usize,
        x: usize,
    ) -> [[f32; T]; N] {
        let mut sums = [[0.0f32; T]; N];
        for (channel, taps) in strip.chunks_exact(self.rows * S * self.line).zip(weights.chunks_exact(K * K)) {
            for ky in 0..K {
                let lines = &channel[(row * S + ky) * S * self.line + x..];
                for phase in 0..S {
                    // What all taps of a phase can reach, so that bounds are checked once for them.
                    let reach = &lines[phase * self.line..][..T + (K - 1 - phase) / S];
                    for i in 0..=(K - 1 - phase) / S {
                        let run: &[f32; T] = reach[i..][..T].try_into().expect("a slice of that length");
                        let tap = &taps[ky * K + i * S + phase];
                        for o in 0..N {
                            for j in 0..T {
                                sums[o][j] = run[j].mul_add(tap[o], sums[o][j]);
                            }
                        }
                    }
                }
            }
        }
        sums
    }
}
