//! Recording of convolutions. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::{Conv2dParams, UpsampleParams};

use super::Conv;
use crate::compute::{Grid, PlanBuilder, Tensor};

/// Slope of the leaky ReLU below zero.
pub(crate) const SLOPE: f32 = 0.2;
/// What keeps activations' size behind a modulated convolution: half of what it makes is nearly lost.
const GAIN: f32 = std::f32::consts::SQRT_2;

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
pub(crate) struct Span {
    pub tensor: Tensor,
    /// Channels of the whole tensor.
    pub total: usize,
    pub first: usize,
    pub side: usize,
}

impl Span {
    pub(crate) fn whole(tensor: Tensor, total: usize, side: usize) -> Self {
        Self { tensor, total, first: 0, side }
    }

    pub(crate) fn from(self, first: usize) -> Self {
        Self { first: self.first + first, ..self }
    }
}

/// Where a modulated layer's scales and demodulations begin.
#[derive(Clone, Copy)]
pub(crate) struct Modulation {
    pub scale_at: usize,
    pub demod_at: usize,
}

/// Scales and demodulations of all layers.
pub(crate) struct Styles {
    pub scale: Tensor,
    pub demod: Tensor,
    pub scales: usize,
    pub demods: usize,
}

pub(crate) struct Recorder<'a> {
    pub plan: &'a mut PlanBuilder,
    pub batch: usize,
    pub steps: Vec<Step>,
    pub probes: Option<Vec<(String, Tensor)>>,
    /// Stands where a layer that is not modulated has no scales.
    pub nothing: [Tensor; 2],
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(plan: &'a mut PlanBuilder, batch: usize, probe: bool) -> Self {
        let nothing = [plan.constant("no scales", &[1.0f32]), plan.constant("no demodulation", &[1.0f32])];
        Self { plan, batch, steps: Vec::new(), probes: probe.then(Vec::new), nothing }
    }

    pub(crate) fn temp(&mut self, label: &'static str, channels: usize, side: usize) -> Span {
        Span::whole(self.plan.temp(label, self.batch * channels * side * side), channels, side)
    }

    pub(crate) fn step(&mut self, name: &str, flop: usize) {
        self.steps.push(Step { name: name.to_owned(), flop: (flop * self.batch) as u64 });
    }

    /// Keeps a copy of an activation for the golden test.
    pub(crate) fn probe(&mut self, name: impl FnOnce() -> String, x: Span, channels: usize) {
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
    pub(crate) fn conv(
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
    pub(crate) fn upsample(&mut self, name: &str, x: Span, y: Span, channels: usize, accumulate: bool) {
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
}
