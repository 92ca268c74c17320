//! EAC, the emotion-aware audio-to-3DMM converter (paper A, eq. 3–4 and supplement 1.2): a transformer over a window of audio tokens and
//! one intensity token. Ours beyond the paper: a token sees 12 mel columns instead of 4, and each block starts with a depthwise convolution
//! along the audio tokens, which lets short training find the sharp edges of lip closures.

use vultus_shaders::kernels::{AttentionParams, DepthwiseConv1dParams, LayerNormParams, LinearParams, TokenSumParams};

use crate::audio::MELS;
use crate::compute::{Grid, PlanBuilder, Tensor};
use crate::weights::{WeightError, WeightReader};

/// Mel columns that one token sees: its frame's four and the eight before.
pub const COLUMNS: usize = 12;
/// Words of one token's input.
pub const TOKEN: usize = MELS * COLUMNS;
/// Expression coefficients of a frame.
pub const EXPRESSION: usize = 64;
/// Width of the emotion space.
pub const EMOTION: usize = 64;

const LAYER_NORM_EPS: f32 = 1e-5;
const CONV_TAPS: usize = 7;
/// "All rows belong to one group": a row map that changes nothing.
const WHOLE: u32 = 1 << 30;

/// Sizes of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EacConfig {
    /// Channels of a token.
    pub width: usize,
    /// Transformer blocks.
    pub blocks: usize,
    /// Attention heads.
    pub heads: usize,
    /// Channels inside a feed-forward layer.
    pub ff: usize,
    /// Audio tokens of a window (T).
    pub tokens: usize,
}

impl EacConfig {
    /// The shipped network: the paper's 8 layers, 8 heads, width 256 and T = 32.
    pub const SHIPPED: Self = Self { width: 256, blocks: 8, heads: 8, ff: 512, tokens: 32 };
}

#[derive(Debug)]
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
    inner: usize,
}

impl Linear {
    fn take(r: &mut WeightReader, path: &str, inner: usize, cols: usize) -> Result<Self, WeightError> {
        let weight = r.take(&format!("{path}.weight"), [cols, inner])?;
        Ok(Self { weight, bias: r.take(&format!("{path}.bias"), [cols])?, inner })
    }
}

#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    fn take(r: &mut WeightReader, path: &str, width: usize) -> Result<Self, WeightError> {
        Ok(Self {
            weight: r.take(&format!("{path}.weight"), [width])?,
            bias: r.take(&format!("{path}.bias"), [width])?,
        })
    }
}

#[derive(Debug)]
struct Block {
    conv_norm: Norm,
    conv: Vec<f32>,
    conv_bias: Vec<f32>,
    attn_norm: Norm,
    qkv: Linear,
    out: Linear,
    ff_norm: Norm,
    ff1: Linear,
    ff2: Linear,
}

/// The network's weights.
#[derive(Debug)]
pub struct EacWeights {
    config: EacConfig,
    audio: [Linear; 2],
    /// Emotion codes (8, 64), in the order of [`crate::emotion::Emotion::ALL`].
    pub emotions: Vec<f32>,
    emotion: [Linear; 2],
    sigma_base: Vec<f32>,
    position: Vec<f32>,
    blocks: Vec<Block>,
    norm: Norm,
    head: [Linear; 2],
}

impl EacWeights {
    /// Takes every tensor whose name starts with `prefix` (usually empty).
    ///
    /// # Errors
    /// A tensor is missing or has another shape. Unused ones are found by the reader's `finish`.
    pub fn take(r: &mut WeightReader, prefix: &str, config: EacConfig) -> Result<Self, WeightError> {
        let EacConfig { width, blocks, ff, tokens, .. } = config;
        let at = |name: &str| format!("{prefix}{name}");
        Ok(Self {
            config,
            audio: [Linear::take(r, &at("audio.0"), TOKEN, width)?, Linear::take(r, &at("audio.2"), width, width)?],
            emotions: r.take(&at("emotion.table"), [8, EMOTION])?,
            emotion: [
                Linear::take(r, &at("emotion.0"), EMOTION, width)?,
                Linear::take(r, &at("emotion.2"), width, width)?,
            ],
            sigma_base: r.take(&at("sigma_base"), [width])?,
            position: r.take(&at("position"), [tokens + 1, width])?,
            blocks: (0..blocks)
                .map(|i| {
                    let at = |name: &str| format!("{prefix}blocks.{i}.{name}");
                    Ok(Block {
                        conv_norm: Norm::take(r, &at("conv_norm"), width)?,
                        conv: r.take(&at("conv.weight"), [width, CONV_TAPS])?,
                        conv_bias: r.take(&at("conv.bias"), [width])?,
                        attn_norm: Norm::take(r, &at("attn_norm"), width)?,
                        qkv: Linear::take(r, &at("qkv"), width, 3 * width)?,
                        out: Linear::take(r, &at("out"), width, width)?,
                        ff_norm: Norm::take(r, &at("ff_norm"), width)?,
                        ff1: Linear::take(r, &at("ff1"), width, ff)?,
                        ff2: Linear::take(r, &at("ff2"), ff, width)?,
                    })
                })
                .collect::<Result<_, _>>()?,
            norm: Norm::take(r, &at("norm"), width)?,
            head: [Linear::take(r, &at("head.0"), width, width)?, Linear::take(r, &at("head.2"), width, EXPRESSION)?],
        })
    }
}

/// Which audio tokens go through the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// All T of them, as in training.
    All,
    /// The one this many frames before the window's end: the look-ahead L of live use.
    LookAhead(usize),
}

/// The plan's ends, and the activations that golden files hold.
#[derive(Clone, Debug)]
pub struct EacTensors {
    /// In: (B, T, 12·80) normalised log-mel, oldest column first.
    pub columns: Tensor,
    /// In: (B, 64) emotion code z_emo.
    pub emotion: Tensor,
    /// In: (B) intensity μ.
    pub mu: Tensor,
    /// Out: (B, T or 1, 64) coefficients β̂, unclamped.
    pub beta: Tensor,
    /// Out: (B, T + 1, width) normalised tokens; token 0 is σ̂.
    pub tokens: Tensor,
    /// Out, only where asked for: activations by their golden names.
    pub probes: Vec<(String, Tensor)>,
}

struct Recorder<'a> {
    plan: &'a mut PlanBuilder,
    rows: usize,
    width: usize,
    probes: Option<Vec<(String, Tensor)>>,
}

impl Recorder<'_> {
    /// Keeps a copy of an activation for the golden test.
    fn probe(&mut self, name: impl FnOnce() -> String, tensor: Tensor) {
        if let Some(probes) = &mut self.probes {
            let copy = self.plan.temp("probe", tensor.len());
            self.plan.copy(tensor, 0, copy, 0, tensor.len());
            self.plan.output(copy);
            probes.push((name(), copy));
        }
    }

    fn linear(
        &mut self,
        layer: &Linear,
        rows: usize,
        gelu: bool,
        x: Tensor,
        x_map: [u32; 3],
        y: Option<Tensor>,
    ) -> Tensor {
        let cols = layer.bias.len();
        let w = self.plan.constant("weight", &layer.weight);
        let b = self.plan.constant("bias", &layer.bias);
        let out = y.unwrap_or_else(|| self.plan.temp("linear", rows * cols));
        let params = LinearParams {
            rows: rows as u32,
            cols: cols as u32,
            inner: layer.inner as u32,
            activation: u32::from(gelu),
            accumulate: u32::from(y.is_some()),
            x_group: x_map[0],
            x_stride: x_map[1],
            x_first: x_map[2],
            y_group: WHOLE,
            y_stride: WHOLE,
            y_first: 0,
        };
        self.plan.dispatch(params, &[x, w, b, out], Grid::image(cols.div_ceil(4), rows.div_ceil(4)));
        out
    }

    fn norm(&mut self, layer: &Norm, x: Tensor) -> Tensor {
        let w = self.plan.constant("norm weight", &layer.weight);
        let b = self.plan.constant("norm bias", &layer.bias);
        let y = self.plan.temp("normalised", self.rows * self.width);
        let params = LayerNormParams { rows: self.rows as u32, width: self.width as u32, eps: LAYER_NORM_EPS };
        self.plan.dispatch(params, &[x, w, b, y], Grid::Groups([self.rows as u32, 1, 1]));
        y
    }
}

const ALL_ROWS: [u32; 3] = [WHOLE, WHOLE, 0];

/// Records a pass over `batch` windows. `probe` keeps every layer's activation readable.
pub fn record(plan: &mut PlanBuilder, weights: &EacWeights, batch: usize, head: Head, probe: bool) -> EacTensors {
    let EacConfig { width, heads, tokens, .. } = weights.config;
    let all = tokens + 1;
    let columns = plan.input("mel columns", batch * tokens * TOKEN);
    let emotion = plan.input("emotion", batch * EMOTION);
    let mu = plan.input("intensity", batch);
    let mut r = Recorder { plan, rows: batch * all, width, probes: probe.then(Vec::new) };

    let hidden = r.linear(&weights.audio[0], batch * tokens, true, columns, ALL_ROWS, None);
    let audio = r.linear(&weights.audio[1], batch * tokens, false, hidden, ALL_ROWS, None);
    r.probe(|| "audio".into(), audio);
    let hidden = r.linear(&weights.emotion[0], batch, true, emotion, ALL_ROWS, None);
    let style = r.linear(&weights.emotion[1], batch, false, hidden, ALL_ROWS, None);
    r.probe(|| "emotion".into(), style);

    // Eq. 3: [σ, MLP(A)] + PE + MLP(z_emo), with σ = μ·σ_base.
    let x = r.plan.temp("tokens", batch * all * width);
    let sigma_base = r.plan.constant("sigma_base", &weights.sigma_base);
    let position = r.plan.constant("position", &weights.position);
    let params = TokenSumParams { batch: batch as u32, tokens: all as u32, channels: width as u32 };
    r.plan.dispatch(params, &[audio, sigma_base, position, style, mu, x], Grid::linear(batch * all * width));
    r.probe(|| "input".into(), x);

    for (i, block) in weights.blocks.iter().enumerate() {
        let normed = r.norm(&block.conv_norm, x);
        let weight = r.plan.constant("conv weight", &block.conv);
        let bias = r.plan.constant("conv bias", &block.conv_bias);
        let params = DepthwiseConv1dParams {
            batch: batch as u32,
            tokens: all as u32,
            channels: width as u32,
            first: 1,
            taps: CONV_TAPS as u32,
        };
        r.plan.dispatch(params, &[normed, weight, bias, x], Grid::linear(batch * tokens * width));
        r.probe(|| format!("blocks.{i}.conv"), x);

        let normed = r.norm(&block.attn_norm, x);
        let qkv = r.linear(&block.qkv, batch * all, false, normed, ALL_ROWS, None);
        let mixed = r.plan.temp("attention", batch * all * width);
        let head_dim = width / heads;
        let params = AttentionParams {
            batch: batch as u32,
            tokens: all as u32,
            heads: heads as u32,
            head_dim: head_dim as u32,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        r.plan.dispatch(params, &[qkv, mixed], Grid::linear(batch * heads * all));
        r.probe(|| format!("blocks.{i}.attention"), mixed);
        r.linear(&block.out, batch * all, false, mixed, ALL_ROWS, Some(x));
        r.probe(|| format!("blocks.{i}.mix"), x);

        let normed = r.norm(&block.ff_norm, x);
        let hidden = r.linear(&block.ff1, batch * all, true, normed, ALL_ROWS, None);
        r.linear(&block.ff2, batch * all, false, hidden, ALL_ROWS, Some(x));
        r.probe(|| format!("blocks.{i}.ff"), x);
    }

    let normed = r.norm(&weights.norm, x);
    r.plan.output(normed);
    r.probe(|| "norm".into(), normed);
    // Eq. 4: β̂ = MLP(β̄), on the audio tokens that are asked for.
    let (rows, map) = match head {
        Head::All => (batch * tokens, [tokens as u32, all as u32, 1]),
        Head::LookAhead(frames) => (batch, [1, all as u32, (tokens - frames) as u32]),
    };
    let hidden = r.linear(&weights.head[0], rows, true, normed, map, None);
    let beta = r.linear(&weights.head[1], rows, false, hidden, ALL_ROWS, None);
    r.plan.output(beta);
    let probes = r.probes.unwrap_or_default();
    EacTensors { columns, emotion, mu, beta, tokens: normed, probes }
}
