//! Cases of `raster_bounds`.

use vultus::compute::Grid;

use crate::common::Tolerance;
use crate::face_scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1757, 345), (20, 33), (1024, 64)]
        .into_iter()
        .map(|(count, size)| {
            let scene = Scene::new(count, size);
            let padded = scene.groups() * 1024;
            let bindings =
                vec![Data::U32(scene.triangles.concat()), Data::F32(scene.screen.concat()), Data::U32(vec![9; padded])];
            Case::new(scene.bounds_params(), bindings, Grid::linear(padded), Tolerance::EXACT)
        })
        .collect()
}
