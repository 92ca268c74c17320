//! Twin of `raster_tile.wgsl`.

use rayon::prelude::*;

use crate::kernels::RasterTileParams;
use crate::shared::mesh::NO_TRIANGLE;

/// Side of a tile, pixels.
const TILE: usize = 32;
/// Pixels of a row at a time: one AVX2 register.
const LANES: usize = 8;
const RAMP: [f32; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// An edge function over a tile: value(column, y) = at(y) + step · column; positive inside.
#[derive(Clone, Copy)]
struct Edge {
    from: [f32; 2],
    d: [f32; 2],
    reach: f32,
    sign: f32,
}

impl Edge {
    #[inline(always)]
    fn new(a: &[f32; 4], b: &[f32; 4], left: f32) -> Self {
        let flipped = b[1] < a[1] || (b[1] == a[1] && b[0] < a[0]);
        let (from, to, sign) = if flipped { (b, a, -1.0) } else { (a, b, 1.0) };
        let d = [to[0] - from[0], to[1] - from[1]];
        Self { from: [from[0], from[1]], d, reach: d[1] * (left - from[0]), sign }
    }

    /// Value in column 0 of the row at `y`. Changing the sign is exact, so neighbours still get opposite values.
    #[inline(always)]
    fn at(&self, y: f32) -> f32 {
        self.sign * (self.reach - self.d[0] * (y - self.from[1]))
    }

    #[inline(always)]
    fn step(&self) -> f32 {
        self.sign * self.d[1]
    }
}

#[inline(always)]
fn lanes(f: impl Fn(usize) -> f32) -> [f32; LANES] {
    core::array::from_fn(f)
}

/// `new` where all bits of `mask` are set, `old` where none is.
#[inline(always)]
fn pick(mask: u32, new: f32, old: f32) -> f32 {
    f32::from_bits((new.to_bits() & mask) | (old.to_bits() & !mask))
}

/// What a tile's pixels have seen so far.
struct Tile {
    inverse: [[f32; LANES]; TILE * TILE / LANES],
    index: [[u32; LANES]; TILE * TILE / LANES],
    weight_0: [[f32; LANES]; TILE * TILE / LANES],
    weight_1: [[f32; LANES]; TILE * TILE / LANES],
}

impl Tile {
    fn empty() -> Self {
        const RUNS: usize = TILE * TILE / LANES;
        Self {
            inverse: [[0.0; LANES]; RUNS],
            index: [[NO_TRIANGLE; LANES]; RUNS],
            weight_0: [[0.0; LANES]; RUNS],
            weight_1: [[0.0; LANES]; RUNS],
        }
    }

    /// Draws one triangle over the pixels from `left`, `top` on.
    #[inline(always)]
    fn draw(&mut self, index: u32, [a, b, c]: [&[f32; 4]; 3], left: f32, top: f32) {
        let edges = [Edge::new(b, c, left), Edge::new(c, a, left), Edge::new(a, b, left)];
        let last = (TILE - 1) as f32;
        let first_of = |k: usize, origin: f32| (a[k].min(b[k].min(c[k])) - origin).ceil().max(0.0) as usize;
        let last_of = |k: usize, origin: f32| (a[k].max(b[k].max(c[k])) - origin).floor().min(last) as usize;
        let (x0, x1, y0, y1) = (first_of(0, left), last_of(0, left), first_of(1, top), last_of(1, top));
        let (s0, s1, s2) = (edges[0].step(), edges[1].step(), edges[2].step());
        for row in y0..=y1 {
            let y = top + row as f32;
            let (r0, r1, r2) = (edges[0].at(y), edges[1].at(y), edges[2].at(y));
            for run in x0 / LANES..=x1 / LANES {
                let at = row * (TILE / LANES) + run;
                let (inverse, ids) = (&mut self.inverse[at], &mut self.index[at]);
                let (w0, w1) = (&mut self.weight_0[at], &mut self.weight_1[at]);
                // Whole registers at a time and masks instead of branches: the shape that the compiler turns into AVX2.
                let start = (run * LANES) as f32;
                let column = lanes(|i| start + RAMP[i]);
                let e0 = lanes(|i| r0 + s0 * column[i]);
                let e1 = lanes(|i| r1 + s1 * column[i]);
                let e2 = lanes(|i| r2 + s2 * column[i]);
                let n0 = lanes(|i| e0[i] * a[3]);
                let n1 = lanes(|i| e1[i] * b[3]);
                let sum = lanes(|i| n0[i] + n1[i] + e2[i] * c[3]);
                let here = lanes(|i| sum[i] / (e0[i] + e1[i] + e2[i]));
                let nearer: [u32; LANES] = core::array::from_fn(|i| {
                    let inside = (e0[i] >= 0.0) & (e1[i] >= 0.0) & (e2[i] >= 0.0);
                    u32::from(inside & (here[i] > inverse[i])).wrapping_neg()
                });
                if nearer.iter().fold(0, |all, m| all | m) == 0 {
                    continue;
                }
                let share = lanes(|i| 1.0 / sum[i]);
                *w0 = lanes(|i| pick(nearer[i], n0[i] * share[i], w0[i]));
                *w1 = lanes(|i| pick(nearer[i], n1[i] * share[i], w1[i]));
                *inverse = lanes(|i| pick(nearer[i], here[i], inverse[i]));
                *ids = core::array::from_fn(|i| (index & nearer[i]) | (ids[i] & !nearer[i]));
            }
        }
    }
}

/// The nearest triangle of every pixel; shapes as in the WGSL file. Rows of tiles run in parallel.
pub fn raster_tile(
    p: &RasterTileParams,
    triangles: &[[u32; 4]],
    screen: &[[f32; 4]],
    masks: &[u32],
    summary: &[u32],
    triangle_id: &mut [u32],
    barycentric: &mut [[f32; 2]],
    depth: &mut [f32],
) {
    let (size, tiles, groups) = (p.size as usize, p.tiles as usize, p.groups as usize);
    let band = TILE * size;
    let pixels = size * size;
    triangle_id[..pixels]
        .par_chunks_mut(band)
        .zip(barycentric[..pixels].par_chunks_mut(band))
        .zip(depth[..pixels].par_chunks_mut(band))
        .enumerate()
        .for_each(|(tile_y, ((ids, weights), depths))| {
            for tile_x in 0..tiles {
                let (left, top) = ((tile_x * TILE) as f32 + 0.5, (tile_y * TILE) as f32 + 0.5);
                let rows = (tile_y * tiles + tile_x) * groups..(tile_y * tiles + tile_x + 1) * groups;
                let (width, height) = (TILE.min(size - tile_x * TILE), ids.len() / size);
                if summary[rows.clone()].iter().all(|s| *s == 0) {
                    for y in 0..height {
                        let line = y * size + tile_x * TILE..y * size + tile_x * TILE + width;
                        ids[line.clone()].fill(NO_TRIANGLE);
                        weights[line.clone()].fill([0.0; 2]);
                        depths[line].fill(1e9);
                    }
                    continue;
                }
                let mut tile = Tile::empty();
                for (group, row) in rows.enumerate() {
                    let mut filled = summary[row];
                    while filled != 0 {
                        let word = filled.trailing_zeros() as usize;
                        filled &= filled - 1;
                        let mut mask = masks[row * 32 + word];
                        while mask != 0 {
                            let index = (group * 32 + word) * 32 + mask.trailing_zeros() as usize;
                            mask &= mask - 1;
                            let t = triangles[index];
                            tile.draw(index as u32, [0, 1, 2].map(|k| &screen[t[k] as usize]), left, top);
                        }
                    }
                }
                for y in 0..height {
                    let line = y * size + tile_x * TILE;
                    let run = y * TILE..y * TILE + width;
                    ids[line..line + width].copy_from_slice(&tile.index.as_flattened()[run.clone()]);
                    let (w0, w1) =
                        (&tile.weight_0.as_flattened()[run.clone()], &tile.weight_1.as_flattened()[run.clone()]);
                    for ((out, w0), w1) in weights[line..line + width].iter_mut().zip(w0).zip(w1) {
                        *out = [*w0, *w1];
                    }
                    for (out, inverse) in depths[line..line + width].iter_mut().zip(&tile.inverse.as_flattened()[run]) {
                        *out = if *inverse > 0.0 { 1.0 / inverse } else { 1e9 };
                    }
                }
            }
        });
}
