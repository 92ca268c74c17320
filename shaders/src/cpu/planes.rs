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

/// Bilinear look-ups in a square plane for a row of pixels: which pixel of the plane is the upper left one, and how far on the look-up lies.
#[derive(Default)]
pub(super) struct Spots {
    first: Vec<u32>,
    tx: Vec<f32>,
    ty: Vec<f32>,
}

impl Spots {
    /// Looks from the pixels of row `row` to where two flows together say, in units of `side`; the edge repeats. `side` is 2 at least.
    pub(super) fn look(&mut self, row: usize, side: usize, flow: [&[f32]; 2], more: [&[f32]; 2]) {
        self.first.resize(side, 0);
        self.tx.resize(side, 0.0);
        self.ty.resize(side, 0.0);
        let (last, most) = (side as f32 - 1.0, side as i32 - 2);
        let (scale, y) = (side as f32, row as f32);
        let [fx, fy] = flow.map(|f| &f[..side]);
        let [mx, my] = more.map(|f| &f[..side]);
        let (first, tx, ty) = (&mut self.first[..side], &mut self.tx[..side], &mut self.ty[..side]);
        for x in 0..side {
            let qx = (x as i32 as f32 + (fx[x] + mx[x]) * scale).max(0.0).min(last);
            let qy = (y + (fy[x] + my[x]) * scale).max(0.0).min(last);
            let (ix, iy) = ((qx as i32).min(most), (qy as i32).min(most));
            first[x] = (iy * side as i32 + ix) as u32;
            tx[x] = qx - ix as f32;
            ty[x] = qy - iy as f32;
        }
    }

    /// The values of a plane at the row's look-ups.
    pub(super) fn fetch(&self, plane: &[f32], side: usize, to: &mut [f32]) {
        for (((to, k), tx), ty) in to.iter_mut().zip(&self.first).zip(&self.tx).zip(&self.ty) {
            let (above, below) = pair(plane, *k as usize, side);
            *to = mix(mix(above[0], above[1], *tx), mix(below[0], below[1], *tx), *ty);
        }
    }

    /// The four values of a pixel at look-up `x`.
    #[inline(always)]
    pub(super) fn fetch_four(&self, plane: &[[f32; 4]], side: usize, x: usize) -> [f32; 4] {
        let (above, below) = pair(plane, self.first[x] as usize, side);
        let (tx, ty) = (self.tx[x], self.ty[x]);
        mix_four(mix_four(above[0], above[1], tx), mix_four(below[0], below[1], tx), ty)
    }
}

/// Two neighbours, and the two below them.
#[inline(always)]
fn pair<T: Copy>(plane: &[T], k: usize, side: usize) -> ([T; 2], [T; 2]) {
    let square = &plane[k..k + side + 2];
    ([square[0], square[1]], [square[side], square[side + 1]])
}

#[inline(always)]
fn mix_four(a: [f32; 4], b: [f32; 4], t: f32) -> [f32; 4] {
    let mut out = [0.0; 4];
    for c in 0..4 {
        out[c] = mix(a[c], b[c], t);
    }
    out
}

/// What lies between the rows of a plane at row `row` of twice its height: to `blend`, whose first and last value repeat the edges. Pairs of its
/// neighbours then make the row of twice the width: three quarters of the near one, one quarter of the far one.
pub(super) fn double_row(plane: &[f32], width: usize, row: usize, blend: &mut [f32]) {
    let near = row / 2;
    let far = if row % 2 == 1 { (near + 1).min(plane.len() / width - 1) } else { near.max(1) - 1 };
    let (a, b) = (&plane[near * width..][..width], &plane[far * width..][..width]);
    for ((v, a), b) in blend[1..=width].iter_mut().zip(a).zip(b) {
        *v = 0.75 * a + 0.25 * b;
    }
    blend[0] = blend[1];
    blend[width + 1] = blend[width];
}

/// The row of twice the width from what [`double_row`] left.
#[inline(always)]
pub(super) fn spread(blend: &[f32], to: &mut [f32]) {
    let sides = blend.iter().zip(&blend[1..]).zip(&blend[2..]);
    for (pair, ((left, own), right)) in to.as_chunks_mut::<2>().0.iter_mut().zip(sides) {
        *pair = [0.75 * own + 0.25 * left, 0.75 * own + 0.25 * right];
    }
}
