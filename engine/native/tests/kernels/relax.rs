//! Cases of `relax`.

use vultus::compute::Grid;
use vultus_shaders::kernels::RelaxParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(128usize, 128usize, 1.0), (33, 17, 0.0), (1, 1, 1.0)]
        .into_iter()
        .map(|(w, h, add)| {
            let params = RelaxParams { width: w as u32, height: h as u32, add };
            let bindings = vec![
                Data::F32(Scene::unit(1, 4 * w * h)),
                Data::F32(Scene::unit(2, 2 * w * h)),
                Data::F32(vec![9.0; 4 * w * h]),
            ];
            Case::new(params, bindings, Grid::image(w, h), Tolerance::chain(12, 1.0))
        })
        .collect()
}
