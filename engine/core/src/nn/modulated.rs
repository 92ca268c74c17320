//! Modulated convolutions (StyleGAN2): a style scales what each of them reads, and its outputs are brought back to their usual size.

use vultus_shaders::kernels::DemodulateParams;

use super::conv::{Conv, Modulation, SLOPE, taken};
use super::recorder::{Recorder, Span};
use super::scope::Scope;
use super::transformer::Linear;
use crate::compute::{Constant, Element::F32, Grid, Tensor};
use crate::weights::WeightError;

const EPSILON: f32 = 1e-8;

/// A modulated 3 × 3 convolution.
#[derive(Clone, Debug)]
pub(crate) struct ModulatedConv {
    pub conv: Conv,
    /// Where its scales and demodulations begin among those of all layers.
    scale_at: usize,
    demod_at: usize,
}

/// What all modulated layers of a network need of a style, layer after layer.
#[derive(Default)]
pub(crate) struct ModulationTables {
    affine: Vec<f32>,
    affine_bias: Vec<f32>,
    /// First entry in `power`, first scale, inputs, 0.
    outputs: Vec<[u32; 4]>,
    /// Of each output and input: the sum of the squares of its taps.
    power: Vec<f32>,
}

impl ModulatedConv {
    /// Adds to `tables` what this layer needs of a code of `code` words.
    pub(crate) fn take(
        scope: &Scope<'_>,
        inputs: usize,
        outputs: usize,
        code: usize,
        tables: &mut ModulationTables,
    ) -> Result<Self, WeightError> {
        let (weight, bias) = taken(scope, inputs, outputs, 3)?;
        let (scale_at, demod_at) = (tables.affine_bias.len(), tables.outputs.len());
        for row in weight.chunks_exact(9 * inputs) {
            tables.outputs.push([tables.power.len() as u32, scale_at as u32, inputs as u32, 0]);
            tables.power.extend(row.chunks_exact(9).map(|taps| taps.iter().map(|v| v * v).sum::<f32>()));
        }
        tables.affine.extend(scope.take("affine.weight", [inputs, code])?);
        tables.affine_bias.extend(scope.take("affine.bias", [inputs])?);
        Ok(Self { conv: Conv::new(scope.path(), &weight, &bias, inputs, 3), scale_at, demod_at })
    }
}

/// From a style code to the scales and demodulations of all layers.
#[derive(Clone, Debug)]
pub(crate) struct StyleLayers {
    affine: Linear,
    outputs: Constant,
    power: Constant,
}

impl ModulationTables {
    pub(crate) fn layers(self) -> StyleLayers {
        StyleLayers {
            affine: Linear::new("affine".into(), &self.affine, &self.affine_bias),
            outputs: Constant::new([self.outputs.len(), 4], &self.outputs),
            power: Constant::new([self.power.len()], &self.power),
        }
    }
}

/// Scales (B, scales) and demodulations (B, outputs) of all layers.
pub(crate) struct Styles {
    pub scale: Tensor,
    pub demod: Tensor,
}

impl Recorder<'_> {
    /// What a style code (B, code) makes of all modulated layers.
    pub(crate) fn styles(&mut self, layers: &StyleLayers, code: Tensor) -> Styles {
        let scale = self.linear(&layers.affine, code);
        let table = self.plan.resident("modulated channels", &layers.outputs);
        let power = self.plan.resident("power of weights", &layers.power);
        let outputs = layers.outputs.shape()[0];
        let demod = self.plan.temp("demodulation", [self.batch, outputs], F32);
        let params = DemodulateParams {
            batch: self.batch as u32,
            scales: scale.shape().last() as u32,
            outputs: outputs as u32,
            epsilon: EPSILON,
        };
        self.plan.dispatch(params, &[scale, table, power, demod], Grid::linear(self.batch * outputs));
        self.step("demodulation", 0);
        Styles { scale, demod }
    }

    /// y = leaky(conv(scale · x) · demod).
    pub(crate) fn modulated(&mut self, layer: &ModulatedConv, styles: &Styles, x: impl Into<Span>, y: Span) {
        let Styles { scale, demod } = *styles;
        let (scale_at, demod_at) = (layer.scale_at, layer.demod_at);
        let modulation = Modulation { scale, demod, scale_at, demod_at };
        self.convolve(&layer.conv, x.into(), y, Some(modulation), SLOPE);
    }
}
