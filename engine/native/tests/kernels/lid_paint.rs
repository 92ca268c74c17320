//! Cases of `lid_paint`.

use vultus::compute::Grid;
use vultus_shaders::kernels::LidPaintParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    // A quarter, nearly and quite shut: the three phases of upper and lower lid; at the last size one eye stays open.
    [(64, 5, 16, [0.35, 0.9]), (148, 9, 33, [0.95, 1.0]), (148, 9, 20, [0.1, 0.6])]
        .into_iter()
        .map(|(size, grid, side, shut)| {
            let scene = Scene::new(size, grid);
            let look = scene.look();
            let mut places = Scene::unit(3, 4 * scene.vertices);
            for (i, place) in places.chunks_exact_mut(4).enumerate() {
                place[0] *= side as f32;
                place[1] *= side as f32;
                place[2] = if i % 5 == 0 { 0.0 } else { 2.0 * place[2] - 1.0 };
                place[3] = if i < scene.vertices / 2 { 0.0 } else { 1.0 };
            }
            let params = LidPaintParams { size: size as u32, side: side as u32, blink: [2, 5], rest: [0.1, 0.0] };
            let mut beta = vec![0.0; 64];
            [beta[2], beta[5]] = shut;
            let bindings = vec![
                Data::U32(scene.triangle_id),
                Data::F32(scene.barycentric),
                Data::U32(scene.triangles),
                Data::F32(look),
                Data::F32(places),
                Data::F32(Scene::unit(5, 8 * side * side)),
                Data::F32(beta),
                Data::F32(Scene::unit(6, 4 * size * size)),
            ];
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(200, 1.0))
        })
        .collect()
}
