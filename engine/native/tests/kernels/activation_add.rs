//! Cases of `activation_add`.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::ActivationAddParams;
use vultus_shaders::shared::activation::{
    ACTIVATION_HARD_SWISH, ACTIVATION_NONE, ACTIVATION_PRELU, ACTIVATION_RELU, ACTIVATION_SIGMOID,
};

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(batch: usize, [channels, b_channels]: [usize; 2], plane: usize, activation: u32) -> Case {
    let params = ActivationAddParams {
        batch: batch as u32,
        channels: channels as u32,
        b_channels: b_channels as u32,
        plane: plane as u32,
        activation,
    };
    // From −8 to 8, so that every piece of an activation is met.
    let wide = |seed, len| Data::F32(noise(seed, len).into_iter().map(|v| 4.0 * v).collect());
    let slopes = if activation == ACTIVATION_PRELU { channels } else { 1 };
    let bindings = vec![
        wide(1, batch * channels * plane),
        wide(2, (batch * b_channels * plane).max(1)),
        Data::F32(noise(3, slopes)),
        Data::F32(vec![9.0; batch * channels * plane]),
    ];
    Case::new(params, bindings, Grid::linear(batch * channels * plane), Tolerance::chain(8, 8.0))
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(1, [1, 1], 1, ACTIVATION_RELU),
        case(2, [7, 3], 35, ACTIVATION_PRELU),
        case(1, [32, 16], 36, ACTIVATION_NONE),
        case(3, [5, 0], 129, ACTIVATION_HARD_SWISH),
        case(1, [65, 0], 4, ACTIVATION_SIGMOID),
        case(2, [3, 3], 4097, ACTIVATION_PRELU),
    ]
}

#[test]
fn missing_channels_are_zeros_and_slopes_belong_to_channels() {
    let params = ActivationAddParams { batch: 2, channels: 2, b_channels: 1, plane: 2, activation: ACTIVATION_PRELU };
    let data = |v: &[f32]| Data::F32(v.to_vec());
    let bindings = vec![
        data(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0]),
        data(&[10.0, -10.0, 20.0, -20.0]),
        data(&[0.5, 0.25]),
        data(&[0.0; 8]),
    ];
    let got = Case::new(params, bindings, Grid::linear(8), Tolerance::EXACT).run(&Compute::Cpu);
    let expected = [11.0, -5.5, 2.0, -0.5, 23.0, -11.5, 4.0, -1.0];
    compare(&expected, bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
}
