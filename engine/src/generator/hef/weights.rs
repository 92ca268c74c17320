//! The network's weights, by path and exact shape.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::config::{Head, HefConfig};
use super::style_range::StyleRange;
use super::{DRIVEN, SOURCE, STYLE};
use crate::layers::{Conv, Tensors};
use crate::weights::{WeightError, WeightReader};

/// A modulated convolution, and the linear layer from the style code to its scales.
#[derive(Clone, Debug)]
pub(super) struct StyleConv {
    pub conv: Conv,
    /// (inputs, code)
    pub affine: Vec<f32>,
    pub affine_bias: Vec<f32>,
}

impl StyleConv {
    fn take(t: &mut Tensors<'_>, path: &str, inputs: usize, outputs: usize, code: usize) -> Result<Self, WeightError> {
        Ok(Self {
            conv: Conv::take(t, path, inputs, outputs, 3)?,
            affine: t(&format!("{path}.affine.weight"), &[inputs, code])?,
            affine_bias: t(&format!("{path}.affine.bias"), &[inputs])?,
        })
    }
}

/// A pyramid's convolutions: `down[l]` makes level l from level l + 1.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    pub stem: Conv,
    pub down: Vec<Conv>,
}

impl Encoder {
    fn take(
        t: &mut Tensors<'_>,
        path: &str,
        inputs: usize,
        widths: &[usize],
        patch: usize,
    ) -> Result<Self, WeightError> {
        let side = if patch > 1 { patch } else { 3 };
        Ok(Self {
            stem: Conv::take(t, &format!("{path}.stem"), inputs, widths[widths.len() - 1], side)?,
            down: widths
                .windows(2)
                .enumerate()
                .map(|(i, w)| Conv::take(t, &format!("{path}.down.{i}"), w[1], w[0], 3))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Level {
    pub style: StyleConv,
    pub mix: Option<StyleConv>,
    pub heads: Vec<(Head, Conv)>,
}

/// Everything that training made.
#[derive(Clone, Debug)]
pub struct HefWeights {
    config: HefConfig,
    /// (code, 258) of eq. 7, and its bias.
    pub(super) code: (Vec<f32>, Vec<f32>),
    pub(super) source: Encoder,
    /// To the channels that E_src hands out, where they differ from its own.
    pub(super) lateral: Vec<Option<Conv>>,
    pub(super) render: Encoder,
    /// (style of level 0, side, side)
    pub(super) start: Vec<f32>,
    pub(super) levels: Vec<Level>,
    style_range: Option<StyleRange>,
}

impl HefWeights {
    /// Reads a weights file whose metadata says which configuration it is for.
    ///
    /// # Errors
    /// The configuration is missing or wrong, or the range of styles is; a tensor is missing, mis-shaped, not finite or of no use to it.
    pub fn read(mut reader: WeightReader) -> Result<Self, WeightError> {
        let config = HefConfig::of(&reader)?;
        let style_range = StyleRange::read(&reader)?;
        let weights = Self::take(&mut reader, "", config)?;
        reader.finish()?;
        Ok(Self { style_range, ..weights })
    }

    /// Takes the tensors of `config`, each under `prefix` and its name.
    ///
    /// # Errors
    /// As [`WeightReader::take`].
    pub fn take(reader: &mut WeightReader, prefix: &str, config: HefConfig) -> Result<Self, WeightError> {
        Self::build(config, &mut |name, shape| reader.take_shaped(&format!("{prefix}{name}"), shape))
    }

    /// Seeded random weights: for measurements, which need no training.
    pub fn random(config: HefConfig, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let made = Self::build(config, &mut |name, shape| {
            let inputs: usize = shape[1..].iter().product();
            // Uniform with the variance that keeps activations' size.
            let reach = if name.ends_with("bias") { 0.1 } else { (3.0 / inputs as f32).sqrt() };
            // A flow that jumps about would cost caches more than any real one.
            let reach = if name.contains(".flow.") { 0.01 * reach } else { reach };
            Ok((0..shape.iter().product()).map(|_| rng.random_range(-reach..reach)).collect())
        });
        made.expect("nothing is read that could be missing")
    }

    fn build(config: HefConfig, t: &mut Tensors<'_>) -> Result<Self, WeightError> {
        let c = &config;
        let levels = (0..c.levels.len())
            .map(|i| {
                let before = if i == 0 { c.style[0] } else { c.width(i - 1) };
                let at = |name: &str| format!("levels.{i}.{name}");
                Ok(Level {
                    style: StyleConv::take(t, &at("style"), before, c.style[i], c.code)?,
                    mix: match c.mix[i] {
                        0 => None,
                        outputs => Some(StyleConv::take(t, &at("mix"), c.joined(i), outputs, c.code)?),
                    },
                    heads: Head::ALL
                        .into_iter()
                        .filter(|h| c.head(i, *h) > 0)
                        .map(|h| Ok((h, Conv::take(t, &at(h.name()), c.width(i), c.head(i, h), 3)?)))
                        .collect::<Result<_, _>>()?,
                })
            })
            .collect::<Result<_, _>>()?;
        let mut render = Encoder::take(t, "render", DRIVEN, &c.render, c.patch)?;
        if !c.prior {
            // Without a prior the network may not see composite, flow and light either.
            let taps = render.stem.side * render.stem.side;
            for (k, v) in render.stem.weight.iter_mut().enumerate() {
                if matches!(k / taps % DRIVEN, 0..=2 | 10..=12) {
                    *v = 0.0;
                }
            }
        }
        let lateral = (c.encoder.iter().zip(&c.source).enumerate())
            .map(|(i, (from, to))| match from == to {
                true => Ok(None),
                false => Conv::take(t, &format!("source.lateral.{i}"), *from, *to, 1).map(Some),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            code: (t("style.weight", &[c.code, STYLE])?, t("style.bias", &[c.code])?),
            source: Encoder::take(t, "source", SOURCE, &c.encoder, c.patch)?,
            lateral,
            render,
            start: t("start", &[c.style[0], c.levels[0], c.levels[0]])?,
            levels,
            style_range: None,
            config,
        })
    }

    /// What they are for.
    pub fn config(&self) -> &HefConfig {
        &self.config
    }

    /// Which styles they may be given, if their file says so.
    pub fn style_range(&self) -> Option<&StyleRange> {
        self.style_range.as_ref()
    }
}
