//! Cases of `hef_need`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefNeedParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [2usize, 5, 66]
        .into_iter()
        .map(|crop| {
            // Mostly nothing, so that what is there has to reach.
            let need = noise(1, crop * crop).iter().map(|v| (v - 0.8).max(0.0) * 5.0 + 0.01).collect();
            let bindings = vec![Data::F32(need), Data::F32(noise(2, 16 * crop * crop))];
            Case::new(HefNeedParams { crop: crop as u32 }, bindings, Grid::image(crop, crop), Tolerance::chain(2, 1.0))
        })
        .collect()
}
