//! Cases of `landmarks_to_matrix`.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::LandmarksToMatrixParams;

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(batch: usize, parts: &[[u32; 4]], subset: &[u32], landmarks: Vec<f32>) -> Case {
    let params = LandmarksToMatrixParams {
        batch: batch as u32,
        parts: parts.len() as u32,
        stride: (landmarks.len() / batch) as u32,
        cells: 16,
        factor: 0.25,
        scale: 1.5,
    };
    let bindings = vec![
        Data::F32(landmarks),
        Data::U32(parts.as_flattened().to_vec()),
        Data::U32(subset.to_vec()),
        Data::F32(vec![0.0; 6 * batch * parts.len()]),
    ];
    Case::new(params, bindings, Grid::linear(batch * parts.len()), Tolerance::chain(16, 40.0))
}

pub(crate) fn cases() -> Vec<Case> {
    let spread = |seed: u64, points: usize| noise(seed, 3 * points).into_iter().map(|v| 80.0 * v + 96.0).collect();
    vec![
        case(1, &[[0, 3, 0, 1]], &[0, 1, 2], spread(1, 3)),
        // Two parts, one of which is an only point: no size, and no direction.
        case(3, &[[0, 9, 4, 11], [9, 1, 2, 2]], &[4, 11, 0, 1, 3, 5, 7, 9, 12, 2], spread(2, 39)),
    ]
}

#[test]
fn a_level_box_is_the_box_one_and_a_half_times_as_large() {
    // A box from (40, 80) to (72, 88) of the picture: (10, 20) to (18, 22) of the map.
    let landmarks = vec![40.0, 84.0, 5.0, 72.0, 84.0, 5.0, 50.0, 80.0, 5.0, 50.0, 88.0, 5.0];
    let got = case(1, &[[0, 4, 0, 1]], &[0, 1, 2, 3], landmarks).run(&Compute::Cpu);
    let expected = [0.75, 0.0, 8.0, 0.0, 0.1875, 19.5];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
    // Turned by a right angle the first pixel's row runs down the picture.
    let landmarks = vec![84.0, 40.0, 5.0, 84.0, 72.0, 5.0, 80.0, 50.0, 5.0, 88.0, 50.0, 5.0];
    let got = case(1, &[[0, 4, 0, 1]], &[0, 1, 2, 3], landmarks).run(&Compute::Cpu);
    let expected = [0.0, -0.1875, 22.5, 0.75, 0.0, 8.0];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::chain(4, 20.0)).unwrap();
}
