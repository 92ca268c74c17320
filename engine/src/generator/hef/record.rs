//! Records the network: E_src once a portrait, everything else once a frame. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::HefFinishParams;
use vultus_shaders::shared::hef_channels::{DRIVEN_PRIOR, HEAD_FLOW};

use super::config::{Head, HefConfig, Up};
use super::weights::HefWeights;
use super::{DRIVEN, RESULT, SOURCE};
use crate::compute::{Grid, PlanBuilder, Tensor};
use crate::layers::{Conv, Recorder, SLOPE, Span, Step};

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
    pub probes: Vec<(String, Tensor)>,
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
        let flow = heads.map(|h| h.from(FLOW));
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
            let made = heads_of(&mut r, config, i, &level.heads, x, heads);
            r.probe(|| format!("levels.{i}.flow"), made.from(FLOW), 2);
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

/// Eq. 9 and 10: the heads of a level, on top of what the level before had.
fn heads_of(
    r: &mut Recorder<'_>,
    config: &HefConfig,
    level: usize,
    heads: &[(Head, Conv)],
    x: Span,
    before: Option<Span>,
) -> Span {
    let y = r.temp("heads", config.head_channels(level), x.side);
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
        r.conv(name, conv, x, y.from(*first), None, 1.0);
    }
    if let Some(before) = before {
        let name = format!("levels.{level}.up");
        let colour = config.head(level, Head::Rgb) > 0;
        let flow = config.head(level, Head::Flow) > 0;
        match (colour, flow, config.residual) {
            (true, true, true) => r.upsample(&name, before, y, 5, true),
            (_, true, false) => r.upsample(&name, before, y, 3, colour),
            (false, false, _) => r.upsample(&name, before, y, 5, false),
            (true, false, _) | (false, true, true) => {
                r.upsample(&name, before, y, 3, colour);
                r.upsample(&name, before.from(FLOW), y.from(FLOW), 2, flow);
            }
        }
    }
    y
}
