//! Cases of `tent_blur`.

use vultus::compute::Grid;
use vultus_shaders::kernels::TentBlurParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(65usize, 33usize, 1, 3), (31, 70, 0, 2), (5, 4, 0, 6), (1, 1, 1, 1)]
        .into_iter()
        .map(|(w, h, dx, radius)| {
            let params = TentBlurParams { width: w as u32, height: h as u32, dx, radius };
            let bindings = vec![Data::F32(noise(1, 2 * w * h)), Data::F32(vec![9.0; 2 * w * h])];
            Case::new(params, bindings, Grid::image(w, h), Tolerance::sum(13, 1.0))
        })
        .collect()
}
