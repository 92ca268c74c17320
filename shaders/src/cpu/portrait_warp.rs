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
    linear.par_chunks_mut(size).take(size).enumerate().for_each(|(y, out)| {
        for x in 0..size {
            let k = y * size + x;
            let (w, over) = (warp[k], paint[k]);
            let (gain, share) = (mix(1.0, w[2], p.effects), over[3] * p.effects);
            let (qx, qy) = ((w[0] - 0.5).clamp(0.0, last), (w[1] - 0.5).clamp(0.0, last));
            let (ix, iy) = (qx as usize, qy as usize);
            let (tx, ty) = (qx - ix as f32, qy - iy as f32);
            let (wx, wy) = (catmull_rom(tx), catmull_rom(ty));
            let mut sum = [0.0f32; 4];
            if ix >= 1 && iy >= 1 && ix + 2 < size && iy + 2 < size {
                for dy in 0..4 {
                    let from: &[[f32; 4]; 4] =
                        portrait[(iy + dy - 1) * size + ix - 1..][..4].try_into().expect("four pixels");
                    for c in 0..4 {
                        let row = from[0][c] * wx[0] + from[1][c] * wx[1] + from[2][c] * wx[2] + from[3][c] * wx[3];
                        sum[c] += row * wy[dy];
                    }
                }
            } else {
                for dy in 0..4 {
                    let sy = (iy + dy).saturating_sub(1).min(size - 1);
                    let mut row = [0.0f32; 4];
                    for dx in 0..4 {
                        let from = portrait[sy * size + (ix + dx).saturating_sub(1).min(size - 1)];
                        for c in 0..4 {
                            row[c] += from[c] * wx[dx];
                        }
                    }
                    for c in 0..4 {
                        sum[c] += row[c] * wy[dy];
                    }
                }
            }
            let alpha = sum[3].clamp(0.0, 1.0);
            let under = w[3] * p.effects * (1.0 - alpha);
            let cover = mix(alpha + under, 1.0, share);
            let behind = (1.0 - cover) * p.background;
            for c in 0..3 {
                out[x][c] = mix(sum[c] * gain + over[c] * under, over[c], share) + background[k][c] * behind;
            }
            out[x][3] = mix(cover, 1.0, p.background);
        }
    });
}
