//! Cases of `vertex_normals`.

use vultus::compute::Grid;
use vultus_shaders::kernels::VertexNormalsParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [345usize, 1757, 1]
        .into_iter()
        .map(|vertices| {
            // A spread of fans from none at all to seven triangles; those of every fifth vertex have no area.
            let (mut first, mut fan) = (vec![0u32], Vec::new());
            for v in 0..vertices {
                for k in 0..v % 8 {
                    let other = ((v * 31 + k * 17) % vertices) as u32;
                    let next = if v % 5 == 0 { other } else { ((v * 7 + k * 29 + 1) % vertices) as u32 };
                    fan.extend([other, next]);
                }
                first.push(fan.len() as u32 / 2);
            }
            fan.extend([0, 0]);
            let bindings = vec![
                Data::F32(noise(1, 4 * vertices)),
                Data::U32(first),
                Data::U32(fan),
                Data::F32(vec![9.0; 4 * vertices]),
            ];
            // Crosses of random triangles nearly cancel here and there, which scales rounding up.
            let params = VertexNormalsParams { vertices: vertices as u32 };
            Case::new(params, bindings, Grid::linear(vertices), Tolerance::sum(64, 8.0))
        })
        .collect()
}
