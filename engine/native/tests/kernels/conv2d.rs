//! Cases of `conv2d`; the twin is held against a naive convolution, so that twin and WGSL cannot be wrong together.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::Conv2dParams;

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

struct Shape {
    batch: usize,
    c_in: usize,
    c_out: usize,
    out: [usize; 2],
    side: usize,
    stride: usize,
    modulated: bool,
    /// Zeros before x.
    pad: usize,
    /// Each channel has a slope of its own.
    slopes: bool,
    /// Channels before and after those that are read and written.
    beside: [usize; 2],
}

impl Shape {
    /// Width and height of x. At stride 2 an odd and an even side; where no zeros stand before x they stand after it, as TensorFlow has it.
    fn inside(&self) -> [usize; 2] {
        let after = if self.pad == 0 && self.side == 3 { 1 } else { self.side / 2 * usize::from(self.side > 2) };
        self.out.map(|out| (out - 1) * self.stride + self.side - self.pad - after + out % self.stride)
    }
}

fn case(s: &Shape) -> Case {
    let [out_w, out_h] = s.out;
    let [in_w, in_h] = s.inside();
    let [before, after] = s.beside;
    let (x_channels, y_channels) = (s.c_in + before + after, s.c_out + before + after);
    let params = Conv2dParams {
        c_in: s.c_in as u32,
        c_out: s.c_out as u32,
        in_w: in_w as u32,
        in_h: in_h as u32,
        out_w: out_w as u32,
        out_h: out_h as u32,
        batch: s.batch as u32,
        side: s.side as u32,
        stride: s.stride as u32,
        pad: s.pad as u32,
        x_channels: x_channels as u32,
        x_first: before as u32,
        y_channels: y_channels as u32,
        y_first: after as u32,
        modulated: u32::from(s.modulated),
        scale_at: 2,
        scale_stride: s.c_in as u32 + 3,
        demod_at: 1,
        demod_stride: s.c_out as u32 + 2,
        slopes: u32::from(s.slopes),
        slope: 0.2,
        gain: 1.5,
    };
    let packed = s.c_out.div_ceil(4) * s.c_in * s.side * s.side * 4;
    let bindings = vec![
        Data::F32(noise(1, s.batch * x_channels * in_w * in_h)),
        Data::F32(noise(2, packed)),
        Data::F32(noise(3, s.c_out * (1 + usize::from(s.slopes)))),
        Data::F32(noise(4, s.batch * (s.c_in + 3))),
        Data::F32(noise(5, s.batch * (s.c_out + 2))),
        Data::F32(noise(6, s.batch * y_channels * out_w * out_h)),
    ];
    let grid = Grid::Threads([out_w.div_ceil(4) as u32, out_h as u32, (s.batch * s.c_out.div_ceil(4)) as u32]);
    Case::new(params, bindings, grid, Tolerance::sum(s.c_in * s.side * s.side, 1.5))
}

fn shapes() -> Vec<Shape> {
    let shape = |batch, c_in, c_out, out, side, stride, modulated, beside| Shape {
        batch,
        c_in,
        c_out,
        out,
        side,
        stride,
        modulated,
        pad: usize::from(side == 3),
        slopes: false,
        beside,
    };
    // As TensorFlow pads at stride 2 on even sides: less before than after.
    let odd = |batch, c_in, c_out, out, side, pad| Shape {
        pad,
        slopes: true,
        ..shape(batch, c_in, c_out, out, side, if side == 1 { 1 } else { 2 }, false, [0, 0])
    };
    vec![
        shape(1, 1, 1, [1, 1], 1, 1, false, [0, 0]),
        shape(2, 7, 5, [9, 5], 3, 1, true, [0, 0]),
        shape(1, 13, 22, [33, 17], 3, 1, true, [2, 3]),
        shape(1, 345, 33, [4, 4], 3, 1, true, [0, 1]),
        shape(3, 5, 18, [35, 3], 3, 2, false, [1, 0]),
        shape(1, 16, 6, [64, 10], 2, 2, false, [0, 4]),
        shape(2, 57, 9, [7, 6], 1, 1, false, [3, 1]),
        shape(1, 3, 4, [130, 2], 3, 2, true, [0, 0]),
        odd(2, 3, 7, [17, 6], 5, 1),
        odd(1, 5, 24, [64, 9], 5, 1),
        odd(1, 3, 18, [33, 8], 3, 0),
        odd(2, 9, 5, [4, 1], 1, 0),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    shapes().iter().map(case).collect()
}

#[test]
fn the_twin_equals_a_naive_convolution() {
    for s in shapes() {
        let case = case(&s);
        let floats = |i: usize| match &case.bindings[i] {
            Data::F32(v) => v.clone(),
            Data::U32(_) | Data::Bytes(_) => unreachable!("all bindings are floats"),
        };
        let (x, w, bias, scale, demod, mut y) = (floats(0), floats(1), floats(2), floats(3), floats(4), floats(5));
        let ([out_w, out_h], [before, after]) = (s.out, s.beside);
        let x_channels = s.c_in + before + after;
        let (pad, [in_w, in_h]) = (s.pad, s.inside());
        let plane = in_w * in_h;
        for b in 0..s.batch {
            for o in 0..s.c_out {
                for row in 0..out_h {
                    for col in 0..out_w {
                        let mut sum = 0.0;
                        for i in 0..s.c_in {
                            let factor = if s.modulated { scale[b * (s.c_in + 3) + 2 + i] } else { 1.0 };
                            for ky in 0..s.side {
                                for kx in 0..s.side {
                                    let (r, c) = (row * s.stride + ky, col * s.stride + kx);
                                    if r >= pad && r < in_h + pad && c >= pad && c < in_w + pad {
                                        let tap = (i * s.side + ky) * s.side + kx;
                                        let weight = w[(o / 4 * s.c_in * s.side * s.side + tap) * 4 + o % 4];
                                        let at = (b * x_channels + before + i) * plane + (r - pad) * in_w + c - pad;
                                        sum += factor * weight * x[at];
                                    }
                                }
                            }
                        }
                        let d = if s.modulated { demod[b * (s.c_out + 2) + 1 + o] } else { 1.0 };
                        let v = sum * d + bias[o];
                        let slope = if s.slopes { bias[s.c_out + o] } else { 0.2 };
                        let channels = s.c_out + before + after;
                        y[((b * channels + after + o) * out_h + row) * out_w + col] =
                            1.5 * if v > 0.0 { v } else { slope * v };
                    }
                }
            }
        }
        let got = case.run(&Compute::Cpu);
        compare(&y, bytemuck::cast_slice(&got[0]), Tolerance::sum(s.c_in * s.side.max(3).pow(2), 1.5)).unwrap();
    }
}
