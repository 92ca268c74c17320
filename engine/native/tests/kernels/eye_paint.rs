//! Cases of `eye_paint`.

use vultus::compute::Grid;
use vultus_shaders::kernels::EyePaintParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64, 5, 16), (148, 9, 33)]
        .into_iter()
        .map(|(size, grid, side)| {
            let scene = Scene::new(size, grid);
            let half = size / 2;
            let look = scene.look();
            let params = EyePaintParams { size: size as u32, side: side as u32, scale: side as f32 / 3.0, shade: 0.6 };
            let bindings = vec![
                Data::U32(scene.triangle_id),
                Data::F32(scene.barycentric),
                Data::U32(scene.triangles),
                Data::F32(look),
                Data::F32(Scene::unit(3, 8 * side * side + size * size)),
                Data::F32(Scene::unit(4, 2 * half * half)),
                Data::F32(Scene::unit(6, 4 * size * size)),
            ];
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(200, 1.0))
        })
        .collect()
}
