//! Layers of transformers. Activations are (B, tokens, channels).

use vultus_shaders::kernels::{AttentionParams, DepthwiseConv1dParams, LayerNormParams, LinearParams, TokenSumParams};

use super::recorder::Recorder;
use super::scope::Scope;
use crate::compute::{Constant, Element::F32, Grid, Shape, Tensor};
use crate::weights::WeightError;

const LAYER_NORM_EPS: f32 = 1e-5;
/// "All rows belong to one group": a row map that changes nothing.
const WHOLE: u32 = 1 << 30;

/// y = W x + b.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    path: String,
    /// (outputs, inputs)
    weight: Constant,
    bias: Constant,
}

impl Linear {
    pub(crate) fn take(scope: &Scope<'_>, inputs: usize, outputs: usize) -> Result<Self, WeightError> {
        let weight = scope.constant("weight", [outputs, inputs])?;
        Ok(Self { path: scope.path(), weight, bias: scope.constant("bias", [outputs])? })
    }

    /// With a weight (outputs, inputs) and a bias (outputs).
    pub(crate) fn new(path: String, weight: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weight.len() / bias.len().max(1));
        Self { path, weight: Constant::new([outputs, inputs], weight), bias: Constant::new([outputs], bias) }
    }
}

/// Two linear layers with a GELU between them: `0` and `2` of an `nn.Sequential`.
#[derive(Clone, Debug)]
pub(crate) struct Mlp(Linear, Linear);

impl Mlp {
    pub(crate) fn take(scope: &Scope<'_>, sizes: [usize; 3]) -> Result<Self, WeightError> {
        Self::named(scope, ["0", "2"], sizes)
    }

    /// Where the layers have names of their own. Sizes: inputs, inner, outputs.
    pub(crate) fn named(scope: &Scope<'_>, names: [&str; 2], sizes: [usize; 3]) -> Result<Self, WeightError> {
        let first = Linear::take(&scope.pp(names[0]), sizes[0], sizes[1])?;
        Ok(Self(first, Linear::take(&scope.pp(names[1]), sizes[1], sizes[2])?))
    }
}

/// Layer normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    weight: Constant,
    bias: Constant,
}

impl Norm {
    pub(crate) fn take(scope: &Scope<'_>, width: usize) -> Result<Self, WeightError> {
        Ok(Self { weight: scope.constant("weight", [width])?, bias: scope.constant("bias", [width])? })
    }
}

/// Multi-head self-attention: `qkv` and `out`.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    qkv: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    pub(crate) fn take(scope: &Scope<'_>, width: usize, heads: usize) -> Result<Self, WeightError> {
        let qkv = Linear::take(&scope.pp("qkv"), width, 3 * width)?;
        Ok(Self { qkv, out: Linear::take(&scope.pp("out"), width, width)?, heads })
    }
}

/// A convolution of each channel along the tokens.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseConv {
    /// (channels, taps)
    weight: Constant,
    bias: Constant,
}

impl DepthwiseConv {
    pub(crate) fn take(scope: &Scope<'_>, width: usize, taps: usize) -> Result<Self, WeightError> {
        Ok(Self { weight: scope.constant("weight", [width, taps])?, bias: scope.constant("bias", [width])? })
    }
}

/// The sum of tokens, their positions and a style, after a first token that is μ times a vector of its own (paper A, eq. 3).
#[derive(Clone, Debug)]
pub(crate) struct TokenSum {
    sigma_base: Constant,
    /// (tokens, width), the first token among them.
    position: Constant,
}

impl TokenSum {
    pub(crate) fn take(scope: &Scope<'_>, tokens: usize, width: usize) -> Result<Self, WeightError> {
        let sigma_base = scope.constant("sigma_base", [width])?;
        Ok(Self { sigma_base, position: scope.constant("position", [tokens, width])? })
    }

    /// (width): the vector of the first token.
    pub(crate) fn sigma_base(&self) -> &[f32] {
        self.sigma_base.data().unwrap_or_default()
    }
}

/// Some tokens of every member of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    tensor: Tensor,
    shape: Shape,
    /// As `linear` takes it: rows of a group, rows from one group's first to the next one's, first row.
    map: [u32; 3],
}

impl From<Tensor> for Rows {
    fn from(tensor: Tensor) -> Self {
        Self { tensor, shape: tensor.shape(), map: [WHOLE, WHOLE, 0] }
    }
}

impl Rows {
    /// `count` tokens from `first` on, of (B, tokens, channels).
    pub(crate) fn of(tensor: Tensor, first: usize, count: usize) -> Self {
        let shape = tensor.shape();
        let map = [count as u32, shape[1] as u32, first as u32];
        Self { tensor, shape: [shape[0], count, shape[2]].into(), map }
    }
}

impl Recorder<'_> {
    /// W x + b.
    pub(crate) fn linear(&mut self, layer: &Linear, x: impl Into<Rows>) -> Tensor {
        self.product(layer, x.into(), false, None)
    }

    /// MLP(x).
    pub(crate) fn mlp(&mut self, layer: &Mlp, x: impl Into<Rows>) -> Tensor {
        let inner = self.product(&layer.0, x.into(), true, None);
        self.product(&layer.1, inner.into(), false, None)
    }

    /// y += MLP(x).
    pub(crate) fn add_mlp(&mut self, layer: &Mlp, x: Tensor, y: Tensor) {
        let inner = self.product(&layer.0, x.into(), true, None);
        self.product(&layer.1, inner.into(), false, Some(y));
    }

    fn product(&mut self, layer: &Linear, x: Rows, gelu: bool, onto: Option<Tensor>) -> Tensor {
        let weight = self.plan.resident("weight", &layer.weight);
        let bias = self.plan.resident("bias", &layer.bias);
        let (cols, inner) = (layer.weight.shape()[0], layer.weight.shape()[1]);
        let rows = x.shape.elements() / x.shape.last();
        debug_assert_eq!(x.shape.last(), inner, "{}", layer.path);
        let y = onto.unwrap_or_else(|| self.plan.temp("linear", x.shape.with_last(cols), F32));
        let [x_group, x_stride, x_first] = x.map;
        let params = LinearParams {
            rows: rows as u32,
            cols: cols as u32,
            inner: inner as u32,
            activation: u32::from(gelu),
            accumulate: u32::from(onto.is_some()),
            x_group,
            x_stride,
            x_first,
            y_group: WHOLE,
            y_stride: WHOLE,
            y_first: 0,
        };
        self.plan.dispatch(params, &[x.tensor, weight, bias, y], Grid::image(cols.div_ceil(4), rows.div_ceil(4)));
        self.step(&layer.path, 2 * cols * inner * rows / self.batch);
        y
    }

    /// LN(x).
    pub(crate) fn norm(&mut self, layer: &Norm, x: Tensor) -> Tensor {
        let weight = self.plan.resident("norm weight", &layer.weight);
        let bias = self.plan.resident("norm bias", &layer.bias);
        let y = self.plan.temp("normalised", x.shape(), F32);
        let (width, rows) = (x.shape().last(), x.elements() / x.shape().last());
        let params = LayerNormParams { rows: rows as u32, width: width as u32, eps: LAYER_NORM_EPS };
        self.plan.dispatch(params, &[x, weight, bias, y], Grid::Groups([rows as u32, 1, 1]));
        self.step("norm", 0);
        y
    }

    /// What each token gathers from all of them, before it goes through `out`.
    pub(crate) fn attention(&mut self, layer: &Attention, x: Tensor) -> Tensor {
        let qkv = self.linear(&layer.qkv, x);
        let mixed = self.plan.temp("attention", x.shape(), F32);
        let (tokens, heads) = (x.shape()[1], layer.heads);
        let head_dim = x.shape()[2] / heads;
        let params = AttentionParams {
            batch: self.batch as u32,
            tokens: tokens as u32,
            heads: heads as u32,
            head_dim: head_dim as u32,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        self.plan.dispatch(params, &[qkv, mixed], Grid::linear(self.batch * heads * tokens));
        self.step("attention", 4 * tokens * tokens * heads * head_dim);
        mixed
    }

    /// y += `out` of what attention gathered.
    pub(crate) fn add_mixed(&mut self, layer: &Attention, mixed: Tensor, y: Tensor) {
        self.product(&layer.out, mixed.into(), false, Some(y));
    }

    /// y += GELU(conv(x)) along the tokens from `first` on; those before it stay as they are.
    pub(crate) fn add_depthwise(&mut self, layer: &DepthwiseConv, x: Tensor, first: usize, y: Tensor) {
        let weight = self.plan.resident("conv weight", &layer.weight);
        let bias = self.plan.resident("conv bias", &layer.bias);
        let (tokens, channels, taps) = (x.shape()[1], x.shape()[2], layer.weight.shape()[1]);
        let params = DepthwiseConv1dParams {
            batch: self.batch as u32,
            tokens: tokens as u32,
            channels: channels as u32,
            first: first as u32,
            taps: taps as u32,
        };
        self.plan.dispatch(params, &[x, weight, bias, y], Grid::linear(self.batch * (tokens - first) * channels));
        self.step("conv", 2 * (tokens - first) * channels * taps);
    }

    /// [μ·σ_base, x] + position + style: (B, tokens + 1, channels).
    pub(crate) fn token_sum(&mut self, layer: &TokenSum, x: Tensor, style: Tensor, mu: Tensor) -> Tensor {
        let sigma_base = self.plan.resident("sigma_base", &layer.sigma_base);
        let position = self.plan.resident("position", &layer.position);
        let [tokens, channels] = [0, 1].map(|i| layer.position.shape()[i]);
        let y = self.plan.temp("tokens", [self.batch, tokens, channels], F32);
        let params = TokenSumParams { batch: self.batch as u32, tokens: tokens as u32, channels: channels as u32 };
        self.plan.dispatch(params, &[x, sigma_base, position, style, mu, y], Grid::linear(y.elements()));
        self.step("tokens", 0);
        y
    }
}
