//! Cases of `push`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PushParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(128usize, 128usize), (33, 17), (2, 1)]
        .into_iter()
        .map(|(w, h)| {
            let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
            let params =
                PushParams { width: w as u32, height: h as u32, coarse_width: cw as u32, coarse_height: ch as u32 };
            let bindings = vec![Data::F32(Scene::unit(1, 4 * cw * ch)), Data::F32(Scene::unit(2, 4 * w * h))];
            Case::new(params, bindings, Grid::image(w, h), Tolerance::chain(12, 1.0))
        })
        .collect()
}
