//! Cases of `channel_scale`.

use vultus::compute::Grid;
use vultus_shaders::kernels::ChannelScaleParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 1), (7, 35), (3, 16_385), (130, 4)]
        .into_iter()
        .map(|(planes, plane)| {
            let params = ChannelScaleParams { planes: planes as u32, plane: plane as u32 };
            let bindings = vec![
                Data::F32(noise(1, planes * plane)),
                Data::F32(noise(2, planes)),
                Data::F32(vec![9.0; planes * plane]),
            ];
            Case::new(params, bindings, Grid::linear(planes * plane), Tolerance::sum(1, 1.0))
        })
        .collect()
}
