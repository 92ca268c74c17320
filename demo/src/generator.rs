//! Which generator draws.

use anyhow::{Result, bail};
use clap::ValueEnum;
use vultus::assets::{AssetError, Assets};
use vultus::generator::Method;
use vultus::generator::hef::{HefConfig, HefWeights};

/// Seed of the weights that no training made.
const SEED: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GeneratorName {
    /// The portrait, warped by the mesh, with painted mouth and eyes: needs no network.
    Warp,
    /// The small network over it: live on two processor cores.
    Nano,
    /// The larger one: for a GPU.
    Base,
    /// The size of the paper with random weights: for measurements, the picture is noise.
    Paper,
}

impl GeneratorName {
    /// What is used where nothing is said.
    pub(crate) const DEFAULT: Self = Self::Nano;

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warp => "warp",
            Self::Nano => "nano",
            Self::Base => "base",
            Self::Paper => "paper",
        }
    }

    /// The network, where there is one.
    ///
    /// # Errors
    /// The weights are not there, or no good.
    pub(crate) fn weights(self, assets: &Assets) -> Result<Option<HefWeights>> {
        match self {
            Self::Warp => Ok(None),
            Self::Paper => {
                let config = HefConfig::named("paper512").map_err(anyhow::Error::msg)?;
                Ok(Some(HefWeights::random(config, SEED)))
            }
            Self::Nano | Self::Base => {
                let file = format!("hef_{}.safetensors", self.name());
                match assets.weights(&file) {
                    Ok(reader) => Ok(Some(HefWeights::read(reader)?)),
                    Err(AssetError::NotEmbedded(_)) => bail!(
                        "no {file} is built in: train it (train/hef/README.md) and give its folder by --weights, or use --generator warp"
                    ),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

/// Who draws with these weights, or without.
pub(crate) fn method(weights: Option<&HefWeights>) -> Method<'_> {
    weights.map_or(Method::Geometric, Method::Learned)
}
