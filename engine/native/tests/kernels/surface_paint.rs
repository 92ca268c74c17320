//! Cases of `surface_paint`.

use vultus::compute::Grid;
use vultus_shaders::kernels::SurfacePaintParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64, 5), (148, 9)]
        .into_iter()
        .map(|(size, side)| {
            let scene = Scene::new(size, side);
            let (cells, half) = (size / 4, size / 2);
            let look = scene.look();
            let params = SurfacePaintParams {
                size: size as u32,
                cells: cells as u32,
                step: 4,
                under_lip: 5.0,
                lips: [0.04, 0.02, 0.01],
                tint: [0.25, 0.0, -0.12],
                ..Default::default()
            };
            let bindings = vec![
                Data::U32(scene.triangle_id),
                Data::F32(scene.barycentric),
                Data::U32(scene.triangles),
                Data::F32(look),
                Data::F32(noise(3, 4 * cells * cells)),
                Data::F32(Scene::unit(4, 2 * half * half)),
                Data::F32(vec![9.0; 4 * size * size]),
                Data::F32(vec![9.0; 4 * size * size]),
            ];
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(40, size as f32 * 0.1))
        })
        .collect()
}
