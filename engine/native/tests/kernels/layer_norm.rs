//! Cases of `layer_norm`.

use vultus::compute::Grid;
use vultus_shaders::kernels::LayerNormParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 1757), (33, 256), (345, 7), (2, 1)]
        .into_iter()
        .map(|(rows, width)| {
            let params = LayerNormParams { rows: rows as u32, width: width as u32, eps: 1e-5 };
            let bindings = vec![
                Data::F32(noise(1, rows * width)),
                Data::F32(noise(2, width)),
                Data::F32(noise(3, width)),
                Data::F32(vec![9.0; rows * width]),
            ];
            // The variance of a short row can be small, which scales its rounding errors up.
            Case::new(params, bindings, Grid::Groups([rows as u32, 1, 1]), Tolerance::sum(width, 4.0))
        })
        .collect()
}
