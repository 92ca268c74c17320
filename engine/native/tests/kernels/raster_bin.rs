//! Cases of `raster_bin`.

use vultus::compute::Grid;

use crate::common::Tolerance;
use crate::face_scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1757, 345), (20, 33), (1024, 64)]
        .into_iter()
        .map(|(count, size)| {
            let scene = Scene::new(count, size);
            let (tiles, groups) = (scene.tiles() * scene.tiles(), scene.groups());
            let bindings = vec![
                Data::U32(scene.bounds()),
                Data::U32(vec![9; tiles * groups * 32]),
                Data::U32(vec![9; tiles * groups]),
            ];
            let grid = Grid::Threads([tiles as u32, groups as u32, 1]);
            Case::new(scene.bin_params(), bindings, grid, Tolerance::EXACT)
        })
        .collect()
}

#[test]
fn every_triangle_can_be_in_one_tile() {
    // The policy on overflow: there is none to have. Five thousand triangles on one tile, all of which the bitmap holds.
    let mut scene = Scene::new(5000, 32);
    for t in &mut scene.triangles {
        *t = [3, 4, 5, 0];
    }
    let cover = [[-8.0, -8.0], [8.0, 80.0], [80.0, 8.0]];
    for (corner, [x, y]) in scene.screen[3..6].iter_mut().zip(cover) {
        *corner = [x, y, 1.0, 1.0];
    }
    let (masks, _) = scene.bins();
    assert_eq!(masks.iter().map(|m| m.count_ones()).sum::<u32>(), 5000);
    let (mut ids, mut weights, mut depth) = (vec![9; 1024], vec![[0.0; 2]; 1024], vec![0.0; 1024]);
    let (masks, summary) = scene.bins();
    vultus_shaders::cpu::raster_tile::raster_tile(
        &scene.tile_params(),
        &scene.triangles,
        &scene.screen,
        &masks,
        &summary,
        &mut ids,
        &mut weights,
        &mut depth,
    );
    assert!(ids.contains(&0) && ids.iter().all(|i| *i == 0 || *i == u32::MAX), "ties go to the lowest");
}
