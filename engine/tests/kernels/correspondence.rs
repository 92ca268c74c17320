//! Cases of `correspondence`.

use vultus::compute::Grid;
use vultus_shaders::kernels::CorrespondenceParams;

use crate::common::{Tolerance, noise};
use crate::face_scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(1757, 345), (20, 33)]
        .into_iter()
        .map(|(count, size)| {
            let scene = Scene::new(count, size);
            let (ids, weights) = scene.pixels();
            // Source positions all over the picture and a little outside; depths about 1 m, some of the image's pixels empty.
            let source: Vec<f32> = noise(1, 3 * scene.screen.len())
                .as_chunks::<3>()
                .0
                .iter()
                .flat_map(|[x, y, d]| {
                    let depth = 1.0 + 0.1 * d;
                    let at = |v: f32| (v * 0.55 + 0.5) * size as f32 * depth;
                    [at(*x), at(*y), depth, 1.0]
                })
                .collect();
            let depth = |v: &f32| if *v > 0.9 { 1e9 } else { 1.0 + 0.1 * v };
            let bindings = vec![
                Data::U32(scene.triangles.concat()),
                Data::U32(ids),
                Data::F32(weights.concat()),
                Data::F32(source),
                Data::F32(noise(3, count).iter().map(|m| if *m < -0.7 { -1.0 } else { 0.05 + 0.04 * m }).collect()),
                Data::F32(noise(4, size * size).iter().map(depth).collect()),
                Data::F32(vec![9.0; 4 * size * size]),
            ];
            // A pixel's rounding, about 2e-5, moves the bilinear weights of visibilities between 0 and 1.
            let tolerance = Tolerance { absolute: 2e-4, relative: 2e-6 };
            Case::new(CorrespondenceParams { size: size as u32 }, bindings, Grid::linear(size * size), tolerance)
        })
        .collect()
}
