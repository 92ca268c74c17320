//! The layers that only this network has. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::{AveragePoolParams, DemodulateParams, LinearParams, WarpFeaturesParams};

use super::weights::{Encoder, HefWeights, StyleConv};
use super::{STYLE, STYLE_WORDS};
use crate::compute::{Grid, Tensor};
use crate::layers::{Modulation, Recorder, SLOPE, Span, Styles};

const EPSILON: f32 = 1e-8;

impl Recorder<'_> {
    /// Means of the first `channels` of `x`.
    pub(super) fn pool(&mut self, x: Span, side: usize, channels: usize) -> Span {
        let y = self.temp("prior", channels, side);
        let params = AveragePoolParams {
            width: side as u32,
            height: side as u32,
            batch: self.batch as u32,
            channels: channels as u32,
            x_channels: x.total as u32,
            x_first: x.first as u32,
            factor: (x.side / side) as u32,
        };
        let grid = Grid::Threads([side as u32, side as u32, (self.batch * channels) as u32]);
        self.plan.dispatch(params, &[x.tensor, y.tensor], grid);
        self.step("prior", 0);
        y
    }

    fn linear(&mut self, name: &str, weight: &[f32], bias: &[f32], x: Tensor) -> Tensor {
        let (cols, inner) = (bias.len(), weight.len() / bias.len());
        let w = self.plan.constant("linear", weight);
        let b = self.plan.constant("linear's bias", bias);
        let y = self.plan.temp("style", self.batch * cols);
        let whole = 1 << 30;
        let params = LinearParams {
            rows: self.batch as u32,
            cols: cols as u32,
            inner: inner as u32,
            activation: 0,
            accumulate: 0,
            x_group: whole,
            x_stride: whole,
            x_first: 0,
            y_group: whole,
            y_stride: whole,
            y_first: 0,
        };
        self.plan.dispatch(params, &[x, w, b, y], Grid::image(cols.div_ceil(4), self.batch.div_ceil(4)));
        self.step(name, 2 * weight.len());
        y
    }

    /// Each level of a pyramid, written where `to` says.
    pub(super) fn encode(&mut self, name: &str, encoder: &Encoder, x: Span, to: &[Span]) {
        let finest = to[to.len() - 1];
        self.conv(&format!("{name}.stem"), &encoder.stem, x, finest, None, SLOPE);
        for (level, layer) in encoder.down.iter().enumerate().rev() {
            self.conv(&format!("{name}.down.{level}"), layer, to[level + 1], to[level], None, SLOPE);
        }
    }

    /// Scales and demodulations of all modulated layers, and where each layer's begin, in the order of [`modulated`].
    pub(super) fn styles(&mut self, weights: &HefWeights, style: Tensor) -> (Styles, Vec<Modulation>) {
        let (code, bias) = &weights.code;
        // The kernel wants whole vectors.
        let padded: Vec<f32> =
            code.chunks_exact(STYLE).flat_map(|row| row.iter().copied().chain([0.0; STYLE_WORDS - STYLE])).collect();
        let z = self.linear("style", &padded, bias, style);
        self.probe(|| "code".into(), Span::whole(z, bias.len(), 1), bias.len());
        let (mut affine, mut affine_bias) = (Vec::new(), Vec::new());
        let (mut outputs, mut power, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        for layer in modulated(weights) {
            let conv = &layer.conv;
            begins.push(Modulation { scale_at: affine_bias.len(), demod_at: outputs.len() });
            for row in conv.weight.chunks_exact(9 * conv.inputs) {
                outputs.push([power.len() as u32, affine_bias.len() as u32, conv.inputs as u32, 0]);
                power.extend(row.chunks_exact(9).map(|taps| taps.iter().map(|v| v * v).sum::<f32>()));
            }
            affine.extend(&layer.affine);
            affine_bias.extend(&layer.affine_bias);
        }
        let (scales, demods) = (affine_bias.len(), outputs.len());
        let scale = self.linear("affine", &affine, &affine_bias, z);
        let table = self.plan.constant("modulated channels", &outputs);
        let power = self.plan.constant("power of weights", &power);
        let demod = self.plan.temp("demodulation", self.batch * demods);
        let params = DemodulateParams {
            batch: self.batch as u32,
            scales: scales as u32,
            outputs: demods as u32,
            epsilon: EPSILON,
        };
        self.plan.dispatch(params, &[scale, table, power, demod], Grid::linear(self.batch * demods));
        self.step("demodulation", 0);
        (Styles { scale, demod, scales, demods }, begins)
    }

    /// T(φ, F^s) with φ = prior + upsampled flow, written to `y`.
    pub(super) fn warp(
        &mut self,
        name: &str,
        features: Tensor,
        channels: usize,
        prior: Span,
        flow: Option<Span>,
        y: Span,
    ) {
        let params = WarpFeaturesParams {
            size: y.side as u32,
            batch: self.batch as u32,
            channels: channels as u32,
            coarse_channels: flow.map_or(0, |f| f.total as u32),
            coarse_first: flow.map_or(0, |f| f.first as u32),
            y_channels: y.total as u32,
            y_first: y.first as u32,
        };
        let flow = flow.map_or(self.nothing[0], |f| f.tensor);
        let grid = Grid::Threads([y.side as u32, y.side as u32, self.batch as u32]);
        self.plan.dispatch(params, &[features, prior.tensor, flow, y.tensor], grid);
        self.step(name, 0);
    }
}

/// Every modulated layer, from the coarsest level on.
fn modulated(weights: &HefWeights) -> impl Iterator<Item = &StyleConv> {
    weights.levels.iter().flat_map(|level| std::iter::once(&level.style).chain(&level.mix))
}
