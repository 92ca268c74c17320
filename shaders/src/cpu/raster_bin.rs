//! Twin of `raster_bin.wgsl`.

use super::raster_bounds::EMPTY;
use crate::kernels::RasterBinParams;

/// Sets each triangle's bit in the tiles that it touches; shapes as in the WGSL file. Where the kernel gathers, the twin scatters.
pub fn raster_bin(p: &RasterBinParams, bounds: &[u32], masks: &mut [u32], summary: &mut [u32]) {
    let (tiles, groups) = (p.tiles as usize, p.groups as usize);
    masks[..tiles * tiles * groups * 32].fill(0);
    summary[..tiles * tiles * groups].fill(0);
    for (triangle, &r) in bounds[..groups * 1024].iter().enumerate() {
        if r == EMPTY {
            continue;
        }
        let [x0, y0, x1, y1] = r.to_le_bytes().map(usize::from);
        let (group, word) = (triangle / 1024, triangle / 32 % 32);
        for y in y0..=y1.min(tiles - 1) {
            for x in x0..=x1.min(tiles - 1) {
                let row = (y * tiles + x) * groups + group;
                masks[row * 32 + word] |= 1 << (triangle % 32);
                summary[row] |= 1 << word;
            }
        }
    }
}
