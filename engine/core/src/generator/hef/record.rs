//! Records the network: E_src once a portrait, everything else once a frame. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::HefFinishParams;
use vultus_shaders::shared::hef_channels::{DRIVEN_PRIOR, HEAD_FLOW};

use super::channels::RESULT;
use super::config::{Head, HefConfig, Up};
use super::weights::HefWeights;
use crate::compute::{Grid, PlanBuilder, Tensor};
use crate::nn::{Conv, Probes, Recorder, Span, Step};

/// First channel of the prior flow in `driven`.
const PRIOR: usize = DRIVEN_PRIOR as usize;
/// First channel of the residual flow in the heads.
const FLOW: usize = HEAD_FLOW as usize;

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

/// What a frame gives.
#[derive(Clone, Debug)]
pub struct HefOutputs {
    /// (B, 6, C, C): 0–2 what is added to the composite, in square roots of linear light · 3 matte, to be clamped · 4–5 residual flow in units of C.
    pub result: Tensor,
    /// Every dispatch since the recording began; without probes also every step.
    pub steps: Vec<Step>,
    /// Only where asked for: activations by their golden names.
    pub probes: Probes,
}

/// Records E_src over `source` (B, 8, C, C): what a portrait's frames all share, (B, channels, side, side) for each level, coarsest first. All of
/// them are outputs of the plan.
pub fn record_source(plan: &mut PlanBuilder, weights: &HefWeights, source: Tensor, batch: usize) -> Vec<Tensor> {
    let config = weights.config();
    let mut r = Recorder::new(plan, batch, false);
    let levels: Vec<Span> =
        config.encoder.iter().zip(&config.levels).map(|(width, side)| r.planar("E_src", *width, *side)).collect();
    r.encode(&weights.source, source.into(), &levels);
    let mut out = Vec::new();
    for (level, lateral) in levels.iter().zip(&weights.lateral) {
        let mut given = *level;
        if let Some(layer) = lateral {
            given = r.planar("F^s", layer.outputs, level.side());
            r.conv(layer, *level, given, 1.0);
        }
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
    // Eq. 7.
    let code = r.linear(&weights.code, inputs.style);
    r.probe("code", code);
    let styles = r.styles(&weights.styles, code);

    // F of each level: warped source, StyleConv, render. E_rd writes into its place there.
    let joined: Vec<Span> =
        (0..config.levels.len()).map(|i| r.planar("F", config.joined(i), config.levels[i])).collect();
    let part = |i: usize| {
        let [source, style, render] = [config.source[i], config.style[i], config.render[i]];
        [joined[i].part(0, source), joined[i].part(source, style), joined[i].part(source + style, render)]
    };
    let rendered: Vec<Span> = (0..joined.len()).map(|i| part(i)[2]).collect();
    let driven = Span::from(inputs.driven);
    r.encode(&weights.render, driven, &rendered);
    let priors = priors(&mut r, config, driven.part(PRIOR, 2));

    let [channels, side] = [config.style[0], config.levels[0]];
    let start = r.plan.constant("start", [batch, channels, side, side], &weights.start.repeat(batch));
    let mut x = Span::from(start);
    let mut heads: Option<Span> = None;
    for (i, level) in weights.levels.iter().enumerate() {
        let [warped, made, rendered] = part(i);
        r.probe(format!("render.{i}"), rendered);
        let flow = heads.map(|h| h.part(FLOW, 2));
        r.warp(&format!("levels.{i}.warp"), inputs.pyramid[i], priors[i], flow, warped);
        r.probe(format!("levels.{i}.warped"), warped);
        let up = format!("levels.{i}.style.up");
        match config.up {
            _ if i == 0 => r.modulated(&level.style, &styles, x, made),
            Up::Before => {
                let wide = r.planar("upsampled", x.channels, made.side());
                r.upsample(&up, x, wide, false);
                r.modulated(&level.style, &styles, wide, made);
            }
            Up::After => {
                let narrow = r.planar("to be upsampled", made.channels, x.side());
                r.modulated(&level.style, &styles, x, narrow);
                r.upsample(&up, narrow, made, false);
            }
        }
        x = joined[i];
        if let Some(mix) = &level.mix {
            let y = r.planar("mixed", mix.conv.outputs, x.side());
            r.modulated(mix, &styles, x, y);
            x = y;
        }
        r.probe(format!("levels.{i}.features"), x);
        if i > 0 {
            let made = heads_of(&mut r, config, i, &level.heads, x, heads);
            r.probe(format!("levels.{i}.flow"), made.part(FLOW, 2));
            r.probe(format!("levels.{i}.rgb"), made.part(0, 3));
            heads = Some(made);
        }
    }
    let heads = heads.expect("there are at least two levels");
    let result = r.planar("HEF's result", RESULT, config.crop).tensor;
    let params = HefFinishParams {
        size: config.crop as u32,
        batch: batch as u32,
        sub: config.patch as u32,
        head_channels: heads.total() as u32,
        prior: u32::from(config.prior),
    };
    let grid = Grid::Threads([config.crop as u32, config.crop as u32, batch as u32]);
    r.plan.dispatch(params, &[inputs.driven, inputs.portrait, heads.tensor, result], grid);
    r.step("finish", 0);
    r.plan.output(result);
    HefOutputs { result, probes: r.probes(), steps: r.steps }
}

/// The prior flow (2 channels) at each level's size.
fn priors(r: &mut Recorder<'_>, config: &HefConfig, driven: Span) -> Vec<Tensor> {
    if !config.prior {
        let batch = r.batch;
        let nothing = |side: &usize| {
            r.plan.constant("no prior", [batch, 2, *side, *side], &vec![0.0f32; batch * 2 * side * side])
        };
        return config.levels.iter().map(nothing).collect();
    }
    let mut out: Vec<Tensor> = Vec::new();
    for side in config.levels.iter().rev() {
        let finer = out.last().map_or(driven, |prior| Span::from(*prior));
        out.push(r.pool("prior", finer, *side).tensor);
    }
    out.reverse();
    out
}

/// Eq. 9 and 10: the heads of a level, on top of what the level before had.
fn heads_of(
    r: &mut Recorder<'_>,
    config: &HefConfig,
    level: usize,
    heads: &[(usize, Conv)],
    x: Span,
    before: Option<Span>,
) -> Span {
    let y = r.planar("heads", config.head_channels(level), x.side());
    for (first, conv) in heads {
        r.conv(conv, x, y.part(*first, conv.outputs), 1.0);
    }
    if let Some(before) = before {
        let name = format!("levels.{level}.up");
        let colour = config.head(level, Head::Rgb) > 0;
        let flow = config.head(level, Head::Flow) > 0;
        let mut up = |first: usize, channels: usize, onto: bool| {
            r.upsample(&name, before.part(first, channels), y.part(first, channels), onto);
        };
        match (colour, flow, config.residual) {
            (true, true, true) => up(0, 5, true),
            (_, true, false) => up(0, 3, colour),
            (false, false, _) => up(0, 5, false),
            (true, false, _) | (false, true, true) => {
                up(0, 3, colour);
                up(FLOW, 2, flow);
            }
        }
    }
    y
}
