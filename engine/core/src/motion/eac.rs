//! EAC, the emotion-aware audio-to-3DMM converter (paper A, eq. 3–4 and supplement 1.2): a transformer over a window of audio tokens and
//! one intensity token. Ours beyond the paper: a token sees 12 mel columns instead of 4, and each block starts with a depthwise convolution
//! along the audio tokens, which lets short training find the sharp edges of lip closures.

use crate::audio::MELS;
use crate::compute::{Element::F32, PlanBuilder, Tensor};
use crate::nn::{self, Attention, DepthwiseConv, Mlp, Norm, Probes, Recorder, Rows, Scope, TokenSum};
use crate::weights::{WeightError, WeightReader};

/// Mel columns that one token sees: its frame's four and the eight before.
pub const COLUMNS: usize = 12;
/// Words of one token's input.
pub const TOKEN: usize = MELS * COLUMNS;
/// Expression coefficients of a frame.
pub const EXPRESSION: usize = crate::avatar::EXPRESSION;
/// Width of the emotion space.
pub const EMOTION: usize = crate::emotion::SPACE;

const CONV_TAPS: usize = 7;

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
struct Block {
    conv_norm: Norm,
    conv: DepthwiseConv,
    attn_norm: Norm,
    attention: Attention,
    ff_norm: Norm,
    ff: Mlp,
}

impl Block {
    fn take(s: &Scope<'_>, EacConfig { width, heads, ff, .. }: EacConfig) -> Result<Self, WeightError> {
        Ok(Self {
            conv_norm: Norm::take(&s.pp("conv_norm"), width)?,
            conv: DepthwiseConv::take(&s.pp("conv"), width, CONV_TAPS)?,
            attn_norm: Norm::take(&s.pp("attn_norm"), width)?,
            attention: Attention::take(s, width, heads)?,
            ff_norm: Norm::take(&s.pp("ff_norm"), width)?,
            ff: Mlp::named(s, ["ff1", "ff2"], [width, ff, width])?,
        })
    }
}

/// The network's weights.
#[derive(Debug)]
pub struct EacWeights {
    config: EacConfig,
    audio: Mlp,
    /// Emotion codes (8, 64), in the order of [`crate::emotion::Emotion::ALL`].
    pub emotions: Vec<f32>,
    emotion: Mlp,
    tokens: TokenSum,
    blocks: Vec<Block>,
    norm: Norm,
    head: Mlp,
}

impl EacWeights {
    /// Takes every tensor whose name starts with `prefix` (usually empty).
    ///
    /// # Errors
    /// A tensor is missing or has another shape. Unused ones are found by the reader's `finish`.
    pub fn take(r: &mut WeightReader, prefix: &str, config: EacConfig) -> Result<Self, WeightError> {
        let EacConfig { width, blocks, tokens, .. } = config;
        nn::read(r, prefix, |s| {
            Ok(Self {
                config,
                audio: Mlp::take(&s.pp("audio"), [TOKEN, width, width])?,
                emotions: s.take("emotion.table", [8, EMOTION])?,
                emotion: Mlp::take(&s.pp("emotion"), [EMOTION, width, width])?,
                tokens: TokenSum::take(s, tokens + 1, width)?,
                blocks: (0..blocks).map(|i| Block::take(&s.pp("blocks").pp(i), config)).collect::<Result<_, _>>()?,
                norm: Norm::take(&s.pp("norm"), width)?,
                head: Mlp::take(&s.pp("head"), [width, width, EXPRESSION])?,
            })
        })
    }
}

impl EacWeights {
    /// (width): what σ̂ is multiplied with to become one number, σ_base / |σ_base|²: how much of σ_base it holds. σ goes into the network as μ·σ_base (eq. 3), and for each of
    /// the eight emotions this number rises with μ. It is not μ itself: the last layer norm scales it, it differs from emotion to emotion, and a voice moves it a little.
    pub fn strength(&self) -> Vec<f32> {
        let base = self.tokens.sigma_base();
        let power: f64 = base.iter().map(|v| f64::from(*v).powi(2)).sum();
        base.iter().map(|v| (f64::from(*v) / power.max(f64::MIN_POSITIVE)) as f32).collect()
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
    /// Out: (B, width) σ̂, the intensity token behind the last block; [`EacWeights::strength`] makes a number of it.
    pub sigma: Tensor,
    /// Out, only where asked for: activations by their golden names.
    pub probes: Probes,
}

/// Records a pass over `batch` windows. `probe` keeps every layer's activation readable.
pub fn record(plan: &mut PlanBuilder, weights: &EacWeights, batch: usize, head: Head, probe: bool) -> EacTensors {
    let EacConfig { tokens, width, .. } = weights.config;
    let columns = plan.input("mel columns", [batch, tokens, TOKEN], F32);
    let emotion = plan.input("emotion", [batch, EMOTION], F32);
    let mu = plan.input("intensity", [batch], F32);
    let mut r = Recorder::new(plan, batch, probe);

    let audio = r.mlp(&weights.audio, columns);
    r.probe("audio", audio);
    let style = r.mlp(&weights.emotion, emotion);
    r.probe("emotion", style);
    // Eq. 3: [σ, MLP(A)] + PE + MLP(z_emo), with σ = μ·σ_base.
    let x = r.token_sum(&weights.tokens, audio, style, mu);
    r.probe("input", x);
    for (i, block) in weights.blocks.iter().enumerate() {
        let normed = r.norm(&block.conv_norm, x);
        r.add_depthwise(&block.conv, normed, 1, x);
        r.probe(format!("blocks.{i}.conv"), x);

        let normed = r.norm(&block.attn_norm, x);
        let mixed = r.attention(&block.attention, normed);
        r.probe(format!("blocks.{i}.attention"), mixed);
        r.add_mixed(&block.attention, mixed, x);
        r.probe(format!("blocks.{i}.mix"), x);

        let normed = r.norm(&block.ff_norm, x);
        r.add_mlp(&block.ff, normed, x);
        r.probe(format!("blocks.{i}.ff"), x);
    }
    let normed = r.norm(&weights.norm, x);
    r.probe("norm", normed);
    let sigma = r.plan.temp("sigma", [batch, width], F32);
    for window in 0..batch {
        r.plan.copy(normed, window * (tokens + 1) * width, sigma, window * width, width);
    }
    r.plan.output(sigma);
    // Eq. 4: β̂ = MLP(β̄), on the audio tokens that are asked for.
    let heard = match head {
        Head::All => Rows::of(normed, 1, tokens),
        Head::LookAhead(frames) => Rows::of(normed, tokens - frames, 1),
    };
    let beta = r.mlp(&weights.head, heard);
    r.plan.output(beta);
    EacTensors { columns, emotion, mu, beta, sigma, probes: r.probes() }
}
