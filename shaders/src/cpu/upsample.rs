//! Twin of `upsample.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, double_row, spread};
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
        || (vec![0.0f32; width + 2], vec![0.0f32; 2 * width]),
        |(blend, wide), piece| {
            for (c, lines) in piece.lines.iter_mut().enumerate() {
                let channel = piece.batch * p.x_channels as usize + p.x_first as usize + piece.first + c;
                let plane = &x[channel * width * height..][..width * height];
                for (r, out) in lines.chunks_exact_mut(2 * width).enumerate() {
                    double_row(plane, width, piece.row + r, blend);
                    if p.accumulate == 1 {
                        spread(blend, wide);
                        for (to, v) in out.iter_mut().zip(wide.iter()) {
                            *to += v;
                        }
                    } else {
                        spread(blend, out);
                    }
                }
            }
        },
    );
}
