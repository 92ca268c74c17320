//! The hidden command that tries graphics drivers for the process that started this one ([`vultus_native::graphics`]).

use anyhow::Result;
use vultus_native::graphics::{TrialCommand, try_drivers};

/// Its name.
pub(crate) const COMMAND: &str = "try-graphics";

/// How to start it.
pub(crate) fn trial() -> TrialCommand {
    TrialCommand::own(COMMAND)
}

pub(crate) fn run(software: bool) -> Result<()> {
    Ok(try_drivers(software)?)
}
