//! Who draws: a generator by its name, with everything that was trained for it.

use std::str::FromStr;

use thiserror::Error;
use vultus::align::{AlignWeights, Aligner};
use vultus::avatar::AvatarFile;
use vultus::compute::{Compute, ComputeError};
use vultus::face::FaceModel;
use vultus::generator::Method;
use vultus::generator::hef::{HefConfig, HefWeights};
use vultus::weights::WeightError;

use crate::assets::{ALIGN, AssetError, Assets};
use crate::names;
use crate::notices::Notices;

/// Seed of the weights that no training made.
const SEED: u64 = 1;

/// Why there is nobody to draw.
#[derive(Debug, Error)]
pub enum DrawerError {
    /// This build has no weights for it, and no folder has them.
    #[error(
        "no {0} is built in: train it (train/hef/README.md) and give its folder by --weights, or use --generator warp"
    )]
    NotBuiltIn(String),
    /// The network's sizes are not known.
    #[error("{0}")]
    Config(String),
    /// A file could not be had.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A file is no good.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// The generators that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneratorName {
    /// The geometric generator.
    Warp,
    /// The small network over it.
    Nano,
    /// The larger one.
    Base,
    /// The size of the paper, with random weights.
    Paper,
}

impl GeneratorName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Warp, Self::Nano, Self::Base, Self::Paper];

    /// What is used where nothing is said.
    pub const DEFAULT: Self = Self::Nano;

    /// What a live server uses where nothing is said: the network leaves too little of two cores to a browser beside it (22 frames a second).
    pub fn live() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if threads >= 4 { Self::Nano } else { Self::Warp }
    }

    /// As `vultus --generator` and [`str::parse`] take it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warp => "warp",
            Self::Nano => "nano",
            Self::Base => "base",
            Self::Paper => "paper",
        }
    }

    /// A line for whoever has to choose.
    pub fn about(self) -> &'static str {
        match self {
            Self::Warp => "The portrait, warped by the mesh, with painted mouth and eyes: needs no network",
            Self::Nano => {
                "The small network over it: for processors; live it wants four threads if the browser is on the same machine"
            }
            Self::Base => "The larger one: for a GPU",
            Self::Paper => "The size of the paper with random weights: for measurements, the picture is noise",
        }
    }

    /// The network, where there is one.
    ///
    /// # Errors
    /// The weights are not there, or no good.
    fn weights(self, assets: &Assets) -> Result<Option<HefWeights>, DrawerError> {
        match self {
            Self::Warp => Ok(None),
            Self::Paper => {
                let config = HefConfig::named("paper512").map_err(DrawerError::Config)?;
                Ok(Some(HefWeights::random(config, SEED)))
            }
            Self::Nano | Self::Base => {
                let file = format!("hef_{}.safetensors", self.name());
                match assets.weights(&file) {
                    Ok(reader) => Ok(Some(HefWeights::read(reader)?)),
                    Err(AssetError::NotEmbedded(_)) => Err(DrawerError::NotBuiltIn(file)),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

impl FromStr for GeneratorName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or_else(|| names::unknown("generator", name, &known(), ""))
    }
}

/// Who draws, with everything that was trained for it.
#[derive(Debug)]
pub struct Drawer {
    network: Option<HefWeights>,
    /// What the network learnt from is portraits that are fitted well.
    aligner: Option<Aligner>,
}

impl Drawer {
    /// Reads its weights. A network without the one that corrects fits draws all the same, and `notices` hear of it.
    ///
    /// # Errors
    /// Weights are not there, or no good.
    pub fn open(
        name: GeneratorName,
        assets: &Assets,
        face: &FaceModel,
        notices: &Notices,
    ) -> Result<Self, DrawerError> {
        let network = name.weights(assets)?;
        let aligner = if network.is_some() { aligner(assets, face)? } else { None };
        if network.is_some() && aligner.is_none() {
            notices.tell(&format!("there is no {ALIGN} among the weights: the avatar's fit is used as it is"));
        }
        Ok(Self { network, aligner })
    }

    /// How it draws.
    pub fn method(&self) -> Method<'_> {
        self.network.as_ref().map_or(Method::Geometric, Method::Learned)
    }

    /// The avatar with its fit corrected, where that has been learnt.
    ///
    /// # Errors
    /// The device was lost.
    pub fn fitted(&self, compute: &Compute, face: &FaceModel, avatar: AvatarFile) -> Result<AvatarFile, ComputeError> {
        match &self.aligner {
            Some(aligner) => aligner.correct(compute, face, &avatar),
            None => Ok(avatar),
        }
    }
}

/// What corrects fits, where its weights are there.
///
/// # Errors
/// They are there, and no good.
pub fn aligner(assets: &Assets, face: &FaceModel) -> Result<Option<Aligner>, AssetError> {
    match assets.find(ALIGN) {
        Ok(_) => Ok(Some(Aligner::new(AlignWeights::read(assets.weights(ALIGN)?, face.vertices())?))),
        Err(AssetError::Missing { .. } | AssetError::NotEmbedded(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
