//! Cases of `crop_by_matrix`.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::CropByMatrixParams;

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

/// `matrices` of six, one a picture, with three words before each.
fn case(channels: usize, [in_w, in_h]: [usize; 2], [out_w, out_h]: [usize; 2], matrices: &[[f32; 6]]) -> Case {
    let batch = matrices.len();
    let params = CropByMatrixParams {
        batch: batch as u32,
        channels: channels as u32,
        in_w: in_w as u32,
        in_h: in_h as u32,
        out_w: out_w as u32,
        out_h: out_h as u32,
        matrix_at: 3,
        matrix_stride: 9,
    };
    let bindings = vec![
        Data::F32(noise(1, batch * channels * in_w * in_h)),
        Data::F32(matrices.iter().flat_map(|m| [[7.0; 3].as_slice(), m].concat()).collect()),
        Data::F32(vec![9.0; batch * channels * out_w * out_h]),
    ];
    let grid = Grid::Threads([out_w as u32, out_h as u32, (batch * channels) as u32]);
    // Positions of up to a hundred pixels are known to some ulp, and values differ by up to two from pixel to pixel.
    Case::new(params, bindings, grid, Tolerance::chain(8, 100.0))
}

pub(crate) fn cases() -> Vec<Case> {
    // Numbers that put no sample on the very edge, where rounding decides whether it is inside.
    vec![
        case(1, [2, 2], [3, 3], &[[0.41, 0.13, 0.37, -0.12, 0.43, 0.51]]),
        case(5, [13, 9], [7, 6], &[[1.91, 0.31, -1.27, -0.23, 1.37, 0.83], [0.77, 0.0, 4.11, 0.0, 0.71, 2.03]]),
        case(33, [48, 48], [16, 16], &[[1.573, -0.217, 11.37, 0.217, 1.103, 20.91]]),
    ]
}

#[test]
fn the_identity_copies_and_what_lies_outside_is_zero() {
    let mut case = case(1, [3, 2], [4, 3], &[[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]);
    case.bindings[0] = Data::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let got = case.run(&Compute::Cpu);
    let expected = [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
    // Half a pixel to the left: the first column would need a pixel that is not there, and is nothing as a whole.
    case.bindings[1] = Data::F32(vec![0.0, 0.0, 0.0, 1.0, 0.0, -0.5, 0.0, 1.0, 0.0]);
    let got = case.run(&Compute::Cpu);
    let expected = [0.0, 1.5, 2.5, 0.0, 0.0, 4.5, 5.5, 0.0, 0.0, 0.0, 0.0, 0.0];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
}
