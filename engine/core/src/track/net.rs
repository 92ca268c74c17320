//! What the networks are recorded from. A network is read and recorded in one go: each layer takes its weights by path and exact shape.
//!
//! Paths count the layers of the files that the weights come from, part by part: `trunk.12.conv`. Layers that are nothing here (padding, reshaping) count
//! too, and so do activations, which belong to the layer before them here. Maps are planar, (channels, side, side), in tensors of one
//! row: a product at a network's end reads a whole map as one.

use vultus_shaders::kernels::{
    ActivationAddParams, AveragePoolParams, ChannelScaleParams, Conv2dParams, CropByMatrixParams, DepthToSpaceParams,
    DepthwiseConv2dParams, LinearParams, MaxPoolParams, UpsampleParams,
};
use vultus_shaders::shared::activation::{
    ACTIVATION_HARD_SWISH, ACTIVATION_NONE, ACTIVATION_PRELU, ACTIVATION_RELU, ACTIVATION_SIGMOID,
};

use crate::compute::{Constant, Element::F32, Grid, PlanBuilder, Tensor};
use crate::nn::packed;
use crate::weights::{WeightError, WeightReader};

/// Activations by the paths of the layers that make them, planar: (path, channels, side, values).
pub type Probes = Vec<(String, usize, usize, Tensor)>;

/// "All rows belong to one group": a row map that changes nothing.
const WHOLE: u32 = 1 << 30;
/// Maps below this side go through a 1 × 1 convolution as one long row, which fills the twin's tiles.
const SMALL: usize = 16;
/// Side of the squares that a mean over a map is made of: many small sums instead of one long.
const SQUARE: usize = 16;

/// A convolution's weight (outputs, inputs, side, side), its bias (outputs), and slopes (outputs) where each output has its own.
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
    slopes: Vec<f32>,
}

/// (channels, side, side).
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    pub tensor: Tensor,
    pub channels: usize,
    pub side: usize,
}

impl Map {
    fn plane(self) -> usize {
        self.side * self.side
    }
}

/// A filter: side, stride, and zeros before the picture. At stride 2 TensorFlow puts fewer before than after: none, or one where the side is 5.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    pub side: usize,
    pub stride: usize,
    pub pad: usize,
}

impl Taps {
    pub(super) const ONE: Self = Self { side: 1, stride: 1, pad: 0 };

    /// As TensorFlow pads ("SAME") where the stride divides the side.
    pub(super) const fn same(side: usize, stride: usize) -> Self {
        Self { side, stride, pad: (side - stride) / 2 }
    }
}

/// What follows a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    None,
    Relu,
    /// A slope a channel.
    Prelu,
    HardSwish,
    Sigmoid,
}

impl Act {
    /// As a path calls it.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relu => "relu",
            Self::Prelu => "prelu",
            Self::HardSwish => "hard_swish",
            Self::Sigmoid => "logistic",
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::None => ACTIVATION_NONE,
            Self::Relu => ACTIVATION_RELU,
            Self::Prelu => ACTIVATION_PRELU,
            Self::HardSwish => ACTIVATION_HARD_SWISH,
            Self::Sigmoid => ACTIVATION_SIGMOID,
        }
    }
}

pub(super) struct Net<'a> {
    pub plan: &'a mut PlanBuilder,
    weights: &'a mut WeightReader,
    part: &'static str,
    count: usize,
    /// The paths count activations.
    counts_acts: bool,
    probes: Option<Probes>,
    /// Stands where a kernel's tensor is not looked at.
    nothing: [Tensor; 3],
}

impl<'a> Net<'a> {
    pub(super) fn new(
        plan: &'a mut PlanBuilder,
        weights: &'a mut WeightReader,
        counts_acts: bool,
        probe: bool,
    ) -> Self {
        let nothing = ["no scales", "no demodulation", "no slopes"].map(|label| plan.constant(label, [1], &[1.0f32]));
        Self { plan, weights, part: "", count: 0, counts_acts, probes: probe.then(Vec::new), nothing }
    }

    pub(super) fn finish(self) -> Probes {
        self.probes.unwrap_or_default()
    }

    /// Goes on with the layer `count` of a part of the paths.
    pub(super) fn part(&mut self, part: &'static str, count: usize) {
        (self.part, self.count) = (part, count);
    }

    /// A layer that is nothing here.
    pub(super) fn skip(&mut self) {
        self.count += 1;
    }

    fn path(&mut self, layer: &str) -> String {
        let path = format!("{}.{:02}.{layer}", self.part, self.count);
        self.count += 1;
        path
    }

    /// The path of the activation behind the layer at `path`.
    fn act_path(&mut self, path: &str, act: Act) -> String {
        if act == Act::None || !self.counts_acts { path.to_owned() } else { self.path(act.name()) }
    }

    fn temp(&mut self, label: &'static str, channels: usize, side: usize) -> Map {
        Map { tensor: self.plan.temp(label, [1, channels * side * side], F32), channels, side }
    }

    /// Ends a layer.
    pub(super) fn made(&mut self, path: String, y: Map) -> Map {
        if let Some(probes) = &mut self.probes {
            self.plan.output(y.tensor);
            probes.push((path, y.channels, y.side, y.tensor));
        }
        y
    }

    fn take(&mut self, path: &str, inputs: usize, outputs: usize, side: usize) -> Result<Layer, WeightError> {
        let weight = self.weights.take(&format!("{path}.weight"), [outputs, inputs, side, side])?;
        Ok(Layer { weight, bias: self.weights.take(&format!("{path}.bias"), [outputs])?, slopes: Vec::new() })
    }

    /// The slopes at the path of a PReLU.
    fn slopes(&mut self, path: &str, channels: usize) -> Result<Vec<f32>, WeightError> {
        self.weights.take(&format!("{path}.slope"), [channels])
    }

    /// y = act(conv(x)).
    pub(super) fn conv(&mut self, x: Map, outputs: usize, taps: Taps, act: Act) -> Result<Map, WeightError> {
        let path = self.path("conv");
        let mut layer = self.take(&path, x.channels, outputs, taps.side)?;
        if matches!(act, Act::HardSwish | Act::Sigmoid) {
            let y = self.convolve(x, &layer, taps, 1.0);
            self.made(path, y);
            return Ok(self.act(y, act));
        }
        let path = self.act_path(&path, act);
        if act == Act::Prelu {
            layer.slopes = self.slopes(&path, outputs)?;
        }
        let y = self.convolve(x, &layer, taps, if act == Act::Relu { 0.0 } else { 1.0 });
        Ok(self.made(path, y))
    }

    /// The convolution itself; `slope` is that of all outputs where they have none of their own.
    fn convolve(&mut self, x: Map, layer: &Layer, taps: Taps, slope: f32) -> Map {
        let y = self.temp("convolution", layer.bias.len(), x.side / taps.stride);
        let weight = packed(&layer.weight, y.channels, x.channels * taps.side * taps.side);
        let weight = self.plan.resident("convolution", &weight);
        let bias = Constant::new([layer.bias.len() + layer.slopes.len()], &[&*layer.bias, &layer.slopes].concat());
        let bias = self.plan.resident("convolution's bias", &bias);
        let rows = |map: Map| if taps.side == 1 && map.side < SMALL { [map.plane(), 1] } else { [map.side; 2] };
        let ([in_w, in_h], [out_w, out_h]) = (rows(x), rows(y));
        let params = Conv2dParams {
            c_in: x.channels as u32,
            c_out: y.channels as u32,
            in_w: in_w as u32,
            in_h: in_h as u32,
            out_w: out_w as u32,
            out_h: out_h as u32,
            batch: 1,
            side: taps.side as u32,
            stride: taps.stride as u32,
            pad: taps.pad as u32,
            x_channels: x.channels as u32,
            y_channels: y.channels as u32,
            slopes: u32::from(!layer.slopes.is_empty()),
            slope,
            gain: 1.0,
            ..Default::default()
        };
        let [no_scale, no_demod, _] = self.nothing;
        let grid = Grid::Threads([out_w.div_ceil(4) as u32, out_h as u32, y.channels.div_ceil(4) as u32]);
        self.plan.dispatch(params, &[x.tensor, weight, bias, no_scale, no_demod, y.tensor], grid);
        y
    }

    /// y = act(depthwise(x)); not for PReLU.
    pub(super) fn depthwise(&mut self, x: Map, taps: Taps, act: Act) -> Result<Map, WeightError> {
        let path = self.path("depthwise");
        let layer = self.take(&path, 1, x.channels, taps.side)?;
        let path = self.act_path(&path, act);
        let y = self.temp("depthwise", x.channels, x.side / taps.stride);
        let weight = self.plan.constant("depthwise weight", [x.channels, taps.side * taps.side], &layer.weight);
        let bias = self.plan.constant("depthwise bias", [x.channels], &layer.bias);
        let params = DepthwiseConv2dParams {
            batch: 1,
            channels: x.channels as u32,
            in_w: x.side as u32,
            in_h: x.side as u32,
            out_w: y.side as u32,
            out_h: y.side as u32,
            side: taps.side as u32,
            stride: taps.stride as u32,
            pad: taps.pad as u32,
            activation: act.number(),
        };
        self.plan.dispatch(params, &[x.tensor, weight, bias, y.tensor], planes(y));
        Ok(self.made(path, y))
    }

    /// y = act(a + b); channels that `b` lacks are zeros.
    pub(super) fn add(&mut self, a: Map, b: Map, act: Act) -> Result<Map, WeightError> {
        let path = self.path("add");
        let path = self.act_path(&path, act);
        let slopes = if act == Act::Prelu { Some(self.slopes(&path, a.channels)?) } else { None };
        let y = self.activation_add(a, Some(b), act, slopes);
        Ok(self.made(path, y))
    }

    /// y = act(x), a layer of its own; not for PReLU.
    pub(super) fn act(&mut self, x: Map, act: Act) -> Map {
        let path = self.path(act.name());
        let y = self.activation_add(x, None, act, None);
        self.made(path, y)
    }

    fn activation_add(&mut self, a: Map, b: Option<Map>, act: Act, slopes: Option<Vec<f32>>) -> Map {
        let y = self.temp("sum", a.channels, a.side);
        let [none, _, no_slopes] = self.nothing;
        let slopes = slopes.map_or(no_slopes, |slopes| self.plan.constant("slopes", [slopes.len()], &slopes));
        let params = ActivationAddParams {
            batch: 1,
            channels: a.channels as u32,
            b_channels: b.map_or(0, |b| b.channels as u32),
            plane: a.plane() as u32,
            activation: act.number(),
        };
        let b = b.map_or(none, |b| b.tensor);
        self.plan.dispatch(params, &[a.tensor, b, slopes, y.tensor], Grid::linear(a.channels * a.plane()));
        y
    }

    pub(super) fn max_pool(&mut self, x: Map) -> Map {
        let path = self.path("max_pool");
        let y = self.temp("largest", x.channels, x.side / 2);
        let params = MaxPoolParams { planes: x.channels as u32, in_w: x.side as u32, in_h: x.side as u32 };
        self.plan.dispatch(params, &[x.tensor, y.tensor], planes(y));
        self.made(path, y)
    }

    /// The mean of each channel, (channels, 1, 1).
    pub(super) fn mean(&mut self, x: Map) -> Map {
        let path = self.path("average_pool");
        let mut y = x;
        while y.side > 1 {
            let factor = y.side.min(SQUARE);
            let to = self.temp("mean", x.channels, y.side / factor);
            let params = AveragePoolParams {
                width: to.side as u32,
                height: to.side as u32,
                batch: 1,
                channels: x.channels as u32,
                x_channels: x.channels as u32,
                x_first: 0,
                factor: factor as u32,
            };
            self.plan.dispatch(params, &[y.tensor, to.tensor], planes(to));
            y = to;
        }
        self.made(path, y)
    }

    /// y = x · factors (channels, 1, 1).
    pub(super) fn scale(&mut self, x: Map, factors: Map) -> Map {
        let path = self.path("mul");
        let y = self.temp("scaled", x.channels, x.side);
        let params = ChannelScaleParams { planes: x.channels as u32, plane: x.plane() as u32 };
        let grid = Grid::linear(x.channels * x.plane());
        self.plan.dispatch(params, &[x.tensor, factors.tensor, y.tensor], grid);
        self.made(path, y)
    }

    /// Twice the side, bilinear.
    pub(super) fn upsample(&mut self, x: Map) -> Map {
        let path = self.path("resize_bilinear");
        let y = self.temp("doubled", x.channels, 2 * x.side);
        let params = UpsampleParams {
            width: x.side as u32,
            height: x.side as u32,
            batch: 1,
            channels: x.channels as u32,
            x_channels: x.channels as u32,
            y_channels: x.channels as u32,
            ..Default::default()
        };
        self.plan.dispatch(params, &[x.tensor, y.tensor], planes(y));
        self.made(path, y)
    }

    /// Four channels to one of twice the side.
    pub(super) fn depth_to_space(&mut self, x: Map) -> Map {
        let path = self.path("depth_to_space");
        let y = self.spread(x, Act::None);
        self.made(path, y)
    }

    fn spread(&mut self, x: Map, act: Act) -> Map {
        let y = self.temp("spread", x.channels / 4, 2 * x.side);
        let params = DepthToSpaceParams {
            batch: 1,
            channels: y.channels as u32,
            width: x.side as u32,
            height: x.side as u32,
            activation: act.number(),
        };
        self.plan.dispatch(params, &[x.tensor, y.tensor], planes(y));
        y
    }

    /// y = act(transposed convolution 2 × 2, stride 2, to one channel): each pixel makes four.
    pub(super) fn up(&mut self, x: Map, act: Act) -> Result<Map, WeightError> {
        let path = self.path("up");
        // (1, inputs, 2, 2): four weights an input, which become four outputs.
        let up = self.take(&path, x.channels, 1, 2)?;
        let weight = (0..4).flat_map(|part| up.weight.iter().skip(part).step_by(4).copied()).collect();
        let layer = Layer { weight, bias: vec![up.bias[0]; 4], slopes: Vec::new() };
        let path = self.act_path(&path, act);
        let parts = self.convolve(x, &layer, Taps::ONE, 1.0);
        let y = self.spread(parts, act);
        Ok(self.made(path, y))
    }

    /// A convolution as large as the map: a matrix product.
    pub(super) fn dense(&mut self, x: Map, outputs: usize) -> Result<Tensor, WeightError> {
        let path = self.path("conv");
        let layer = self.take(&path, x.channels, outputs, x.side)?;
        let y = self.temp("dense", outputs, 1);
        let weight = self.plan.constant("dense weight", [outputs, x.channels * x.plane()], &layer.weight);
        let bias = self.plan.constant("dense bias", [outputs], &layer.bias);
        let params = LinearParams {
            rows: 1,
            cols: outputs as u32,
            inner: (x.channels * x.plane()) as u32,
            x_group: WHOLE,
            y_group: WHOLE,
            ..Default::default()
        };
        let grid = Grid::Threads([outputs.div_ceil(4) as u32, 1, 1]);
        self.plan.dispatch(params, &[x.tensor, weight, bias, y.tensor], grid);
        Ok(self.made(path, y).tensor)
    }

    /// `side`² pixels of `x` where matrix `which` of `matrices` puts them.
    pub(super) fn crop(&mut self, x: Map, matrices: Tensor, which: usize, side: usize) -> Map {
        let path = self.path("transformtensorbilinear");
        let y = self.temp("crop", x.channels, side);
        let params = CropByMatrixParams {
            batch: 1,
            channels: x.channels as u32,
            in_w: x.side as u32,
            in_h: x.side as u32,
            out_w: side as u32,
            out_h: side as u32,
            matrix_at: 6 * which as u32,
            matrix_stride: matrices.elements() as u32,
        };
        self.plan.dispatch(params, &[x.tensor, matrices, y.tensor], planes(y));
        self.made(path, y)
    }

    /// A residual block (BlazeFace, fig. 2): y = act(x + conv(depthwise(x))). At stride 2 the largest of 2 × 2 pixels stand for x; channels that x lacks are zeros.
    pub(super) fn block(&mut self, x: Map, channels: usize, stride: usize, act: Act) -> Result<Map, WeightError> {
        let deep = self.depthwise(x, Taps::same(3, stride), Act::None)?;
        // The paths count the pooling before the convolution where there are more channels afterwards.
        let grows = channels > x.channels;
        let early = (stride == 2 && grows).then(|| self.max_pool(x));
        let deep = self.conv(deep, channels, Taps::ONE, Act::None)?;
        let skip = match early {
            Some(pooled) => pooled,
            None if stride == 2 => self.max_pool(x),
            None => x,
        };
        if grows {
            self.skip();
        }
        self.add(deep, skip, act)
    }
}

/// An invocation a pixel of each channel.
fn planes(y: Map) -> Grid {
    Grid::Threads([y.side as u32, y.side as u32, y.channels as u32])
}
