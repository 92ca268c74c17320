//! Twin of `hef_inputs.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use super::math::smoothstep;
use super::planes::Planes;
use crate::kernels::HefInputsParams;
use crate::shared::hef_channels::{DRIVEN_CHANNELS, DRIVEN_NEED};

/// Rows that a task makes.
const ROWS: usize = 8;
const DRIVEN: usize = DRIVEN_CHANNELS as usize;
const NEED: usize = DRIVEN_NEED as usize;
/// See the WGSL file.
const MOVED: [f32; 2] = [0.002, 0.012];
const LID: f32 = 0.75;

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
    let planes = Planes { batch: 1, total: DRIVEN, first: 0, count: DRIVEN, width: crop, height: crop };
    let columns: Vec<Place> = (0..crop).map(|x| Place::new(p.left + (x as f32 + 0.5) * p.step, size)).collect();
    let mut pieces = planes.cut(driven, ROWS, DRIVEN);
    let pairs = pieces.par_iter_mut().zip(need.par_chunks_mut(ROWS * crop)).with_max_len(1);
    pairs.for_each_init(
        || vec![[[0.0f32; 8]; 2]; crop],
        |pixels, (piece, need)| {
            for (r, need) in need.chunks_exact_mut(crop).enumerate() {
                let y = Place::new(p.top + ((piece.row + r) as f32 + 0.5) * p.step, size);
                let rows = [y.low, y.near, y.high].map(|row| &warp[row * size..][..size]);
                for ((to, column), need) in pixels.iter_mut().zip(&columns).zip(need.iter_mut()) {
                    let colour = roots(four(linear, size, y.first * size + column.first, column.t, y.t));
                    let mesh = four(rendered, size, y.first * size + column.first, column.t, y.t);
                    let shade = roots(mesh);
                    let h = y.half * (size / 2) + column.half;
                    let inside: [f32; 2] = {
                        let square = &mask[h..h + size / 2 + 2];
                        let (above, below) = ([square[0], square[1]], [square[size / 2], square[size / 2 + 1]]);
                        std::array::from_fn(|i| {
                            mix(
                                mix(above[0][i], above[1][i], column.half_t),
                                mix(below[0][i], below[1][i], column.half_t),
                                y.half_t,
                            )
                        })
                    };
                    let (w, over) = (rows[1][column.near], paint[y.near * size + column.near]);
                    let slope =
                        |a: [f32; 4], b: [f32; 4], n: usize| [(b[0] - a[0]) / n as f32, (b[1] - a[1]) / n as f32];
                    let dx = slope(rows[1][column.low], rows[1][column.high], column.high - column.low);
                    let dy = slope(rows[0][column.near], rows[2][column.near], y.high - y.low);
                    let square = |a: f32, b: f32| a * a + b * b;
                    let mean = 0.5 * square(dx[0] + dy[1], dx[1] - dy[0]).sqrt();
                    let spread = 0.5 * square(dx[0] - dy[1], dx[1] + dy[0]).sqrt();
                    let off = square(mean + spread - 1.0, mean - spread - 1.0).sqrt();
                    let stretch = (mean - spread).abs();
                    let side = p.step * crop as f32;
                    let flow = [(w[0] - column.near as f32 - 0.5) / side, (w[1] - y.near as f32 - 0.5) / side];
                    let lit = smoothstep(0.01, 0.1, (w[2] - 1.0).abs());
                    let moved = smoothstep(MOVED[0], MOVED[1], square(flow[0], flow[1]).sqrt());
                    let painted = ((over[3].abs() - 0.004) / 0.996).clamp(0.0, 1.0);
                    // In the order of the channels; need, which another kernel writes, is left out below.
                    let values = [
                        [colour[0], colour[1], colour[2], shade[0], shade[1], shade[2], mesh[3], over[3].abs()],
                        [inside[0], inside[1], flow[0], flow[1], w[2] - 1.0, 0.0, stretch.min(2.0), w[3]],
                    ];
                    *to = values;
                    let most = smoothstep(0.05, 0.3, off).max(moved).max(painted).max(lit);
                    *need = most * (1.0 - LID * (-over[3]).max(0.0));
                }
                for (c, line) in piece.lines.iter_mut().enumerate().filter(|(c, _)| *c != NEED) {
                    for (to, pixel) in line[r * crop..][..crop].iter_mut().zip(pixels.iter()) {
                        *to = pixel[c / 8][c % 8];
                    }
                }
            }
        },
    );
}

/// What lies around a position along one axis; the edge repeats.
struct Place {
    /// The pixel before it, and how far on it lies.
    first: usize,
    t: f32,
    /// The same in a picture of half the size.
    half: usize,
    half_t: f32,
    /// The pixel that holds it, and its neighbours.
    near: usize,
    low: usize,
    high: usize,
}

impl Place {
    fn new(at: f32, size: usize) -> Self {
        let between = |at: f32, size: usize| {
            let q = (at - 0.5).max(0.0).min(size as f32 - 1.0);
            let i = (q as usize).min(size - 2);
            (i, q - i as f32)
        };
        let ((first, t), (half, half_t)) = (between(at, size), between(0.5 * at, size / 2));
        let near = (at.floor().max(0.0) as usize).min(size - 1);
        Self { first, t, half, half_t, near, low: near.max(1) - 1, high: (near + 1).min(size - 1) }
    }
}

/// Square roots of light.
#[inline(always)]
fn roots(v: [f32; 4]) -> [f32; 4] {
    v.map(|v| v.max(0.0).sqrt())
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
