//! Twin of `picture_smooth.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use super::math::smoothstep;
use crate::kernels::PictureSmoothParams;
use crate::shared::mesh::NO_TRIANGLE;

const REACH: i32 = 10;
/// Number of the mouth's parts.
const INSIDE: u32 = 1;
/// Weight of what is beside the mouth in its blur.
const LIPS: f32 = 0.3;

/// Edges smoothed; see the WGSL file.
pub fn picture_smooth(
    p: &PictureSmoothParams,
    linear: &[[f32; 4]],
    triangle_id: &[u32],
    parts: &[u32],
    warp: &[[f32; 4]],
    paint: &[[f32; 4]],
    smoothed: &mut [[f32; 4]],
) {
    let size = p.size as usize;
    let raster = Parts { size: size as i32, triangle_id, parts };
    smoothed.par_chunks_mut(size).take(size).enumerate().for_each(|(y, out)| {
        let here = y * size;
        let (up, down) = (y.saturating_sub(1) * size, (y + 1).min(size - 1) * size);
        out.copy_from_slice(&linear[here..here + size]);
        // Where a pixel and its neighbours belong to one triangle or to none there is no edge; that is most of the picture.
        let mut left = raster.part(triangle_id[here]);
        let mut mine = left;
        for x in 0..size {
            let right = raster.part(triangle_id[here + (x + 1).min(size - 1)]);
            let (above, below) = (raster.part(triangle_id[up + x]), raster.part(triangle_id[down + x]));
            let edge = (left ^ mine) | (right ^ mine) | (above ^ mine) | (below ^ mine) != 0;
            if edge | (mine == INSIDE) {
                let at = [x as i32, y as i32];
                let mut own = out[x];
                if mine == INSIDE {
                    own = raster.soft(linear, paint, at);
                }
                if edge {
                    let differ = [above != mine, below != mine, left != mine, right != mine];
                    own = smooth(&raster, linear, warp, paint, at, mine, differ, own);
                }
                out[x] = own;
            }
            (left, mine) = (mine, right);
        }
    });
}

struct Parts<'a> {
    size: i32,
    triangle_id: &'a [u32],
    parts: &'a [u32],
}

impl Parts<'_> {
    #[inline(always)]
    fn part(&self, f: u32) -> u32 {
        if f == NO_TRIANGLE { 0 } else { self.parts[f as usize] }
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
    let jump = smoothstep(1.5, 2.5, (d[0] * d[0] + d[1] * d[1]).sqrt()).max(paint[k][3].abs().max(paint[n][3].abs()));
    let share = share * jump;
    let other =
        if raster.part(raster.triangle_id[n]) == INSIDE { raster.soft(linear, paint, there) } else { linear[n] };
    std::array::from_fn(|c| mix(own[c], other[c], share))
}
