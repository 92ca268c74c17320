//! Screens of triangles for the rasteriser's cases.

use vultus_shaders::cpu::raster_bin::raster_bin;
use vultus_shaders::cpu::raster_bounds::raster_bounds;
use vultus_shaders::cpu::raster_tile::raster_tile;
use vultus_shaders::kernels::{RasterBinParams, RasterBoundsParams, RasterTileParams};

use crate::common::noise;

/// Separate triangles, each in a depth of its own so that none cut each other; every seventh is broken in one of four ways.
pub(crate) struct Scene {
    pub(crate) size: usize,
    pub(crate) triangles: Vec<[u32; 4]>,
    pub(crate) screen: Vec<[f32; 4]>,
}

impl Scene {
    /// Coordinates are odd eighths of a pixel: edge functions are exact in f32, with or without fused multiplication, and no pixel's
    /// centre lies on a vertex.
    pub(crate) fn new(count: usize, size: usize) -> Self {
        let random = noise(size as u64, count * 9);
        let snap = |v: f32| (v * 4.0).floor() / 4.0 + 0.125;
        let (mut triangles, mut screen) = (Vec::new(), Vec::new());
        for (i, r) in random.as_chunks::<9>().0.iter().enumerate() {
            let center = [(r[0] * 0.6 + 0.5) * size as f32, (r[1] * 0.6 + 0.5) * size as f32];
            let reach = if i % 50 == 0 { 90.0 } else { 9.0 };
            for k in 0..3 {
                let depth = 0.5 + 0.01 * i as f32 + 0.003 * r[2] * k as f32;
                let (x, y) = (snap(center[0] + reach * r[3 + 2 * k]), snap(center[1] + reach * r[4 + 2 * k]));
                screen.push([x, y, depth, 1.0 / depth]);
            }
            let at = 3 * i;
            match i % 28 {
                0 => screen[at + 1] = [0.0; 4],               // a corner behind the camera
                7 => screen[at + 2] = screen[at],             // two corners in one place
                14 => screen[at + 1][0] += 3.0 * size as f32, // far outside
                21 => {
                    // All on one line.
                    let (x, y) = (screen[at][0], screen[at][1]);
                    (screen[at + 1][0], screen[at + 1][1]) = (x + 4.0, y + 4.0);
                    (screen[at + 2][0], screen[at + 2][1]) = (x + 9.0, y + 9.0);
                }
                _ => {}
            }
            let first = at as u32;
            triangles.push([first, first + 1, first + 2, i as u32 % 8]);
        }
        Self { size, triangles, screen }
    }

    pub(crate) fn tiles(&self) -> usize {
        self.size.div_ceil(32)
    }

    pub(crate) fn groups(&self) -> usize {
        self.triangles.len().div_ceil(1024)
    }

    pub(crate) fn bounds_params(&self) -> RasterBoundsParams {
        let count = self.triangles.len() as u32;
        RasterBoundsParams { triangles: count, padded: self.groups() as u32 * 1024, size: self.size as u32 }
    }

    pub(crate) fn bin_params(&self) -> RasterBinParams {
        RasterBinParams { tiles: self.tiles() as u32, groups: self.groups() as u32 }
    }

    pub(crate) fn tile_params(&self) -> RasterTileParams {
        RasterTileParams { size: self.size as u32, tiles: self.tiles() as u32, groups: self.groups() as u32 }
    }

    pub(crate) fn bounds(&self) -> Vec<u32> {
        let mut bounds = vec![0; self.groups() * 1024];
        raster_bounds(&self.bounds_params(), &self.triangles, &self.screen, &mut bounds);
        bounds
    }

    /// Masks and summary.
    pub(crate) fn bins(&self) -> (Vec<u32>, Vec<u32>) {
        let rows = self.tiles() * self.tiles() * self.groups();
        let (mut masks, mut summary) = (vec![0; rows * 32], vec![0; rows]);
        raster_bin(&self.bin_params(), &self.bounds(), &mut masks, &mut summary);
        (masks, summary)
    }

    /// Triangle and weights of every pixel.
    pub(crate) fn pixels(&self) -> (Vec<u32>, Vec<[f32; 2]>) {
        let (masks, summary) = self.bins();
        let pixels = self.size * self.size;
        let (mut ids, mut weights, mut depth) = (vec![0; pixels], vec![[0.0; 2]; pixels], vec![0.0; pixels]);
        raster_tile(
            &self.tile_params(),
            &self.triangles,
            &self.screen,
            &masks,
            &summary,
            &mut ids,
            &mut weights,
            &mut depth,
        );
        assert!(ids.iter().any(|i| *i != u32::MAX) && ids.contains(&u32::MAX), "a scene with faces and holes");
        (ids, weights)
    }
}
