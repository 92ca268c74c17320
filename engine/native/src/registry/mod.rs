//! What there is to choose from by name: who draws, and what moves a face. Command line, server and doctor read one [`Registry`]; a program that is not
//! ours adds to it what is its own.

mod drawer;

use std::sync::Arc;

use thiserror::Error;
use vultus::avatar::AvatarFile;
use vultus::compute::{Compute, ComputeError};
use vultus::face::FaceModel;
use vultus::generator::{GeneratorError, OutputFormat, Prepared};
use vultus::motion::{MotionNetwork, MotionSource, Volume};
use vultus::weights::WeightError;

use crate::assets::{AssetError, Assets, EAC};
use crate::names;
use crate::notices::Notices;

pub use drawer::aligner;

/// Why what a name stands for cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
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
    /// It cannot draw what is asked for, or the device was lost.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// The device was lost.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// Who draws, with everything that was trained for it.
pub trait Drawer: Send + Sync {
    /// Works a person out, which may take a second.
    ///
    /// # Errors
    /// [`OpenError`].
    fn prepare(&self, avatar: AvatarFile) -> Result<Arc<dyn Prepared>, OpenError>;
}

/// What a drawer is opened with.
#[derive(Debug)]
pub struct Easel<'a> {
    /// Where its weights are.
    pub assets: &'a Assets,
    /// The face model.
    pub face: &'a Arc<FaceModel>,
    /// On what it computes.
    pub compute: &'a Compute,
    /// Side of its pictures, pixels.
    pub size: usize,
    /// How their bytes are laid out.
    pub format: OutputFormat,
    /// Who hears what the user should know.
    pub notices: &'a Notices,
}

/// A generator that can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct GeneratorEntry {
    /// As `--generator` takes it.
    pub name: &'static str,
    /// A line for whoever has to choose.
    pub about: &'static str,
    /// The weights that it cannot do without.
    pub files: &'static [&'static str],
    /// Opens it.
    pub open: fn(&Easel<'_>) -> Result<Box<dyn Drawer>, OpenError>,
}

/// Opens a motion model from these weights, on this device, for a look-ahead of so many frames of 40 ms (0 to [`vultus::motion::LOOK_AHEAD_MAX`]); who has
/// none takes no notice.
pub type OpenMotion = fn(&Assets, &Compute, usize) -> Result<Box<dyn MotionSource>, OpenError>;

/// A motion model that can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct MotionEntry {
    /// As `--motion` takes it.
    pub name: &'static str,
    /// A line for whoever has to choose.
    pub about: &'static str,
    /// The weights that it cannot do without.
    pub files: &'static [&'static str],
    /// Opens it.
    pub open: OpenMotion,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Registry {
    generators: Vec<GeneratorEntry>,
    motions: Vec<MotionEntry>,
}

impl Default for Registry {
    /// What ships.
    fn default() -> Self {
        Self { generators: drawer::ENTRIES.to_vec(), motions: MOTIONS.to_vec() }
    }
}

/// The motion model that is used where none is named.
pub const MOTION: &str = "eac";

const MOTIONS: [MotionEntry; 2] = [
    MotionEntry {
        name: MOTION,
        about: "The network: lips, and the emotion in the whole face",
        files: &[EAC],
        open: |assets, compute, look_ahead| {
            Ok(Box::new(MotionNetwork::load(compute, assets.weights(EAC)?, look_ahead)?))
        },
    },
    MotionEntry {
        name: "volume",
        about: "The jaw by loudness, without a network: to compare with, and for machines that have no time for one; knows no emotion",
        files: &[],
        open: |_, _, _| Ok(Box::new(Volume::default())),
    },
];

impl Registry {
    /// With one more generator; it takes the place of one of the same name.
    #[must_use]
    pub fn with_generator(mut self, entry: GeneratorEntry) -> Self {
        self.generators.retain(|it| it.name != entry.name);
        self.generators.push(entry);
        self
    }

    /// With one more motion model; it takes the place of one of the same name.
    #[must_use]
    pub fn with_motion(mut self, entry: MotionEntry) -> Self {
        self.motions.retain(|it| it.name != entry.name);
        self.motions.push(entry);
        self
    }

    /// The generators.
    pub fn generators(&self) -> &[GeneratorEntry] {
        &self.generators
    }

    /// The motion models.
    pub fn motions(&self) -> &[MotionEntry] {
        &self.motions
    }

    /// The generator of this name.
    ///
    /// # Errors
    /// There is none; the sentence names those that are close.
    pub fn generator(&self, name: &str) -> Result<&GeneratorEntry, String> {
        let known: Vec<&str> = self.generators.iter().map(|it| it.name).collect();
        let found = self.generators.iter().find(|it| it.name == name);
        found.ok_or_else(|| names::unknown("generator", name, &known, ""))
    }

    /// The motion model of this name.
    ///
    /// # Errors
    /// There is none; the sentence names those that are close.
    pub fn motion(&self, name: &str) -> Result<&MotionEntry, String> {
        let known: Vec<&str> = self.motions.iter().map(|it| it.name).collect();
        let found = self.motions.iter().find(|it| it.name == name);
        found.ok_or_else(|| names::unknown("motion model", name, &known, ""))
    }
}

/// The generator that a render uses where none is named.
pub const GENERATOR: &str = "nano";

/// What a live server uses where nothing is said: the network leaves too little of two cores to a browser beside it (22 frames a second).
pub fn live_generator() -> &'static str {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if threads >= 4 { GENERATOR } else { "warp" }
}

/// Whether weights that can be done without are there.
fn is_there(assets: &Assets, file: &str) -> Result<bool, AssetError> {
    match assets.find(file) {
        Ok(_) => Ok(true),
        Err(AssetError::Missing { .. } | AssetError::NotEmbedded(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_found_and_takes_the_place_of_its_name() {
        let mine = MotionEntry { about: "mine", ..MOTIONS[1] };
        let registry = Registry::default().with_motion(mine).with_motion(MotionEntry { name: "other", ..mine });
        assert_eq!(registry.motion("volume").unwrap().about, "mine");
        assert_eq!(registry.motions().len(), MOTIONS.len() + 1);
        let sentence = registry.motion("volum").unwrap_err();
        assert!(sentence.contains("did you mean volume?"), "{sentence}");
        assert!(registry.generator("nano").is_ok() && registry.generator("Nano").is_err());
    }
}
