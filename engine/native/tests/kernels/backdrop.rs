//! Cases of `backdrop`.

use vultus::compute::Grid;
use vultus_shaders::kernels::BackdropParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64usize, 1.0), (71, 0.0), (33, 1.0)]
        .into_iter()
        .map(|(size, hold)| {
            // Shares beyond 0 and 1, colours below and above them.
            let person = noise(2, 4 * size * size).iter().map(|v| 0.5 + 1.2 * v).collect();
            let bindings = vec![Data::F32(Scene::unit(1, 4 * size * size)), Data::F32(person)];
            let params = BackdropParams { size: size as u32, hold };
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(4, 1.0))
        })
        .collect()
}
