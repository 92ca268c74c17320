//! Cases of `pull`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PullParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(128usize, 128usize), (33, 17), (2, 1)]
        .into_iter()
        .map(|(w, h)| {
            let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
            let params =
                PullParams { fine_width: w as u32, fine_height: h as u32, width: cw as u32, height: ch as u32 };
            let bindings = vec![Data::F32(Scene::unit(1, 4 * w * h)), Data::F32(vec![9.0; 4 * cw * ch])];
            Case::new(params, bindings, Grid::image(cw, ch), Tolerance::chain(12, 1.0))
        })
        .collect()
}
