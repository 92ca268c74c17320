//! Which generator draws.

use anyhow::{Result, bail};
use clap::ValueEnum;
use vultus::align::{AlignWeights, Aligner};
use vultus::assets::{AssetError, Assets};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::generator::Method;
use vultus::generator::hef::{HefConfig, HefWeights};

use crate::console::warn;

/// The network that corrects fits.
pub(crate) const ALIGN: &str = "align.safetensors";
/// Seed of the weights that no training made.
const SEED: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GeneratorName {
    /// The portrait, warped by the mesh, with painted mouth and eyes: needs no network.
    Warp,
    /// The small network over it: for processors; live it wants four threads if the browser is on the same machine.
    Nano,
    /// The larger one: for a GPU.
    Base,
    /// The size of the paper with random weights: for measurements, the picture is noise.
    Paper,
}

impl GeneratorName {
    /// What is used where nothing is said.
    pub(crate) const DEFAULT: Self = Self::Nano;

    /// What a live server uses where nothing is said: the network leaves too little of two cores to a browser beside it (22 frames a second).
    pub(crate) fn live() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if threads >= 4 { Self::Nano } else { Self::Warp }
    }

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
    fn weights(self, assets: &Assets) -> Result<Option<HefWeights>> {
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

/// Who draws, with everything that was trained for it.
pub(crate) struct Drawer {
    network: Option<HefWeights>,
    /// What the network learnt from is portraits that are fitted well.
    aligner: Option<Aligner>,
}

impl Drawer {
    /// # Errors
    /// Weights are not there, or no good.
    pub(crate) fn open(name: GeneratorName, assets: &Assets, face: &FaceModel) -> Result<Self> {
        let network = name.weights(assets)?;
        let aligner = if network.is_some() { aligner(assets, face)? } else { None };
        if network.is_some() && aligner.is_none() {
            warn(&format!("there is no {ALIGN} among the weights: the avatar's fit is used as it is"));
        }
        Ok(Self { network, aligner })
    }

    /// How it draws.
    pub(crate) fn method(&self) -> Method<'_> {
        self.network.as_ref().map_or(Method::Geometric, Method::Learned)
    }

    /// The avatar with its fit corrected, where that has been learnt.
    ///
    /// # Errors
    /// The device was lost.
    pub(crate) fn fitted(&self, compute: &Compute, face: &FaceModel, avatar: AvatarFile) -> Result<AvatarFile> {
        match &self.aligner {
            Some(aligner) => Ok(aligner.correct(compute, face, &avatar)?),
            None => Ok(avatar),
        }
    }
}

/// What corrects fits, where its weights are there.
///
/// # Errors
/// They are there, and no good.
pub(crate) fn aligner(assets: &Assets, face: &FaceModel) -> Result<Option<Aligner>> {
    match assets.find(ALIGN) {
        Ok(_) => Ok(Some(Aligner::new(AlignWeights::read(assets.weights(ALIGN)?, face.vertices())?))),
        Err(AssetError::Missing { .. } | AssetError::NotEmbedded(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
