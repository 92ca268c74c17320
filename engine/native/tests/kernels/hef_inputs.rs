//! Cases of `hef_inputs`.

use vultus::compute::Grid;
use vultus_shaders::kernels::HefInputsParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    // The second crop leaves the picture on all sides, the third is finer than it.
    [(64usize, 33usize, 5.3, 7.9, 1.2), (72, 65, -6.4, -3.1, 1.35), (66, 40, 20.0, 21.5, 0.5)]
        .into_iter()
        .map(|(size, crop, left, top, step)| {
            let pixels = size * size;
            let (off, rest) = (noise(1, 2 * pixels), Scene::unit(2, 2 * pixels));
            let warp: Vec<f32> = (0..pixels)
                .flat_map(|k| {
                    let (x, y) =
                        ((k % size) as f32 + 0.5 + 0.6 * off[2 * k], (k / size) as f32 + 0.5 + 0.6 * off[2 * k + 1]);
                    [x, y, 0.8 + 0.4 * rest[2 * k], rest[2 * k + 1]]
                })
                .collect();
            let bindings = vec![
                Data::F32(Scene::unit(3, 4 * pixels)),
                Data::F32(Scene::unit(4, 4 * pixels)),
                Data::F32(warp),
                // Some of it is a lid's.
                Data::F32(noise(5, 4 * pixels).iter().map(|v| 0.3 * v).collect()),
                Data::F32(Scene::unit(6, pixels / 2)),
                Data::F32(vec![9.0; 16 * crop * crop]),
                Data::F32(vec![9.0; crop * crop]),
            ];
            let params = HefInputsParams { size: size as u32, crop: crop as u32, left, top, step };
            Case::new(params, bindings, Grid::image(crop, crop), Tolerance::chain(4 * size, 1.0))
        })
        .collect()
}
