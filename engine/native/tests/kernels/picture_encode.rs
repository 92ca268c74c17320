//! Cases of `picture_encode`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PictureEncodeParams;

use crate::common::Tolerance;
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [64, 147]
        .into_iter()
        .map(|size| {
            let bindings = vec![Data::F32(Scene::unit(1, 4 * size * size)), Data::Bytes(vec![9; size * size])];
            Case::new(PictureEncodeParams { size: size as u32 }, bindings, Grid::image(size, size), Tolerance::EXACT)
        })
        .collect()
}
