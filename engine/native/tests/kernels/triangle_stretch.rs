//! Cases of `triangle_stretch`.

use vultus::compute::Grid;
use vultus_shaders::kernels::TriangleStretchParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(40, 3), (345, 17)]
        .into_iter()
        .map(|(size, side)| {
            let scene = Scene::new(size, side);
            let f = scene.triangles.len() / 4;
            let fixed = scene.fixed();
            let bindings = vec![
                Data::U32(scene.triangles),
                Data::F32(scene.screen),
                Data::F32(fixed),
                Data::F32(vec![9.0; 4 * f]),
            ];
            // Areas are differences of products of pixels.
            Case::new(
                TriangleStretchParams { triangles: f as u32 },
                bindings,
                Grid::linear(f),
                Tolerance::chain(400, 1.0),
            )
        })
        .collect()
}
