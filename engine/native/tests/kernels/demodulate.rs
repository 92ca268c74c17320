//! Cases of `demodulate`.

use vultus::compute::Grid;
use vultus_shaders::kernels::DemodulateParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    // Inputs and outputs of each layer.
    [(1, vec![(1, 1)]), (2, vec![(17, 5), (345, 33), (4, 2)]), (3, vec![(96, 64), (7, 1)])]
        .into_iter()
        .map(|(batch, layers): (usize, Vec<(usize, usize)>)| {
            let (mut outputs, mut scales, mut words) = (Vec::new(), 0, 0);
            for (inputs, count) in layers {
                for _ in 0..count {
                    outputs.extend([words, scales, inputs as u32, 0]);
                    words += inputs as u32;
                }
                scales += inputs as u32;
            }
            let count = outputs.len() / 4;
            let params = DemodulateParams { batch: batch as u32, scales, outputs: count as u32, epsilon: 1e-8 };
            let power = noise(2, words as usize).iter().map(|v| 0.01 + v.abs()).collect();
            let bindings = vec![
                Data::F32(noise(1, batch * scales as usize)),
                Data::U32(outputs),
                Data::F32(power),
                Data::F32(vec![0.0; batch * count]),
            ];
            Case::new(params, bindings, Grid::linear(batch * count), Tolerance::sum(400, 1.0))
        })
        .collect()
}
