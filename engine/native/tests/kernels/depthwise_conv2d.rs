//! Cases of `depthwise_conv2d`; the twin is held against a naive convolution, so that twin and WGSL cannot be wrong together.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::DepthwiseConv2dParams;
use vultus_shaders::shared::activation::{ACTIVATION_HARD_SWISH, ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_SIGMOID};

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(
    [batch, channels]: [usize; 2],
    inside: [usize; 2],
    side: usize,
    stride: usize,
    pad: usize,
    activation: u32,
) -> (DepthwiseConv2dParams, Case) {
    // Some zeros after x too, but for the last case.
    let out = inside.map(|n| (n + pad + side / 2 - side) / stride + 1);
    let params = DepthwiseConv2dParams {
        batch: batch as u32,
        channels: channels as u32,
        in_w: inside[0] as u32,
        in_h: inside[1] as u32,
        out_w: out[0] as u32,
        out_h: out[1] as u32,
        side: side as u32,
        stride: stride as u32,
        pad: pad as u32,
        activation,
    };
    let bindings = vec![
        Data::F32(noise(1, batch * channels * inside[0] * inside[1])),
        Data::F32(noise(2, channels * side * side)),
        Data::F32(noise(3, channels)),
        Data::F32(noise(4, batch * channels * out[0] * out[1])),
    ];
    let grid = Grid::Threads([out[0] as u32, out[1] as u32, (batch * channels) as u32]);
    (params, Case::new(params, bindings, grid, Tolerance::sum(side * side + 8, 4.0)))
}

fn all() -> Vec<(DepthwiseConv2dParams, Case)> {
    vec![
        case([1, 1], [1, 1], 3, 1, 1, ACTIVATION_NONE),
        case([2, 5], [9, 7], 3, 1, 1, ACTIVATION_RELU),
        case([1, 19], [33, 18], 3, 2, 0, ACTIVATION_NONE),
        case([3, 2], [16, 34], 3, 2, 1, ACTIVATION_HARD_SWISH),
        case([1, 7], [21, 5], 5, 1, 2, ACTIVATION_SIGMOID),
        case([2, 3], [64, 6], 5, 2, 1, ACTIVATION_RELU),
        case([1, 4], [2, 2], 5, 1, 2, ACTIVATION_NONE),
        case([1, 130], [2, 2], 3, 2, 0, ACTIVATION_NONE),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    all().into_iter().map(|(_, case)| case).collect()
}

#[test]
fn the_twin_equals_a_naive_convolution() {
    for (p, case) in all() {
        let floats = |i: usize| match &case.bindings[i] {
            Data::F32(v) => v.clone(),
            Data::U32(_) | Data::Bytes(_) => unreachable!("all bindings are floats"),
        };
        let (x, w, bias) = (floats(0), floats(1), floats(2));
        let mut y = Vec::new();
        for plane in 0..p.batch * p.channels {
            for row in 0..p.out_h {
                for col in 0..p.out_w {
                    let channel = plane % p.channels;
                    let mut v = f64::from(bias[channel as usize]);
                    for ky in 0..p.side {
                        for kx in 0..p.side {
                            let (r, c) = (row * p.stride + ky, col * p.stride + kx);
                            if r >= p.pad && r < p.in_h + p.pad && c >= p.pad && c < p.in_w + p.pad {
                                let at = (plane * p.in_h + r - p.pad) * p.in_w + c - p.pad;
                                let tap = (channel * p.side + ky) * p.side + kx;
                                v += f64::from(w[tap as usize] * x[at as usize]);
                            }
                        }
                    }
                    y.push(match p.activation {
                        ACTIVATION_RELU => v.max(0.0),
                        ACTIVATION_HARD_SWISH => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
                        ACTIVATION_SIGMOID => 1.0 / (1.0 + (-v).exp()),
                        _ => v,
                    } as f32);
                }
            }
        }
        let got = case.run(&Compute::Cpu);
        compare(&y, bytemuck::cast_slice(&got[0]), Tolerance::sum(33, 4.0))
            .unwrap_or_else(|why| panic!("{p:?}: {why}"));
    }
}
