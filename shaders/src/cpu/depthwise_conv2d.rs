//! Twin of `depthwise_conv2d.wgsl`: tap by tap over a whole row of pixels.

use rayon::prelude::*;

use super::activation::{activate, planes_of_a_task};
use crate::kernels::DepthwiseConv2dParams;

/// See the WGSL file.
///
/// # Panics
/// Where the stride is neither 1 nor 2.
pub fn depthwise_conv2d(p: &DepthwiseConv2dParams, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    match p.stride {
        1 => run::<1>(p, x, w, bias, y),
        2 => run::<2>(p, x, w, bias, y),
        other => panic!("depthwise_conv2d: stride {other}"),
    }
}

fn run<const S: usize>(p: &DepthwiseConv2dParams, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32]) {
    let (channels, side, pad) = (p.channels as usize, p.side as usize, p.pad as usize);
    let (in_w, in_h, out_w) = (p.in_w as usize, p.in_h as usize, p.out_w as usize);
    let plane = out_w * p.out_h as usize;
    let planes = p.batch as usize * channels;
    let pixels = y.par_chunks_exact_mut(plane).zip(x.par_chunks_exact(in_w * in_h)).take(planes);
    pixels.with_min_len(planes_of_a_task(plane)).enumerate().for_each(|(k, (to, from))| {
        let (taps, bias) = (&w[k % channels * side * side..][..side * side], bias[k % channels]);
        for (row, line) in to.chunks_exact_mut(out_w).enumerate() {
            line.fill(bias);
            for (ky, taps) in taps.chunks_exact(side).enumerate() {
                let at = row * S + ky;
                if at < pad || at >= in_h + pad {
                    continue;
                }
                let from = &from[(at - pad) * in_w..][..in_w];
                for (kx, tap) in taps.iter().enumerate() {
                    add::<S>(line, from, *tap, kx, pad);
                }
            }
            activate(line, p.activation, 0.0);
        }
    });
}

/// line[j] += tap · from[j · S + kx − pad], where that is inside.
#[inline(always)]
fn add<const S: usize>(line: &mut [f32], from: &[f32], tap: f32, kx: usize, pad: usize) {
    let first = pad.saturating_sub(kx).div_ceil(S);
    let end = (from.len() + pad).saturating_sub(kx).div_ceil(S).min(line.len());
    if first >= end {
        return;
    }
    let from = &from[first * S + kx - pad..];
    let line = &mut line[first..end];
    if S == 1 {
        for (v, x) in line.iter_mut().zip(from) {
            *v = x.mul_add(tap, *v);
        }
    } else {
        for (v, x) in line.iter_mut().zip(from.iter().step_by(S)) {
            *v = x.mul_add(tap, *v);
        }
    }
}
