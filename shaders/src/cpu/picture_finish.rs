//! Twin of `picture_finish.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use super::math::{linear_to_srgb, smoothstep};
use crate::kernels::PictureFinishParams;

const REACH: i32 = 10;
/// Number of the mouth's parts.
const INSIDE: u32 = 1;
/// Weight of what is beside the mouth in its blur.
const LIPS: f32 = 0.3;

/// Edges smoothed, colours encoded; see the WGSL file.
pub fn picture_finish(
    p: &PictureFinishParams,
    linear: &[[f32; 4]],
    triangle_id: &[u32],
    parts: &[u32],
    warp: &[[f32; 4]],
    paint: &[[f32; 4]],
    rgba: &mut [u32],
) {
    let size = p.size as usize;
    let raster = Parts { size: size as i32, triangle_id, parts };
    rgba.par_chunks_mut(size).take(size).enumerate().for_each(|(y, out)| {
        let here = y * size;
        let (up, down) = (y.saturating_sub(1) * size, (y + 1).min(size - 1) * size);
        let mut line = linear[here..here + size].to_vec();
        // Where a pixel and its neighbours belong to one triangle or to none there is no edge; that is most of the picture.
        let mut left = raster.part(triangle_id[here]);
        let mut mine = left;
        for x in 0..size {
            let right = raster.part(triangle_id[here + (x + 1).min(size - 1)]);
            let (above, below) = (raster.part(triangle_id[up + x]), raster.part(triangle_id[down + x]));
            let edge = (left ^ mine) | (right ^ mine) | (above ^ mine) | (below ^ mine) != 0;
            if edge | (mine == INSIDE) {
                let at = [x as i32, y as i32];
                let mut own = line[x];
                if mine == INSIDE {
                    own = raster.soft(linear, paint, at);
                }
                if edge {
                    let differ = [above != mine, below != mine, left != mine, right != mine];
                    own = smooth(&raster, linear, warp, paint, at, mine, differ, own);
                }
                line[x] = own;
            }
            (left, mine) = (mine, right);
        }
        // In steps that the compiler can vectorise.
        for (colour, word) in line.iter_mut().zip(&mut *out) {
            *word = byte(colour[3].clamp(0.0, 1.0)) << 24;
            let k = 1.0 / colour[3].max(1e-4);
            *colour = [colour[0] * k, colour[1] * k, colour[2] * k, 0.0];
        }
        for value in line.as_flattened_mut() {
            *value = linear_to_srgb(*value);
        }
        for (colour, word) in line.iter().zip(out) {
            *word |= byte(colour[0]) | (byte(colour[1]) << 8) | (byte(colour[2]) << 16);
        }
    });
}

/// 0..1 as a byte: adding 2²³ leaves the rounded number in the low bits.
#[inline(always)]
fn byte(v: f32) -> u32 {
    (v * 255.0 + 8_388_608.0).to_bits() & 255
}

struct Parts<'a> {
    size: i32,
    triangle_id: &'a [u32],
    parts: &'a [u32],
}

impl Parts<'_> {
    #[inline(always)]
    fn part(&self, f: u32) -> u32 {
        if f == u32::MAX { 0 } else { self.parts[f as usize] }
    }

    fn index(&self, at: [i32; 2]) -> usize {
        let [x, y] = at.map(|v| v.clamp(0, self.size - 1) as usize);
        y * self.size as usize + x
    }

    fn at(&self, at: [i32; 2]) -> u32 {
        self.part(self.triangle_id[self.index(at)])
    }

    /// A pixel inside the mouth, softened.
    fn soft(&self, linear: &[[f32; 4]], paint: &[[f32; 4]], at: [i32; 2]) -> [f32; 4] {
        let k = self.index(at);
        let (own, painted) = (linear[k], paint[k][3]);
        if painted <= 0.0 {
            return own;
        }
        let (mut sum, mut all) = ([0.0f32; 3], 0.0);
        for i in 0..9 {
            let d = [i % 3 - 1, i / 3 - 1];
            let q = self.index([at[0] + d[0], at[1] + d[1]]);
            let beside = if self.part(self.triangle_id[q]) == INSIDE { 1.0 } else { LIPS };
            let w = ((2 - d[0].abs()) * (2 - d[1].abs())) as f32 * beside;
            sum = [0, 1, 2].map(|c| sum[c] + linear[q][c].max(0.0).sqrt() * w);
            all += w;
        }
        let [r, g, b] = [0, 1, 2].map(|c| {
            let soft = sum[c] / all;
            mix(own[c], soft * soft, painted)
        });
        [r, g, b, own[3]]
    }

    /// Length of the tread from `at` along a direction, and 1 if it ends because the line comes to this side.
    fn tread(&self, at: [i32; 2], along: [i32; 2], across: [i32; 2], mine: u32) -> [f32; 2] {
        for i in 1..=REACH {
            let q = [at[0] + along[0] * i, at[1] + along[1] * i];
            if self.at(q) != mine {
                return [i as f32 - 0.5, 1.0];
            }
            if self.at([q[0] + across[0], q[1] + across[1]]) == mine {
                return [i as f32 - 0.5, 0.0];
            }
        }
        [REACH as f32 + 0.5, 0.0]
    }
}

/// A pixel at a step of an edge.
fn smooth(
    raster: &Parts<'_>,
    linear: &[[f32; 4]],
    warp: &[[f32; 4]],
    paint: &[[f32; 4]],
    at: [i32; 2],
    mine: u32,
    differ: [bool; 4],
    own: [f32; 4],
) -> [f32; 4] {
    let [up, down, left, right] = differ;
    let (mut best, mut share, mut there) = (0.0, 0.0, at);
    for flat in [true, false] {
        if !(if flat { up || down } else { left || right }) {
            continue;
        }
        let along = if flat { [1, 0] } else { [0, 1] };
        let sign = if if flat { up } else { left } { -1 } else { 1 };
        let across = if flat { [0, sign] } else { [sign, 0] };
        let a = raster.tread(at, along.map(|v| -v), across, mine);
        let b = raster.tread(at, along, across, mine);
        let whole = a[0] + b[0];
        let near = if a[0] < b[0] { a } else { b };
        if whole > best {
            best = whole;
            share = near[1] * (0.5 - near[0] / whole).max(0.0);
            there = [at[0] + across[0], at[1] + across[1]];
        }
    }
    let (k, n) = (raster.index(at), raster.index(there));
    let d = [warp[k][0] - warp[n][0], warp[k][1] - warp[n][1]];
    let jump = smoothstep(1.5, 2.5, (d[0] * d[0] + d[1] * d[1]).sqrt()).max(paint[k][3].max(paint[n][3]));
    let share = share * jump;
    let other =
        if raster.part(raster.triangle_id[n]) == INSIDE { raster.soft(linear, paint, there) } else { linear[n] };
    std::array::from_fn(|c| mix(own[c], other[c], share))
}
