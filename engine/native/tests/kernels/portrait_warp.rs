//! Cases of `portrait_warp`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PortraitWarpParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(64usize, 1.0), (71, 0.0)]
        .into_iter()
        .map(|(size, background)| {
            let (off, rest) = (noise(1, 2 * size * size), Scene::unit(2, 2 * size * size));
            // Positions run out of the picture on all sides.
            let warp: Vec<f32> = (0..size * size)
                .flat_map(|k| {
                    let (x, y) =
                        ((k % size) as f32 + 0.5 + 9.0 * off[2 * k], (k / size) as f32 + 0.5 + 9.0 * off[2 * k + 1]);
                    [x, y, 0.5 + rest[2 * k], rest[2 * k + 1]]
                })
                .collect();
            let bindings = vec![
                Data::F32(warp),
                Data::F32(Scene::unit(3, 4 * size * size)),
                Data::F32(Scene::unit(4, 8 * size * size)),
                Data::F32(vec![9.0; 4 * size * size]),
            ];
            let params = PortraitWarpParams { size: size as u32, background, effects: 0.25 + 0.75 * background };
            Case::new(params, bindings, Grid::image(size, size), Tolerance::chain(60, 1.0))
        })
        .collect()
}
