//! `vultus avatars`: who can speak.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use vultus_native::assets::{Assets, DEFAULT_AVATAR};

pub(crate) fn run(weights: Option<&Path>) -> Result<()> {
    let assets = Assets::locate(weights)?;
    let mut out = std::io::stdout().lock();
    let names = assets.avatars()?;
    let width = names.iter().map(String::len).max().unwrap_or(0);
    for name in &names {
        let avatar = assets.avatar(name)?;
        let note = if name == DEFAULT_AVATAR { " (default)" } else { "" };
        let (side, title, licence) = (avatar.portrait.side, &avatar.title, &avatar.licence);
        writeln!(out, "{name:width$}  {title}{note}, {side}×{side}, {licence}")?;
    }
    if names.is_empty() {
        writeln!(out, "no avatars found; give a folder that has avatars/NAME.avatar by --weights")?;
    }
    Ok(())
}
