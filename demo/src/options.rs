//! Options that several commands have.

use std::path::Path;

use anyhow::{Error, Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use vultus::generator::Background;
use vultus::motion::LOOK_AHEAD_MAX;
use vultus_native::backdrop;
use vultus_native::compute::Backend;
use vultus_native::registry::Registry;

/// Width and height of pictures.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Size {
    #[value(name = "256")]
    Small = 256,
    #[value(name = "512")]
    Large = 512,
}

/// What is behind the face.
#[derive(Debug, Args)]
pub(crate) struct Behind {
    /// What is behind the face: the portrait's own background, that one out of focus, one colour, or the middle of a picture (PNG, JPEG).
    #[arg(long, value_name = "portrait|blur|#RRGGBB|FILE", default_value = "portrait")]
    background: String,
}

impl Behind {
    /// The background, with its picture if it is one.
    pub(crate) fn background(&self) -> Result<Background> {
        backdrop::background_or_file(&self.background).map_err(Error::msg)
    }

    /// As if it were a file; most are none.
    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.background)
    }
}

/// Where networks and pictures are computed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BackendName {
    /// A hardware GPU if there is one, else the CPU (also: $VULTUS_BACKEND).
    Auto,
    /// A GPU, be it a software one.
    Gpu,
    /// The CPU.
    Cpu,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Auto => Self::Auto,
            BackendName::Gpu => Self::Gpu,
            BackendName::Cpu => Self::Cpu,
        }
    }
}

/// The generators, for `value_parser`.
pub(crate) fn generators() -> PossibleValuesParser {
    let registry = Registry::default();
    registry.generators().iter().map(|it| PossibleValue::new(it.name).help(it.about)).into()
}

/// The motion models, for `value_parser`.
pub(crate) fn motions() -> PossibleValuesParser {
    let registry = Registry::default();
    registry.motions().iter().map(|it| PossibleValue::new(it.name).help(it.about)).into()
}

// What the standard library says of a number that is none ("invalid digit found in string") helps nobody.

pub(crate) fn intensity(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| "give a number from 1 (natural) to 3 (strongest)".into())
}

pub(crate) fn lookahead(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("give a whole number of frames from 0 to {LOOK_AHEAD_MAX}"))
}

pub(crate) fn check_look_ahead(frames: usize) -> Result<()> {
    if frames > LOOK_AHEAD_MAX {
        bail!("a look-ahead of {frames} frames is out of range; give one from 0 to {LOOK_AHEAD_MAX}");
    }
    Ok(())
}
