//! Convolutions of planar tensors and what goes with them.

use vultus_shaders::kernels::{AveragePoolParams, Conv2dParams, UpsampleParams};

use super::recorder::{Recorder, Span};
use super::scope::Scope;
use crate::compute::{Constant, Grid, Tensor};
use crate::weights::WeightError;

/// Slope of the leaky ReLU below zero.
pub(crate) const SLOPE: f32 = 0.2;
/// What keeps activations' size behind a modulated convolution: half of what it makes is nearly lost.
const GAIN: f32 = std::f32::consts::SQRT_2;

/// A convolution. Sides of 3 pad by 1; the stride follows from the sides of what it reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    path: String,
    /// (outputs / 4, inputs · side², 4), zeros where outputs end.
    weight: Constant,
    bias: Constant,
    pub inputs: usize,
    pub outputs: usize,
    pub side: usize,
}

/// A convolution's weight (outputs, inputs, side, side) and bias (outputs).
pub(crate) fn taken(
    scope: &Scope<'_>,
    inputs: usize,
    outputs: usize,
    side: usize,
) -> Result<(Vec<f32>, Vec<f32>), WeightError> {
    Ok((scope.take("weight", [outputs, inputs, side, side])?, scope.take("bias", [outputs])?))
}

impl Conv {
    pub(crate) fn take(scope: &Scope<'_>, inputs: usize, outputs: usize, side: usize) -> Result<Self, WeightError> {
        let (weight, bias) = taken(scope, inputs, outputs, side)?;
        Ok(Self::new(scope.path(), &weight, &bias, inputs, side))
    }

    /// With a weight (outputs, inputs, side, side) and a bias (outputs).
    pub(crate) fn new(path: String, weight: &[f32], bias: &[f32], inputs: usize, side: usize) -> Self {
        let outputs = bias.len();
        let weight = packed(weight, outputs, inputs * side * side);
        Self { path, weight, bias: Constant::new([outputs], bias), inputs, outputs, side }
    }
}

/// A weight (outputs, taps) as the kernel `conv2d` takes it: (outputs / 4, taps, 4), zeros where outputs end.
pub(crate) fn packed(weight: &[f32], outputs: usize, taps: usize) -> Constant {
    let mut packed = vec![[0.0f32; 4]; outputs.div_ceil(4) * taps];
    for (o, row) in weight.chunks_exact(taps).enumerate() {
        for (word, v) in packed[o / 4 * taps..].iter_mut().zip(row) {
            word[o % 4] = *v;
        }
    }
    Constant::new([outputs.div_ceil(4), taps, 4], &packed)
}

/// The scales and demodulations of all layers, and where a layer's own begin.
#[derive(Clone, Copy)]
pub(super) struct Modulation {
    pub scale: Tensor,
    pub demod: Tensor,
    pub scale_at: usize,
    pub demod_at: usize,
}

impl Recorder<'_> {
    /// y = leaky(conv(x)).
    pub(crate) fn conv(&mut self, layer: &Conv, x: impl Into<Span>, y: Span, slope: f32) {
        self.convolve(layer, x.into(), y, None, slope);
    }

    pub(super) fn convolve(&mut self, layer: &Conv, x: Span, y: Span, modulation: Option<Modulation>, slope: f32) {
        debug_assert_eq!((x.channels, y.channels), (layer.inputs, layer.outputs), "{}", layer.path);
        let weight = self.plan.resident("convolution", &layer.weight);
        let bias = self.plan.resident("convolution's bias", &layer.bias);
        let at = modulation.unwrap_or_else(|| {
            let [scale, demod] = self.nothing();
            Modulation { scale, demod, scale_at: 0, demod_at: 0 }
        });
        // Rows of both, one for each member of the batch.
        let stride = |t: Tensor| if modulation.is_some() { t.shape().last() as u32 } else { 0 };
        let (from, to) = (x.side(), y.side());
        let params = Conv2dParams {
            c_in: layer.inputs as u32,
            c_out: layer.outputs as u32,
            in_w: from as u32,
            in_h: from as u32,
            out_w: to as u32,
            out_h: to as u32,
            batch: self.batch as u32,
            side: layer.side as u32,
            stride: (from / to) as u32,
            pad: u32::from(layer.side == 3),
            x_channels: x.total() as u32,
            x_first: x.first as u32,
            y_channels: y.total() as u32,
            y_first: y.first as u32,
            modulated: u32::from(modulation.is_some()),
            scale_at: at.scale_at as u32,
            scale_stride: stride(at.scale),
            demod_at: at.demod_at as u32,
            demod_stride: stride(at.demod),
            slopes: 0,
            slope,
            gain: if modulation.is_some() { GAIN } else { 1.0 },
        };
        let grid = Grid::Threads([to.div_ceil(4) as u32, to as u32, (self.batch * layer.outputs.div_ceil(4)) as u32]);
        self.plan.dispatch(params, &[x.tensor, weight, bias, at.scale, at.demod, y.tensor], grid);
        self.step(&layer.path, 2 * layer.outputs * layer.inputs * layer.side * layer.side * to * to);
    }

    /// y = up(x), or y += up(x): twice the side.
    pub(crate) fn upsample(&mut self, name: &str, x: Span, y: Span, accumulate: bool) {
        debug_assert_eq!((x.channels, 2 * x.side()), (y.channels, y.side()), "{name}");
        let params = UpsampleParams {
            width: x.side() as u32,
            height: x.side() as u32,
            batch: self.batch as u32,
            channels: x.channels as u32,
            x_channels: x.total() as u32,
            x_first: x.first as u32,
            y_channels: y.total() as u32,
            y_first: y.first as u32,
            accumulate: u32::from(accumulate),
        };
        let grid = Grid::Threads([y.side() as u32, y.side() as u32, (self.batch * x.channels) as u32]);
        self.plan.dispatch(params, &[x.tensor, y.tensor], grid);
        self.step(name, 0);
    }

    /// Means, down to `side`.
    pub(crate) fn pool(&mut self, label: &'static str, x: Span, side: usize) -> Span {
        let y = self.planar(label, x.channels, side);
        let params = AveragePoolParams {
            width: side as u32,
            height: side as u32,
            batch: self.batch as u32,
            channels: x.channels as u32,
            x_channels: x.total() as u32,
            x_first: x.first as u32,
            factor: (x.side() / side) as u32,
        };
        let grid = Grid::Threads([side as u32, side as u32, (self.batch * x.channels) as u32]);
        self.plan.dispatch(params, &[x.tensor, y.tensor], grid);
        self.step(label, 0);
        y
    }
}
