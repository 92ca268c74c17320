//! Cases of `hef_finish`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefFinishParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1, 14, 2, 1), (2, 66, 2, 0), (2, 17, 1, 1), (1, 32, 1, 0)]
        .into_iter()
        .map(|(batch, size, patch, prior)| {
            let (plane, side) = (size * size, size / patch);
            let head_channels = if patch == 2 { 18 } else { 6 };
            let params = HefFinishParams {
                size: size as u32,
                batch: batch as u32,
                sub: patch as u32,
                head_channels: head_channels as u32,
                prior,
            };
            let mut driven = noise(1, batch * 16 * plane);
            for (k, v) in driven.iter_mut().enumerate() {
                match k / plane % 16 {
                    10 | 11 => *v *= 0.2,
                    // Half of the picture has no need; light is a gain that may not fall below nothing.
                    13 => *v = v.max(0.0),
                    _ => {}
                }
            }
            let heads = noise(3, batch * head_channels * side * side).iter().map(|v| 0.2 * v).collect();
            let bindings = vec![
                Data::F32(driven),
                Data::F32(noise(2, batch * 4 * plane)),
                Data::F32(heads),
                Data::F32(vec![9.0; batch * 6 * plane]),
            ];
            let grid = Grid::Threads([size as u32, size as u32, batch as u32]);
            Case::new(params, bindings, grid, Tolerance::chain(2 * size, 2.0))
        })
        .collect()
}
