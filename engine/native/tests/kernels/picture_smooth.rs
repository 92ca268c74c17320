//! Cases of `picture_smooth`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PictureSmoothParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64, 5), (147, 9)]
        .into_iter()
        .map(|(size, side)| {
            let scene = Scene::new(size, side);
            let bindings = vec![
                Data::F32(Scene::unit(1, 4 * size * size)),
                Data::U32(scene.triangle_id),
                Data::U32(scene.triangles.chunks_exact(4).map(|t| t[3]).collect()),
                Data::F32(Scene::unit(2, 4 * size * size).into_iter().map(|v| 6.0 * v).collect()),
                Data::F32(Scene::unit(3, 4 * size * size)),
                Data::F32(vec![9.0; 4 * size * size]),
            ];
            Case::new(
                PictureSmoothParams { size: size as u32 },
                bindings,
                Grid::image(size, size),
                Tolerance::chain(20, 1.0),
            )
        })
        .collect()
}
