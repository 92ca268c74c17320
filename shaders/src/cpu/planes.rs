//! Rows of planar tensors, for twins that write a few rows of many channels at a time.

use super::field::mix;

/// Rows from `row` on of the channels from `first` on of one picture; `lines[c]` holds all these rows of channel `first + c`.
pub(super) struct Piece<'a> {
    pub(super) batch: usize,
    pub(super) row: usize,
    pub(super) first: usize,
    pub(super) lines: Vec<&'a mut [f32]>,
}

/// The channels of a (B, total, height, width) tensor that a kernel writes.
pub(super) struct Planes {
    pub(super) batch: usize,
    pub(super) total: usize,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Planes {
    /// Cuts them into pieces of `rows` rows and `channels` channels (or what is left of them).
    pub(super) fn cut<'a>(&self, y: &'a mut [f32], rows: usize, channels: usize) -> Vec<Piece<'a>> {
        let plane = self.width * self.height;
        let groups = self.height.div_ceil(rows);
        let mut pieces = Vec::with_capacity(self.batch * groups * self.count.div_ceil(channels));
        for (batch, image) in y.chunks_mut(self.total * plane).take(self.batch).enumerate() {
            let image = &mut image[self.first * plane..][..self.count * plane];
            for (cut, some) in image.chunks_mut(channels * plane).enumerate() {
                let start = pieces.len();
                pieces.extend((0..groups).map(|g| Piece {
                    batch,
                    row: g * rows,
                    first: cut * channels,
                    lines: Vec::with_capacity(channels),
                }));
                for plane in some.chunks_mut(plane) {
                    for (piece, lines) in pieces[start..].iter_mut().zip(plane.chunks_mut(rows * self.width)) {
                        piece.lines.push(lines);
                    }
                }
            }
        }
        pieces
    }
}

/// A bilinear look-up in a square plane: where it begins, and how far on it lies.
#[derive(Clone, Copy, Default)]
pub(super) struct Spot {
    k: usize,
    tx: f32,
    ty: f32,
}

impl Spot {
    /// At (x, y) in pixels, centres at +.5; the edge repeats. `side` is 2 at least.
    #[inline(always)]
    pub(super) fn new(x: f32, y: f32, side: usize) -> Self {
        let last = side as f32 - 1.0;
        let (qx, qy) = ((x - 0.5).clamp(0.0, last), (y - 0.5).clamp(0.0, last));
        let (ix, iy) = ((qx as usize).min(side - 2), (qy as usize).min(side - 2));
        Self { k: iy * side + ix, tx: qx - ix as f32, ty: qy - iy as f32 }
    }

    /// The value of a plane there.
    #[inline(always)]
    pub(super) fn of(self, plane: &[f32], side: usize) -> f32 {
        let (above, below) = (&plane[self.k..self.k + 2], &plane[self.k + side..self.k + side + 2]);
        mix(mix(above[0], above[1], self.tx), mix(below[0], below[1], self.tx), self.ty)
    }
}
