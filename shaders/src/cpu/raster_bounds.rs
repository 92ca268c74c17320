//! Twin of `raster_bounds.wgsl`.

use rayon::prelude::*;

use crate::kernels::RasterBoundsParams;

/// An empty range of tiles: the triangle is not drawn.
pub(super) const EMPTY: u32 = 0xffff;

/// Tiles that each triangle touches; shapes as in the WGSL file.
pub fn raster_bounds(p: &RasterBoundsParams, triangles: &[[u32; 4]], screen: &[[f32; 4]], bounds: &mut [u32]) {
    let last = p.size as f32 - 1.0;
    let (drawn, padding) = bounds[..p.padded as usize].split_at_mut(p.triangles as usize);
    padding.fill(EMPTY);
    drawn.par_iter_mut().with_min_len(4096).zip(&triangles[..p.triangles as usize]).for_each(|(out, t)| {
        let [a, b, c] = [screen[t[0] as usize], screen[t[1] as usize], screen[t[2] as usize]];
        let area = (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1]);
        *out = EMPTY;
        if a[3] > 0.0 && b[3] > 0.0 && c[3] > 0.0 && area > 0.0 {
            let x0 = (a[0].min(b[0].min(c[0])) - 0.5).ceil().max(0.0);
            let y0 = (a[1].min(b[1].min(c[1])) - 0.5).ceil().max(0.0);
            let x1 = (a[0].max(b[0].max(c[0])) - 0.5).floor().min(last);
            let y1 = (a[1].max(b[1].max(c[1])) - 0.5).floor().min(last);
            if x0 <= x1 && y0 <= y1 {
                let tile = |v: f32| v as u32 >> 5;
                *out = tile(x0) | tile(y0) << 8 | tile(x1) << 16 | tile(y1) << 24;
            }
        }
    });
}
