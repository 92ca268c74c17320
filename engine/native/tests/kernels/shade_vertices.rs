//! Cases of `shade_vertices`.

use vultus::compute::Grid;
use vultus_shaders::kernels::ShadeVerticesParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [345usize, 1757, 1]
        .into_iter()
        .map(|vertices| {
            let bindings = vec![
                Data::F32(noise(1, 4 * vertices)),
                Data::F32(noise(2, 4 * vertices).iter().map(|v| v.abs()).collect()),
                Data::F32(noise(3, 36).iter().map(|v| v + 0.5).collect()),
                Data::F32(vec![9.0; 4 * vertices]),
            ];
            let params = ShadeVerticesParams { vertices: vertices as u32 };
            Case::new(params, bindings, Grid::linear(vertices), Tolerance::sum(27, 2.0))
        })
        .collect()
}
