//! Twin of `upsample.wgsl`.

use rayon::prelude::*;

use super::planes::Planes;
use crate::kernels::UpsampleParams;

/// Rows of y that a task makes.
const ROWS: usize = 16;

/// y = up(x), or y += that; see the WGSL file.
pub fn upsample(p: &UpsampleParams, x: &[f32], y: &mut [f32]) {
    let (width, height) = (p.width as usize, p.height as usize);
    let planes = Planes {
        batch: p.batch as usize,
        total: p.y_channels as usize,
        first: p.y_first as usize,
        count: p.channels as usize,
        width: 2 * width,
        height: 2 * height,
    };
    let mut pieces = planes.cut(y, ROWS, 8);
    pieces.par_iter_mut().with_max_len(1).for_each_init(
        || vec![0.0f32; width + 2],
        |blend, piece| {
            for (c, lines) in piece.lines.iter_mut().enumerate() {
                let channel = piece.batch * p.x_channels as usize + p.x_first as usize + piece.first + c;
                let plane = &x[channel * width * height..][..width * height];
                for (r, out) in lines.chunks_exact_mut(2 * width).enumerate() {
                    let row = piece.row + r;
                    let near = row / 2;
                    let far = if row % 2 == 1 { (near + 1).min(height - 1) } else { near.max(1) - 1 };
                    let (a, b) = (&plane[near * width..][..width], &plane[far * width..][..width]);
                    for ((v, a), b) in blend[1..=width].iter_mut().zip(a).zip(b) {
                        *v = 0.75 * a + 0.25 * b;
                    }
                    blend[0] = blend[1];
                    blend[width + 1] = blend[width];
                    let sides = blend.iter().zip(&blend[1..]).zip(&blend[2..]);
                    if p.accumulate == 1 {
                        for (pair, ((left, own), right)) in out.as_chunks_mut::<2>().0.iter_mut().zip(sides) {
                            pair[0] += 0.75 * own + 0.25 * left;
                            pair[1] += 0.75 * own + 0.25 * right;
                        }
                    } else {
                        for (pair, ((left, own), right)) in out.as_chunks_mut::<2>().0.iter_mut().zip(sides) {
                            *pair = [0.75 * own + 0.25 * left, 0.75 * own + 0.25 * right];
                        }
                    }
                }
            }
        },
    );
}
