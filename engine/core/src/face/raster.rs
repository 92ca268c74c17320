//! Records the tiled z-buffer rasteriser: bounds of triangles, bits of tiles, nearest triangle of pixels.

use vultus_shaders::kernels::{RasterBinParams, RasterBoundsParams, RasterTileParams};
use vultus_shaders::shared::mesh::NO_TRIANGLE;

use crate::compute::{
    Element::{F32, U32},
    Grid, PlanBuilder, Tensor,
};

/// The triangle of a pixel where nothing is drawn.
pub const NONE: u32 = NO_TRIANGLE;
/// Side of a tile, pixels.
const TILE: usize = 32;
/// Largest picture: tiles are counted in bytes.
const LARGEST: usize = 255 * TILE;

/// What the rasteriser leaves in the plan. S × S pixels, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Raster {
    /// (S, S) u32: the nearest triangle, or [`NONE`].
    pub triangle_id: Tensor,
    /// (S, S, 2) perspective-correct weights of the triangle's first and second vertex.
    pub barycentric: Tensor,
    /// (S, S) metres; 1e9 where nothing is drawn.
    pub depth: Tensor,
}

/// Records the rasteriser over `triangles` (F, 4) u32 and `screen` (V, 4): x, y in pixels, depth, 1/depth; a vertex whose last word is not
/// above 0 takes its triangles out. Backs are not drawn. There is no capacity to overflow: see `raster_bin.wgsl`.
///
/// # Panics
/// `size` is 0 or above 8,160.
pub fn record_raster(plan: &mut PlanBuilder, triangles: Tensor, screen: Tensor, size: usize) -> Raster {
    assert!((1..=LARGEST).contains(&size), "a picture of {size} pixels; 1 to {LARGEST} are possible");
    let f = triangles.shape()[0];
    let (tiles, groups) = (size.div_ceil(TILE), f.div_ceil(1024));
    let bounds = plan.temp("triangle bounds", [groups, 1024], U32);
    let params = RasterBoundsParams { triangles: f as u32, padded: groups as u32 * 1024, size: size as u32 };
    plan.dispatch(params, &[triangles, screen, bounds], Grid::linear(groups * 1024));
    let masks = plan.temp("tile masks", [tiles * tiles, groups, 32], U32);
    let summary = plan.temp("tile summary", [tiles * tiles, groups], U32);
    let grid = Grid::Threads([(tiles * tiles) as u32, groups as u32, 1]);
    plan.dispatch(RasterBinParams { tiles: tiles as u32, groups: groups as u32 }, &[bounds, masks, summary], grid);
    let triangle_id = plan.temp("triangle id", [size, size], U32);
    let barycentric = plan.temp("barycentric", [size, size, 2], F32);
    let depth = plan.temp("depth", [size, size], F32);
    plan.dispatch(
        RasterTileParams { size: size as u32, tiles: tiles as u32, groups: groups as u32 },
        &[triangles, screen, masks, summary, triangle_id, barycentric, depth],
        Grid::image(size, size),
    );
    Raster { triangle_id, barycentric, depth }
}
