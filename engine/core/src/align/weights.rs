//! The network's weights, by path and exact shape.

use serde::Deserialize;

use crate::nn::{self, Conv, Scope};
use crate::weights::{WeightError, WeightReader};

/// Channels of the portrait.
pub(super) const PICTURE: usize = 3;
/// Largest side and number of channels that a file may ask for.
const LIMIT: usize = 2048;
/// Fewer points tell nothing of a fit.
const FEWEST: usize = 8;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignConfig {
    /// C: side of the crop in pixels.
    pub crop: usize,
    /// Channels on the way down, at C/2, C/4 …
    pub widths: Vec<usize>,
    /// Channels on the way up, at C/4, C/8 …; two fewer than on the way down.
    pub up: Vec<usize>,
    /// K: the vertices that it looks for.
    pub points: Vec<usize>,
}

impl AlignConfig {
    fn check(&self, vertices: usize) -> Result<(), String> {
        let Self { crop, widths, up, points } = self;
        if up.is_empty() || widths.len() != up.len() + 2 {
            return Err(format!(
                "has {} widths and {} on the way up; expected two fewer there, at least one",
                widths.len(),
                up.len()
            ));
        }
        if let Some(bad) = widths.iter().chain(up).find(|v| !(1..=LIMIT).contains(*v)) {
            return Err(format!("has a layer of {bad} channels, expected 1 to {LIMIT}"));
        }
        if !(FEWEST..=LIMIT).contains(&points.len()) {
            return Err(format!("looks for {} points, expected {FEWEST} to {LIMIT}", points.len()));
        }
        if let Some(bad) = points.iter().find(|v| **v >= vertices) {
            return Err(format!(
                "looks for vertex {bad} of a face that has {vertices}; it was trained for another face model"
            ));
        }
        let mut sorted = points.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("looks for vertex {} twice", twice[0]));
        }
        // Two pixels at the bottom at least.
        if *crop > LIMIT || widths.len() > 10 || *crop < 2 << widths.len() || !crop.is_multiple_of(1 << widths.len()) {
            return Err(format!("has a crop of {crop}, which {} halvings do not divide", widths.len()));
        }
        Ok(())
    }
}

/// Everything that training made.
#[derive(Clone, Debug)]
pub struct AlignWeights {
    config: AlignConfig,
    pub(super) stem: Conv,
    /// From C/2 to C/4, and so on.
    pub(super) down: Vec<Conv>,
    pub(super) bottom: Conv,
    /// At C/4, C/8 …: over what the way down had there and what comes from below.
    pub(super) up: Vec<Conv>,
    pub(super) head: Conv,
}

impl AlignWeights {
    /// Reads a weights file whose metadata `network` holds the configuration, for a face model of so many `vertices`.
    ///
    /// # Errors
    /// The configuration is missing or wrong; a tensor is missing, mis-shaped, not finite or of no use to it.
    pub fn read(mut reader: WeightReader, vertices: usize) -> Result<Self, WeightError> {
        const KEY: &str = "network";
        let config =
            serde_json::from_str(reader.metadata(KEY)?).map_err(|e| reader.metadata_error(KEY, e.to_string()))?;
        let weights = Self::take(&mut reader, KEY, "", config, vertices)?;
        reader.finish()?;
        Ok(weights)
    }

    /// Takes the tensors of `config`, which stood in the metadata `key`, each under `prefix` and its name.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn take(
        reader: &mut WeightReader,
        key: &str,
        prefix: &str,
        config: AlignConfig,
        vertices: usize,
    ) -> Result<Self, WeightError> {
        config.check(vertices).map_err(|reason| reader.metadata_error(key, reason))?;
        nn::read(reader, prefix, |s| Self::build(config, s))
    }

    fn build(config: AlignConfig, s: &Scope<'_>) -> Result<Self, WeightError> {
        let AlignConfig { widths, up, .. } = &config;
        let deepest = widths[widths.len() - 1];
        let below = |i: usize| up.get(i + 1).unwrap_or(&deepest);
        Ok(Self {
            stem: Conv::take(&s.pp("stem"), PICTURE, widths[0], 2)?,
            down: (widths.windows(2).enumerate())
                .map(|(i, w)| Conv::take(&s.pp("down").pp(i), w[0], w[1], 3))
                .collect::<Result<_, _>>()?,
            bottom: Conv::take(&s.pp("bottom"), deepest, deepest, 3)?,
            up: (up.iter().enumerate())
                .map(|(i, outputs)| Conv::take(&s.pp("up").pp(i), widths[i + 1] + below(i), *outputs, 3))
                .collect::<Result<_, _>>()?,
            head: Conv::take(&s.pp("head"), up[0], 2 * config.points.len(), 1)?,
            config,
        })
    }

    /// What they are for.
    pub fn config(&self) -> &AlignConfig {
        &self.config
    }
}
