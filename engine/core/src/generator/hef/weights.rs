//! The network's weights, by path and exact shape.

use std::cell::RefCell;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::channels::{DRIVEN, SOURCE, STYLE, STYLE_WORDS};
use super::config::{Head, HefConfig};
use super::style_range::StyleRange;
use super::style_sigma::StyleSigma;
use crate::nn::{self, Conv, Linear, ModulatedConv, ModulationTables, Scope, StyleLayers, taken};
use crate::weights::{WeightError, WeightReader};

/// A pyramid's convolutions: `down[l]` makes level l from level l + 1.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    pub stem: Conv,
    pub down: Vec<Conv>,
}

impl Encoder {
    /// What it reads of channels that are `unseen` counts nothing.
    fn take(
        s: &Scope<'_>,
        inputs: usize,
        widths: &[usize],
        patch: usize,
        unseen: impl Fn(usize) -> bool,
    ) -> Result<Self, WeightError> {
        let side = if patch > 1 { patch } else { 3 };
        let stem = s.pp("stem");
        let (mut weight, bias) = taken(&stem, inputs, widths[widths.len() - 1], side)?;
        for (k, taps) in weight.chunks_exact_mut(side * side).enumerate() {
            if unseen(k % inputs) {
                taps.fill(0.0);
            }
        }
        Ok(Self {
            stem: Conv::new(stem.path(), &weight, &bias, inputs, side),
            down: (widths.windows(2).enumerate())
                .map(|(i, w)| Conv::take(&s.pp("down").pp(i), w[1], w[0], 3))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Level {
    pub style: ModulatedConv,
    pub mix: Option<ModulatedConv>,
    /// Heads that lie side by side are one convolution; each with its first channel.
    pub heads: Vec<(usize, Conv)>,
}

impl Level {
    fn take(s: &Scope<'_>, c: &HefConfig, level: usize, tables: &mut ModulationTables) -> Result<Self, WeightError> {
        let before = if level == 0 { c.style[0] } else { c.width(level - 1) };
        let mut modulated = |name: &str, inputs: usize, outputs: usize| {
            ModulatedConv::take(&s.pp(name), inputs, outputs, c.code, tables)
        };
        let style = modulated("style", before, c.style[level])?;
        let mix = match c.mix[level] {
            0 => None,
            outputs => Some(modulated("mix", c.joined(level), outputs)?),
        };
        let mut runs: Vec<(usize, String, Vec<f32>, Vec<f32>)> = Vec::new();
        for head in Head::ALL.into_iter().filter(|h| c.head(level, *h) > 0) {
            let (weight, bias) = taken(&s.pp(head.name()), c.width(level), c.head(level, head), 3)?;
            match runs.last_mut() {
                Some((first, names, weights, biases)) if *first + biases.len() == head.first() => {
                    *names = format!("{names}+{}", head.name());
                    weights.extend(weight);
                    biases.extend(bias);
                }
                _ => runs.push((head.first(), head.name().to_owned(), weight, bias)),
            }
        }
        let conv = |(first, names, weight, bias): (usize, String, Vec<f32>, Vec<f32>)| {
            (first, Conv::new(s.pp(names).path(), &weight, &bias, c.width(level), 3))
        };
        Ok(Self { style, mix, heads: runs.into_iter().map(conv).collect() })
    }
}

/// Everything that training made.
#[derive(Clone, Debug)]
pub struct HefWeights {
    config: HefConfig,
    /// Eq. 7: from the style tensor (260) to the code.
    pub(super) code: Linear,
    /// From the code to what all modulated layers need of it.
    pub(super) styles: StyleLayers,
    pub(super) source: Encoder,
    /// To the channels that E_src hands out, where they differ from its own.
    pub(super) lateral: Vec<Option<Conv>>,
    pub(super) render: Encoder,
    /// (style of level 0, side, side)
    pub(super) start: Vec<f32>,
    pub(super) levels: Vec<Level>,
    style_range: Option<StyleRange>,
    style_sigma: StyleSigma,
}

impl HefWeights {
    /// Reads a weights file whose metadata says which configuration it is for.
    ///
    /// # Errors
    /// The configuration is missing or wrong, or the range of styles is; a tensor is missing, mis-shaped, not finite or of no use to it.
    pub fn read(mut reader: WeightReader) -> Result<Self, WeightError> {
        let config = HefConfig::of(&reader)?;
        let (style_range, style_sigma) = (StyleRange::read(&reader)?, StyleSigma::read(&reader)?);
        let weights = Self::take(&mut reader, "", config)?;
        reader.finish()?;
        Ok(Self { style_range, style_sigma, ..weights })
    }

    /// Takes the tensors of `config`, each under `prefix` and its name.
    ///
    /// # Errors
    /// As [`WeightReader::take`].
    pub fn take(reader: &mut WeightReader, prefix: &str, config: HefConfig) -> Result<Self, WeightError> {
        nn::read(reader, prefix, |s| Self::build(config, s))
    }

    /// Seeded random weights: for measurements, which need no training.
    pub fn random(config: HefConfig, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let source = RefCell::new(|name: &str, shape: &[usize]| -> Result<Vec<f32>, WeightError> {
            let inputs: usize = shape[1..].iter().product();
            // Uniform with the variance that keeps activations' size.
            let reach = if name.ends_with("bias") { 0.1 } else { (3.0 / inputs as f32).sqrt() };
            // A flow that jumps about would cost caches more than any real one.
            let reach = if name.contains(".flow.") { 0.01 * reach } else { reach };
            Ok((0..shape.iter().product()).map(|_| rng.random_range(-reach..reach)).collect())
        });
        Self::build(config, &Scope::root(&source)).expect("nothing is read that could be missing")
    }

    fn build(config: HefConfig, s: &Scope<'_>) -> Result<Self, WeightError> {
        let c = &config;
        let mut tables = ModulationTables::default();
        let levels = (0..c.levels.len())
            .map(|i| Level::take(&s.pp("levels").pp(i), c, i, &mut tables))
            .collect::<Result<_, _>>()?;
        // Without a prior the network may not see composite, flow and light either.
        let unseen = |channel: usize| !c.prior && matches!(channel, 0..=2 | 10..=12);
        let render = Encoder::take(&s.pp("render"), DRIVEN, &c.render, c.patch, unseen)?;
        let lateral = (c.encoder.iter().zip(&c.source).enumerate())
            .map(|(i, (from, to))| match from == to {
                true => Ok(None),
                false => Conv::take(&s.pp("source.lateral").pp(i), *from, *to, 1).map(Some),
            })
            .collect::<Result<_, _>>()?;
        // The kernel wants whole vectors.
        let code = s.take("style.weight", [c.code, STYLE])?;
        let padded: Vec<f32> =
            code.chunks_exact(STYLE).flat_map(|row| row.iter().copied().chain([0.0; STYLE_WORDS - STYLE])).collect();
        Ok(Self {
            code: Linear::new("style".into(), &padded, &s.take("style.bias", [c.code])?),
            styles: tables.layers(),
            source: Encoder::take(&s.pp("source"), SOURCE, &c.encoder, c.patch, |_| false)?,
            lateral,
            render,
            start: s.take("start", [c.style[0], c.levels[0], c.levels[0]])?,
            levels,
            style_range: None,
            style_sigma: StyleSigma::Constant(0.0),
            config,
        })
    }

    /// What they are for.
    pub fn config(&self) -> &HefConfig {
        &self.config
    }

    /// What they have for σ̂ in the style vector.
    pub fn style_sigma(&self) -> StyleSigma {
        self.style_sigma
    }

    /// Which styles they may be given, if their file says so.
    pub fn style_range(&self) -> Option<&StyleRange> {
        self.style_range.as_ref()
    }
}
