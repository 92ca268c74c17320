//! Records the network: E_src once a portrait, everything else once a frame. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::{
    AveragePoolParams, Conv2dParams, DemodulateParams, HefFinishParams, LinearParams, UpsampleParams,
    WarpFeaturesParams,
};

use super::config::{Head, HefConfig, Up};
use super::weights::{Conv, Encoder, HefWeights, StyleConv};
use super::{DRIVEN, RESULT, SOURCE, STYLE, STYLE_WORDS};
use crate::compute::{Grid, PlanBuilder, Tensor};

/// Slope of the leaky ReLU below zero.
const SLOPE: f32 = 0.2;
/// What keeps activations' size behind a modulated convolution: half of what it makes is nearly lost.
const GAIN: f32 = std::f32::consts::SQRT_2;
const EPSILON: f32 = 1e-8;
/// First channel of the prior flow in `driven`.
const PRIOR: usize = 10;

/// What a frame is made from. The tensors are the caller's: inputs, or what other kernels of the same plan write.
#[derive(Clone, Debug)]
pub struct HefInputs {
    /// (B, 16, C, C)
    pub driven: Tensor,
    /// (B, C, C, 4): the first four channels of `source`, colours and matte, side by side.
    pub portrait: Tensor,
    /// (B, 260): the style vector (258) and two zeros.
    pub style: Tensor,
    /// What [`record_source`] gave, coarsest first.
    pub pyramid: Vec<Tensor>,
}

/// One recorded step, in order, for measurements.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes, by the name that its weights have.
    pub name: String,
    /// Two for each product that is added up, without zeros that fill up; 0 for steps that do little else than move.
    pub flop: u64,
}

/// What a frame gives.
#[derive(Clone, Debug)]
pub struct HefOutputs {
    /// (B, 6, C, C): 0–2 what is added to the composite, in square roots of linear light · 3 matte, to be clamped · 4–5 residual flow in units of C.
    pub result: Tensor,
    /// Every dispatch since the recording began; without probes also every step.
    pub steps: Vec<Step>,
    /// Only where asked for: activations by their golden names.
    pub probes: Vec<(String, Tensor)>,
}

/// Some channels of a tensor.
#[derive(Clone, Copy)]
struct Span {
    tensor: Tensor,
    /// Channels of the whole tensor.
    total: usize,
    first: usize,
    side: usize,
}

impl Span {
    fn whole(tensor: Tensor, total: usize, side: usize) -> Self {
        Self { tensor, total, first: 0, side }
    }

    fn from(self, first: usize) -> Self {
        Self { first: self.first + first, ..self }
    }
}

/// Where a modulated layer's scales and demodulations begin.
#[derive(Clone, Copy)]
struct Modulation {
    scale_at: usize,
    demod_at: usize,
}

/// Scales and demodulations of all layers.
struct Styles {
    scale: Tensor,
    demod: Tensor,
    scales: usize,
    demods: usize,
}

struct Recorder<'a> {
    plan: &'a mut PlanBuilder,
    batch: usize,
    steps: Vec<Step>,
    probes: Option<Vec<(String, Tensor)>>,
    /// Stands where a layer that is not modulated has no scales.
    nothing: [Tensor; 2],
}

impl<'a> Recorder<'a> {
    fn new(plan: &'a mut PlanBuilder, batch: usize, probe: bool) -> Self {
        let nothing = [plan.constant("no scales", &[1.0f32]), plan.constant("no demodulation", &[1.0f32])];
        Self { plan, batch, steps: Vec::new(), probes: probe.then(Vec::new), nothing }
    }

    fn temp(&mut self, label: &'static str, channels: usize, side: usize) -> Span {
        Span::whole(self.plan.temp(label, self.batch * channels * side * side), channels, side)
    }

    fn step(&mut self, name: &str, flop: usize) {
        self.steps.push(Step { name: name.to_owned(), flop: (flop * self.batch) as u64 });
    }

    /// Keeps a copy of an activation for the golden test.
    fn probe(&mut self, name: impl FnOnce() -> String, x: Span, channels: usize) {
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
    fn conv(&mut self, name: &str, layer: &Conv, x: Span, y: Span, styles: Option<(&Styles, Modulation)>, slope: f32) {
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
    fn upsample(&mut self, name: &str, x: Span, y: Span, channels: usize, accumulate: bool) {
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
    fn pool(&mut self, x: Span, side: usize, channels: usize) -> Span {
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
    fn encode(&mut self, name: &str, encoder: &Encoder, x: Span, to: &[Span]) {
        let finest = to[to.len() - 1];
        self.conv(&format!("{name}.stem"), &encoder.stem, x, finest, None, SLOPE);
        for (level, layer) in encoder.down.iter().enumerate().rev() {
            self.conv(&format!("{name}.down.{level}"), layer, to[level + 1], to[level], None, SLOPE);
        }
    }

    /// Scales and demodulations of all modulated layers, and where each layer's begin, in the order of [`modulated`].
    fn styles(&mut self, weights: &HefWeights, style: Tensor) -> (Styles, Vec<Modulation>) {
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
    fn warp(&mut self, name: &str, features: Tensor, channels: usize, prior: Span, flow: Option<Span>, y: Span) {
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

    /// Eq. 9 and 10: the heads of a level, on top of what the level before had.
    fn heads(
        &mut self,
        config: &HefConfig,
        level: usize,
        heads: &[(Head, Conv)],
        x: Span,
        before: Option<Span>,
    ) -> Span {
        let y = self.temp("heads", config.head_channels(level), x.side);
        // Heads that lie side by side are one convolution.
        let mut run: Option<(usize, String, Conv)> = None;
        let mut runs = Vec::new();
        for (head, conv) in heads {
            run = Some(match run.take() {
                Some((first, name, all)) if first + all.outputs == head.first() => {
                    (first, format!("{name}+{}", head.name()), all.beside(conv))
                }
                done => {
                    runs.extend(done);
                    (head.first(), format!("levels.{level}.{}", head.name()), conv.clone())
                }
            });
        }
        runs.extend(run);
        for (first, name, conv) in &runs {
            self.conv(name, conv, x, y.from(*first), None, 1.0);
        }
        if let Some(before) = before {
            let name = format!("levels.{level}.up");
            let colour = config.head(level, Head::Rgb) > 0;
            let flow = config.head(level, Head::Flow) > 0;
            match (colour, flow, config.residual) {
                (true, true, true) => self.upsample(&name, before, y, 5, true),
                (_, true, false) => self.upsample(&name, before, y, 3, colour),
                (false, false, _) => self.upsample(&name, before, y, 5, false),
                (true, false, _) | (false, true, true) => {
                    self.upsample(&name, before, y, 3, colour);
                    self.upsample(&name, before.from(3), y.from(3), 2, flow);
                }
            }
        }
        y
    }
}

/// Every modulated layer, from the coarsest level on.
fn modulated(weights: &HefWeights) -> impl Iterator<Item = &StyleConv> {
    weights.levels.iter().flat_map(|level| std::iter::once(&level.style).chain(&level.mix))
}

/// Records E_src over `source` (B, 8, C, C): what a portrait's frames all share, (B, channels, side, side) for each level, coarsest first. All of
/// them are outputs of the plan.
pub fn record_source(plan: &mut PlanBuilder, weights: &HefWeights, source: Tensor, batch: usize) -> Vec<Tensor> {
    let config = weights.config();
    let mut r = Recorder::new(plan, batch, false);
    let levels: Vec<Span> =
        config.encoder.iter().zip(&config.levels).map(|(width, side)| r.temp("E_src", *width, *side)).collect();
    r.encode("source", &weights.source, Span::whole(source, SOURCE, config.crop), &levels);
    let mut out = Vec::new();
    for (i, level) in levels.iter().enumerate() {
        let given = match &weights.lateral[i] {
            None => *level,
            Some(layer) => {
                let y = r.temp("F^s", layer.outputs, level.side);
                r.conv(&format!("source.lateral.{i}"), layer, *level, y, None, 1.0);
                y
            }
        };
        r.plan.output(given.tensor);
        out.push(given.tensor);
    }
    out
}

/// Records a frame of `batch` pictures. `probe` keeps every layer's activation readable.
pub fn record(
    plan: &mut PlanBuilder,
    weights: &HefWeights,
    inputs: &HefInputs,
    batch: usize,
    probe: bool,
) -> HefOutputs {
    let config = weights.config();
    let mut r = Recorder::new(plan, batch, probe);
    let (styles, mut begins) = {
        let (styles, begins) = r.styles(weights, inputs.style);
        (styles, begins.into_iter())
    };
    let mut next = || begins.next().expect("as many as modulated layers");

    // F of each level: warped source, StyleConv, render. E_rd writes into its place there.
    let joined: Vec<Span> = (0..config.levels.len()).map(|i| r.temp("F", config.joined(i), config.levels[i])).collect();
    let rendered: Vec<Span> =
        joined.iter().enumerate().map(|(i, f)| f.from(config.source[i] + config.style[i])).collect();
    let driven = Span::whole(inputs.driven, DRIVEN, config.crop);
    r.encode("render", &weights.render, driven, &rendered);
    let priors = priors(&mut r, config, driven);

    let start: Vec<f32> = weights.start.repeat(batch);
    let start = r.plan.constant("start", &start);
    let mut x = Span::whole(start, config.style[0], config.levels[0]);
    let mut heads: Option<Span> = None;
    for (i, level) in weights.levels.iter().enumerate() {
        let (side, f) = (config.levels[i], joined[i]);
        r.probe(|| format!("render.{i}"), rendered[i], config.render[i]);
        let flow = heads.map(|h| h.from(3));
        r.warp(&format!("levels.{i}.warp"), inputs.pyramid[i], config.source[i], priors[i], flow, f);
        r.probe(|| format!("levels.{i}.warped"), f, config.source[i]);
        let name = format!("levels.{i}.style");
        let (layer, to, with) = (&level.style.conv, f.from(config.source[i]), Some((&styles, next())));
        match config.up {
            _ if i == 0 => r.conv(&name, layer, x, to, with, SLOPE),
            Up::Before => {
                let wide = r.temp("upsampled", layer.inputs, side);
                r.upsample(&format!("{name}.up"), x, wide, layer.inputs, false);
                r.conv(&name, layer, wide, to, with, SLOPE);
            }
            Up::After => {
                let narrow = r.temp("to be upsampled", layer.outputs, x.side);
                r.conv(&name, layer, x, narrow, with, SLOPE);
                r.upsample(&format!("{name}.up"), narrow, to, layer.outputs, false);
            }
        }
        x = f;
        if let Some(mix) = &level.mix {
            let y = r.temp("mixed", mix.conv.outputs, side);
            r.conv(&format!("levels.{i}.mix"), &mix.conv, f, y, Some((&styles, next())), SLOPE);
            x = y;
        }
        r.probe(|| format!("levels.{i}.features"), x, config.width(i));
        if i > 0 {
            let made = r.heads(config, i, &level.heads, x, heads);
            r.probe(|| format!("levels.{i}.flow"), made.from(3), 2);
            r.probe(|| format!("levels.{i}.rgb"), made, 3);
            heads = Some(made);
        }
    }
    let heads = heads.expect("there are at least two levels");
    let result = r.temp("HEF's result", RESULT, config.crop);
    let params = HefFinishParams {
        size: config.crop as u32,
        batch: batch as u32,
        sub: config.patch as u32,
        head_channels: heads.total as u32,
        prior: u32::from(config.prior),
    };
    let grid = Grid::Threads([config.crop as u32, config.crop as u32, batch as u32]);
    r.plan.dispatch(params, &[inputs.driven, inputs.portrait, heads.tensor, result.tensor], grid);
    r.step("finish", 0);
    r.plan.output(result.tensor);
    HefOutputs { result: result.tensor, steps: r.steps, probes: r.probes.unwrap_or_default() }
}

/// The prior flow at each level's size.
fn priors(r: &mut Recorder<'_>, config: &HefConfig, driven: Span) -> Vec<Span> {
    if !config.prior {
        return config
            .levels
            .iter()
            .map(|side| {
                let nothing = r.plan.constant("no prior", &vec![0.0f32; r.batch * 2 * side * side]);
                Span::whole(nothing, 2, *side)
            })
            .collect();
    }
    let mut out: Vec<Span> = Vec::new();
    for side in config.levels.iter().rev() {
        let finer = out.last().copied().unwrap_or(driven.from(PRIOR));
        out.push(r.pool(finer, *side, 2));
    }
    out.reverse();
    out
}
