//! Twin of `portrait_warp.wgsl`.

use rayon::prelude::*;

use super::field::{catmull_rom, mix};
use crate::kernels::PortraitWarpParams;

/// The portrait looked up, painted over and put before its background; see the WGSL file.
pub fn portrait_warp(
    p: &PortraitWarpParams,
    warp: &[[f32; 4]],
    paint: &[[f32; 4]],
    pictures: &[[f32; 4]],
    linear: &mut [[f32; 4]],
) {
    let size = p.size as usize;
    let last = size as f32 - 1.0;
    let (portrait, background) = pictures.split_at(size * size);
    let rows = linear.par_chunks_mut(size).take(size).enumerate().with_min_len(8);
    // Three passes over a row: what the compiler can vectorise stays apart from the look-ups.
    rows.for_each_init(
        || (vec![[0i32; 2]; size], vec![[0.0f32; 8]; size]),
        |(corners, weights), (y, out)| {
            let line = y * size..(y + 1) * size;
            let (warp, paint, background) = (&warp[line.clone()], &paint[line.clone()], &background[line]);
            for ((w, corner), weights) in warp.iter().zip(&mut *corners).zip(&mut *weights) {
                let [qx, qy] = [w[0], w[1]].map(|v| (v - 0.5).max(0.0).min(last));
                let (ix, iy) = (qx as i32, qy as i32);
                let (wx, wy) = (catmull_rom(qx - ix as f32), catmull_rom(qy - iy as f32));
                *weights = [wx[0], wx[1], wx[2], wx[3], wy[0], wy[1], wy[2], wy[3]];
                *corner = [ix, iy];
            }
            for ((to, corner), weights) in out.iter_mut().zip(&*corners).zip(&*weights) {
                *to = look_up(portrait, size, *corner, weights);
            }
            for (((to, w), over), behind) in out.iter_mut().zip(warp).zip(paint).zip(background) {
                let (gain, share) = (mix(1.0, w[2], p.effects), over[3].abs() * p.effects);
                let alpha = to[3].clamp(0.0, 1.0);
                let under = w[3] * p.effects * (1.0 - alpha);
                let cover = mix(alpha + under, 1.0, share);
                let rest = (1.0 - cover) * p.background;
                for c in 0..3 {
                    to[c] = mix(to[c] * gain + over[c] * under, over[c], share) + behind[c] * rest;
                }
                to[3] = mix(cover, 1.0, p.background);
            }
        },
    );
}

/// Four by four pixels, the second of the second row at x, y, by the four weights across and the four down.
#[inline(always)]
fn look_up(portrait: &[[f32; 4]], size: usize, at: [i32; 2], weights: &[f32; 8]) -> [f32; 4] {
    let [ix, iy] = at.map(|v| v as usize);
    let mut sum = [0.0f32; 4];
    if ix >= 1 && iy >= 1 && ix + 2 < size && iy + 2 < size {
        let block = &portrait[(iy - 1) * size + ix - 1..][..3 * size + 4];
        for dy in 0..4 {
            let from: &[[f32; 4]; 4] = block[dy * size..][..4].try_into().expect("four pixels");
            for c in 0..4 {
                let row = from[0][c] * weights[0]
                    + from[1][c] * weights[1]
                    + from[2][c] * weights[2]
                    + from[3][c] * weights[3];
                sum[c] += row * weights[4 + dy];
            }
        }
        return sum;
    }
    for dy in 0..4 {
        let sy = (iy + dy).saturating_sub(1).min(size - 1);
        let mut row = [0.0f32; 4];
        for dx in 0..4 {
            let from = portrait[sy * size + (ix + dx).saturating_sub(1).min(size - 1)];
            for c in 0..4 {
                row[c] += from[c] * weights[dx];
            }
        }
        for c in 0..4 {
            sum[c] += row[c] * weights[4 + dy];
        }
    }
    sum
}
