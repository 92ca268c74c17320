//! Cases of `outer_flow`.

use vultus::compute::Grid;
use vultus_shaders::kernels::OuterFlowParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64, 5), (148, 9)]
        .into_iter()
        .map(|(size, side)| {
            let scene = Scene::new(size, side);
            let cells = size / 4;
            let look = scene.look();
            let plate: Vec<f32> =
                Scene::unit(11, cells * cells).into_iter().flat_map(|v| [1.2 + 0.05 * v, 0.5 + 0.5 * v]).collect();
            let params = OuterFlowParams {
                row0: [0.995, 0.0, 0.0998, 0.01],
                row1: [0.0, 1.0, 0.0, -0.02],
                row2: [-0.0998, 0.0, 0.995, -1.25],
                pivot: [0.0, -0.08, -0.09],
                focal: 2.8 * size as f32,
                centre: [0.5 * size as f32, 0.48 * size as f32],
                size: size as u32,
                cells: cells as u32,
                step: 4,
                anchor: 0.01,
                ..Default::default()
            };
            let bindings = vec![
                Data::U32(scene.triangle_id),
                Data::F32(scene.barycentric),
                Data::U32(scene.triangles),
                Data::F32(look),
                Data::F32(plate),
                Data::F32(vec![0.1, -0.15, 0.05, 0.004, -0.003, 0.01, 0.0, 0.0]),
                Data::F32(vec![9.0; 2 * cells * cells]),
                Data::F32(vec![9.0; 4 * cells * cells]),
            ];
            // Pixels of the picture are differences of projections that are as large as the picture.
            Case::new(params, bindings, Grid::image(cells, cells), Tolerance::chain(100, size as f32))
        })
        .collect()
}
