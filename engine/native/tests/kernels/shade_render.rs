//! Cases of `shade_render`.

use vultus::compute::Grid;
use vultus_shaders::kernels::ShadeRenderParams;

use crate::common::{Tolerance, noise};
use crate::face_scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1757, 345), (20, 33)]
        .into_iter()
        .map(|(count, size)| {
            let scene = Scene::new(count, size);
            let (ids, weights) = scene.pixels();
            let pixels = size * size;
            let bindings = vec![
                Data::U32(scene.triangles.concat()),
                Data::U32(ids),
                Data::F32(weights.concat()),
                Data::F32(noise(1, 4 * scene.screen.len())),
                Data::F32(vec![9.0; 4 * pixels]),
            ];
            let params = ShadeRenderParams { pixels: pixels as u32 };
            Case::new(params, bindings, Grid::linear(pixels), Tolerance::chain(4, 1.0))
        })
        .collect()
}
