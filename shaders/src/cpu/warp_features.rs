//! Twin of `warp_features.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, Spot};
use crate::kernels::WarpFeaturesParams;

/// Rows that a task makes: where they look is worked out once for all channels.
const ROWS: usize = 4;

/// Features fetched from where prior and flow say; see the WGSL file.
pub fn warp_features(p: &WarpFeaturesParams, features: &[f32], prior: &[f32], coarse: &[f32], y: &mut [f32]) {
    let (size, channels) = (p.size as usize, p.channels as usize);
    let (half, plane) = (size / 2, size * size);
    let planes = Planes {
        batch: p.batch as usize,
        total: p.y_channels as usize,
        first: p.y_first as usize,
        count: channels,
        width: size,
        height: size,
    };
    let mut pieces = planes.cut(y, ROWS, channels);
    pieces.par_iter_mut().with_max_len(1).for_each_init(
        || vec![Spot::default(); size],
        |spots, piece| {
            for r in 0..piece.lines[0].len() / size {
                let row = piece.row + r;
                for (x, spot) in spots.iter_mut().enumerate() {
                    let k = row * size + x;
                    let at = [x as f32 + 0.5, row as f32 + 0.5];
                    let mut flow = [0, 1].map(|axis| prior[(2 * piece.batch + axis) * plane + k]);
                    if p.coarse_channels > 0 {
                        let first = piece.batch * p.coarse_channels as usize + p.coarse_first as usize;
                        let there = Spot::new(0.5 * at[0], 0.5 * at[1], half);
                        for axis in 0..2 {
                            flow[axis] += there.of(&coarse[(first + axis) * half * half..][..half * half], half);
                        }
                    }
                    *spot = Spot::new(at[0] + flow[0] * size as f32, at[1] + flow[1] * size as f32, size);
                }
                for (c, lines) in piece.lines.iter_mut().enumerate() {
                    let from = &features[(piece.batch * channels + c) * plane..][..plane];
                    for (to, spot) in lines[r * size..][..size].iter_mut().zip(spots.iter()) {
                        *to = spot.of(from, size);
                    }
                }
            }
        },
    );
}
