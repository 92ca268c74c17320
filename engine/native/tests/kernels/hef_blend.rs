//! Cases of `hef_blend`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefBlendParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64usize, 32usize, 5.3, 7.9, 1.2, 0.0), (72, 68, -6.4, -3.1, 1.35, 0.6), (71, 40, 20.0, 21.5, 0.5, 1.0)]
        .into_iter()
        .map(|(size, crop, left, top, step, plain)| {
            // A third of the crop changes nothing; some changes would make light negative.
            let mut result: Vec<f32> = noise(1, 6 * crop * crop).iter().map(|v| 0.7 * v).collect();
            for (k, v) in result.iter_mut().enumerate() {
                if k / crop % crop < crop / 3 {
                    *v = 0.0;
                }
            }
            let linear = Scene::unit(2, 4 * size * size).iter().map(|v| 0.05 + 0.95 * v).collect();
            let plane = (crop / 4usize).pow(2);
            // Bounds that hold some pixels and not others.
            let range = (0..6 * plane)
                .zip(noise(4, 6 * plane))
                .map(|(k, v)| 0.2 * v + if k / plane < 3 { 0.4 } else { 0.7 })
                .collect();
            let bindings = vec![Data::F32(result), Data::F32(range), Data::F32(linear)];
            let params =
                HefBlendParams { size: size as u32, crop: crop as u32, left, top, step, fade: 6.0, trust: 0.9, plain };
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(2 * size, 1.0))
        })
        .collect()
}
