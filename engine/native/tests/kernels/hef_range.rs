//! Cases of `hef_range`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefRangeParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [8usize, 12, 36]
        .into_iter()
        .map(|crop| {
            let cells = crop / 4;
            let bindings = vec![Data::F32(noise(1, 16 * crop * crop)), Data::F32(vec![9.0; 6 * cells * cells])];
            Case::new(
                HefRangeParams { crop: crop as u32 },
                bindings,
                Grid::image(cells, cells),
                Tolerance::chain(4, 1.0),
            )
        })
        .collect()
}
