//! Cases of `raster_tile`.

use vultus::compute::Grid;

use crate::common::Tolerance;
use crate::face_scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1757, 345), (20, 33), (1024, 64)]
        .into_iter()
        .map(|(count, size)| {
            let scene = Scene::new(count, size);
            let (masks, summary) = scene.bins();
            let bindings = vec![
                Data::U32(scene.triangles.concat()),
                Data::F32(scene.screen.concat()),
                Data::U32(masks),
                Data::U32(summary),
                Data::U32(vec![9; size * size]),
                Data::F32(vec![9.0; 2 * size * size]),
                Data::F32(vec![9.0; size * size]),
            ];
            Case::new(scene.tile_params(), bindings, Grid::image(size, size), Tolerance::chain(8, 1.0))
        })
        .collect()
}
