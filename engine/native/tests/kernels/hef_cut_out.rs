//! Cases of `hef_cut_out`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefCutOutParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    let places = [(64usize, 33usize, 5.3, 7.9, 1.2), (72, 65, -6.4, -3.1, 1.35), (71, 40, 20.0, 21.5, 0.5)];
    let all = [0, 1].into_iter().flat_map(|outline| places.map(|place| (outline, place)));
    all.map(|(outline, (size, crop, left, top, step))| {
        // Mattes beyond 0 and 1; two thirds of the crop have no need.
        let result: Vec<f32> = noise(1, 6 * crop * crop).iter().map(|v| 1.5 * v).collect();
        let mut driven = Scene::unit(2, 16 * crop * crop);
        for (k, v) in driven.iter_mut().enumerate() {
            if k / crop % crop < 2 * crop / 3 {
                *v = 0.0;
            }
        }
        let picture = |seed, count: usize| Data::F32(Scene::unit(seed, 4 * count * size * size));
        let bindings = vec![Data::F32(result), Data::F32(driven), picture(3, 1), picture(4, 2), picture(5, 1)];
        let params =
            HefCutOutParams { size: size as u32, crop: crop as u32, left, top, step, fade: 6.0, trust: 0.9, outline };
        Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(2 * size, 1.0))
    })
    .collect()
}
