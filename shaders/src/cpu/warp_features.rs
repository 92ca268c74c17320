//! Twin of `warp_features.wgsl`.

use rayon::prelude::*;

use super::planes::{Planes, Spots, double_row, spread};
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
        || (Spots::default(), [vec![0.0f32; size], vec![0.0f32; size]], vec![0.0f32; half + 2]),
        |(spots, flow, blend), piece| {
            for r in 0..piece.lines[0].len() / size {
                let row = piece.row + r;
                if p.coarse_channels > 0 {
                    let first = piece.batch * p.coarse_channels as usize + p.coarse_first as usize;
                    for (axis, to) in flow.iter_mut().enumerate() {
                        double_row(&coarse[(first + axis) * half * half..][..half * half], half, row, blend);
                        spread(blend, to);
                    }
                }
                let prior = [0, 1].map(|axis| &prior[(2 * piece.batch + axis) * plane + row * size..][..size]);
                spots.look(row, size, prior, [&flow[0], &flow[1]]);
                for (c, lines) in piece.lines.iter_mut().enumerate() {
                    let from = &features[(piece.batch * channels + c) * plane..][..plane];
                    spots.fetch(from, size, &mut lines[r * size..][..size]);
                }
            }
        },
    );
}
