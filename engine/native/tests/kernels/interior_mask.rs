//! Cases of `interior_mask`.

use vultus::compute::Grid;
use vultus_shaders::kernels::InteriorMaskParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64, 5), (146, 9)]
        .into_iter()
        .map(|(size, side)| {
            let scene = Scene::new(size, side);
            let half = size / 2;
            let bindings =
                vec![Data::U32(scene.triangle_id), Data::U32(scene.triangles), Data::F32(vec![9.0; 2 * half * half])];
            Case::new(InteriorMaskParams { size: size as u32 }, bindings, Grid::image(half, half), Tolerance::EXACT)
        })
        .collect()
}
