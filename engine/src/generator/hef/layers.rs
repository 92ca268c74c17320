//! The layers that the network is recorded from. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::{
    AveragePoolParams, Conv2dParams, DemodulateParams, LinearParams, UpsampleParams, WarpFeaturesParams,
};

use super::weights::{Conv, Encoder, HefWeights, StyleConv};
use super::{STYLE, STYLE_WORDS};
use crate::compute::{Grid, PlanBuilder, Tensor};

/// Slope of the leaky ReLU below zero.
pub(super) const SLOPE: f32 = 0.2;
/// What keeps activations' size behind a modulated convolution: half of what it makes is nearly lost.
const GAIN: f32 = std::f32::consts::SQRT_2;
const EPSILON: f32 = 1e-8;

/// One recorded step, in order, for measurements.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes, by the name that its weights have.
    pub name: String,
    /// Two for each product that is added up, without zeros that fill up; 0 for steps that do little else than move.
    pub flop: u64,
}

/// Some channels of a tensor.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub tensor: Tensor,
    /// Channels of the whole tensor.
    pub total: usize,
    pub first: usize,
    pub side: usize,
}

impl Span {
    pub(super) fn whole(tensor: Tensor, total: usize, side: usize) -> Self {
        Self { tensor, total, first: 0, side }
    }

    pub(super) fn from(self, first: usize) -> Self {
        Self { first: self.first + first, ..self }
    }
}

/// Where a modulated layer's scales and demodulations begin.
#[derive(Clone, Copy)]
pub(super) struct Modulation {
    scale_at: usize,
    demod_at: usize,
}

/// Scales and demodulations of all layers.
pub(super) struct Styles {
    scale: Tensor,
    demod: Tensor,
    scales: usize,
    demods: usize,
}

pub(super) struct Recorder<'a> {
    pub plan: &'a mut PlanBuilder,
    pub batch: usize,
    pub steps: Vec<Step>,
    pub probes: Option<Vec<(String, Tensor)>>,
    /// Stands where a layer that is not modulated has no scales.
    nothing: [Tensor; 2],
}

impl<'a> Recorder<'a> {
    pub(super) fn new(plan: &'a mut PlanBuilder, batch: usize, probe: bool) -> Self {
        let nothing = [plan.constant("no scales", &[1.0f32]), plan.constant("no demodulation", &[1.0f32])];
        Self { plan, batch, steps: Vec::new(), probes: probe.then(Vec::new), nothing }
    }

    pub(super) fn temp(&mut self, label: &'static str, channels: usize, side: usize) -> Span {
        Span::whole(self.plan.temp(label, self.batch * channels * side * side), channels, side)
    }

    pub(super) fn step(&mut self, name: &str, flop: usize) {
        self.steps.push(Step { name: name.to_owned(), flop: (flop * self.batch) as u64 });
    }

    /// Keeps a copy of an activation for the golden test.
    pub(super) fn probe(&mut self, name: impl FnOnce() -> String, x: Span, channels: usize) {
        if let Some(probes) = &mut self.probes {
            let plane = x.side * x.side;
            let copy = self.plan.temp("probe", self.batch * channels * plane);
            for b in 0..self.batch {
                let from = (b * x.total + x.first) * plane;
                self.plan.copy(x.tensor, from, copy, b * channels * plane, channels * plane);
            }
            self.plan.output(copy);
            probes.push((name(), copy));
        }
    }

    /// y = leaky(conv(x)), modulated or not; its stride follows from the sides.
    pub(super) fn conv(
        &mut self,
        name: &str,
        layer: &Conv,
        x: Span,
        y: Span,
        styles: Option<(&Styles, Modulation)>,
        slope: f32,
    ) {
        let weight = self.plan.constant("convolution", &layer.packed());
        let bias = self.plan.constant("convolution's bias", &layer.bias);
        let [no_scale, no_demod] = self.nothing;
        let (scale, demod) = styles.map_or((no_scale, no_demod), |(s, _)| (s.scale, s.demod));
        let at = styles.map_or(Modulation { scale_at: 0, demod_at: 0 }, |(_, at)| at);
        let params = Conv2dParams {
            c_in: layer.inputs as u32,
            c_out: layer.outputs as u32,
            in_w: x.side as u32,
            in_h: x.side as u32,
            out_w: y.side as u32,
            out_h: y.side as u32,
            batch: self.batch as u32,
            side: layer.side as u32,
            stride: (x.side / y.side) as u32,
            pad: u32::from(layer.side == 3),
            x_channels: x.total as u32,
            x_first: x.first as u32,
            y_channels: y.total as u32,
            y_first: y.first as u32,
            modulated: u32::from(styles.is_some()),
            scale_at: at.scale_at as u32,
            scale_stride: styles.map_or(0, |(s, _)| s.scales as u32),
            demod_at: at.demod_at as u32,
            demod_stride: styles.map_or(0, |(s, _)| s.demods as u32),
            slope,
            gain: if styles.is_some() { GAIN } else { 1.0 },
        };
        let across = y.side.div_ceil(4) as u32;
        let grid = Grid::Threads([across, y.side as u32, (self.batch * layer.outputs.div_ceil(4)) as u32]);
        self.plan.dispatch(params, &[x.tensor, weight, bias, scale, demod, y.tensor], grid);
        self.step(name, 2 * layer.weight.len() * y.side * y.side);
    }

    /// y = up(x), or y += up(x).
    pub(super) fn upsample(&mut self, name: &str, x: Span, y: Span, channels: usize, accumulate: bool) {
        let params = UpsampleParams {
            width: x.side as u32,
            height: x.side as u32,
            batch: self.batch as u32,
            channels: channels as u32,
            x_channels: x.total as u32,
            x_first: x.first as u32,
            y_channels: y.total as u32,
            y_first: y.first as u32,
            accumulate: u32::from(accumulate),
        };
        let grid = Grid::Threads([y.side as u32, y.side as u32, (self.batch * channels) as u32]);
        self.plan.dispatch(params, &[x.tensor, y.tensor], grid);
        self.step(name, 0);
    }

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
