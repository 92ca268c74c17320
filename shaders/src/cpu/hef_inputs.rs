//! Twin of `hef_inputs.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use super::math::smoothstep;
use super::planes::Planes;
use crate::kernels::HefInputsParams;

/// Rows that a task makes.
const ROWS: usize = 8;

/// The frame on HEF's crop, and where it needs it; see the WGSL file.
pub fn hef_inputs(
    p: &HefInputsParams,
    linear: &[[f32; 4]],
    rendered: &[[f32; 4]],
    warp: &[[f32; 4]],
    paint: &[[f32; 4]],
    mask: &[[f32; 2]],
    driven: &mut [f32],
    need: &mut [f32],
) {
    let (size, crop) = (p.size as usize, p.crop as usize);
    let planes = Planes { batch: 1, total: 16, first: 0, count: 16, width: crop, height: crop };
    let mut pieces = planes.cut(driven, ROWS, 16);
    pieces.par_iter_mut().zip(need.par_chunks_mut(ROWS * crop)).with_max_len(1).for_each(|(piece, need)| {
        for (r, need) in need.chunks_exact_mut(crop).enumerate() {
            let at_y = p.top + ((piece.row + r) as f32 + 0.5) * p.step;
            let (y, ty) = between(at_y, size);
            let (half_y, half_ty) = between(0.5 * at_y, size / 2);
            let near_y = (at_y.floor().max(0.0) as i32 as usize).min(size - 1);
            let (low_y, high_y) = (near_y.max(1) - 1, (near_y + 1).min(size - 1));
            for (x, need) in need.iter_mut().enumerate() {
                let at_x = p.left + (x as f32 + 0.5) * p.step;
                let (left, tx) = between(at_x, size);
                let colour = four(linear, size, y * size + left, tx, ty);
                let mesh = four(rendered, size, y * size + left, tx, ty);
                let (half_x, half_tx) = between(0.5 * at_x, size / 2);
                let h = half_y * (size / 2) + half_x;
                let inside: [f32; 2] = std::array::from_fn(|i| {
                    let (above, below) = (&mask[h..h + 2], &mask[h + size / 2..h + size / 2 + 2]);
                    mix(mix(above[0][i], above[1][i], half_tx), mix(below[0][i], below[1][i], half_tx), half_ty)
                });
                let near_x = (at_x.floor().max(0.0) as i32 as usize).min(size - 1);
                let (low_x, high_x) = (near_x.max(1) - 1, (near_x + 1).min(size - 1));
                let here = near_y * size + near_x;
                let (w, over) = (warp[here], paint[here]);
                let slope = |a: [f32; 4], b: [f32; 4], n: usize| [(b[0] - a[0]) / n as f32, (b[1] - a[1]) / n as f32];
                let dx = slope(warp[near_y * size + low_x], warp[near_y * size + high_x], high_x - low_x);
                let dy = slope(warp[low_y * size + near_x], warp[high_y * size + near_x], high_y - low_y);
                let square = |a: f32, b: f32| a * a + b * b;
                let off = (square(dx[0] - 1.0, dx[1]) + square(dy[0], dy[1] - 1.0)).sqrt();
                let stretch = 0.5
                    * (square(dx[0] + dy[1], dx[1] - dy[0]).sqrt() - square(dx[0] - dy[1], dx[1] + dy[0]).sqrt()).abs();
                let side = p.step * crop as f32;
                let flow = [(w[0] - near_x as f32 - 0.5) / side, (w[1] - near_y as f32 - 0.5) / side];
                let lit = smoothstep(0.02, 0.15, (w[2] - 1.0).abs());
                let [red, green, blue] = [0, 1, 2].map(|c| colour[c].max(0.0).sqrt());
                let [mesh_red, mesh_green, mesh_blue] = [0, 1, 2].map(|c| mesh[c].max(0.0).sqrt());
                let values = [
                    [red, green, blue, mesh_red, mesh_green, mesh_blue, mesh[3], over[3]],
                    [inside[0], inside[1], flow[0], flow[1], w[2] - 1.0, 0.0, stretch.min(2.0), w[3]],
                ];
                for (c, (line, v)) in piece.lines.iter_mut().zip(values.as_flattened()).enumerate() {
                    if c != 13 {
                        line[r * crop + x] = *v;
                    }
                }
                *need = smoothstep(0.1, 0.5, off).max(over[3].clamp(0.0, 1.0)).max(lit);
            }
        }
    });
}

/// The pixel before a position and how far on it lies; the edge repeats.
#[inline(always)]
fn between(at: f32, size: usize) -> (usize, f32) {
    let q = (at - 0.5).max(0.0).min(size as f32 - 1.0);
    let i = (q as i32 as usize).min(size - 2);
    (i, q - i as f32)
}

#[inline(always)]
fn four(from: &[[f32; 4]], size: usize, k: usize, tx: f32, ty: f32) -> [f32; 4] {
    let square = &from[k..k + size + 2];
    let mut out = [0.0; 4];
    for c in 0..4 {
        out[c] = mix(mix(square[0][c], square[1][c], tx), mix(square[size][c], square[size + 1][c], tx), ty);
    }
    out
}
