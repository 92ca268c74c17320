//! `vultus avatar info`: what an .avatar file holds.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use vultus::avatar::{AvatarFile, Framing};
use vultus::face::ARKIT;
use vultus_native::assets::{AVATAR_BYTES, read_file};

#[derive(Debug, Args)]
pub(crate) struct Avatar {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say who is shown in an .avatar file, how large, and how it was made.
    Info {
        /// The file.
        file: PathBuf,
    },
}

/// Expressions of a portrait that are told, and from which value on.
const SHOWN: usize = 4;
const LEAST: f32 = 0.1;

pub(crate) fn run(arguments: &Avatar) -> Result<()> {
    let What::Info { file } = &arguments.what;
    let bytes = read_file(file, AVATAR_BYTES)?;
    let length = bytes.len();
    let avatar = AvatarFile::parse(&file.display().to_string(), bytes)?;
    let mut out = io::stdout().lock();
    for (name, value) in lines(&avatar, length) {
        writeln!(out, "{name:<11} {value}")?;
    }
    Ok(())
}

fn lines(avatar: &AvatarFile, length: usize) -> Vec<(&'static str, String)> {
    let origin = &avatar.origin;
    let side = avatar.portrait.side;
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let [pitch, yaw, roll] = [0, 1, 2].map(|k| avatar.pose[k].to_degrees());
    let person = avatar.matte.alpha.iter().map(|v| f64::from(*v)).sum::<f64>() / 255.0 / (side * side) as f64;
    let mut shown: Vec<(&str, f32)> = ARKIT.into_iter().zip(avatar.beta).filter(|(_, v)| *v >= LEAST).collect();
    shown.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown: Vec<String> = shown.iter().take(SHOWN).map(|(name, value)| format!("{name} {value:.2}")).collect();
    let mut lines = vec![
        ("name", avatar.name.clone()),
        ("title", avatar.title.clone()),
        ("licence", avatar.licence.clone()),
        ("consent", if origin.consent { "yes, said whoever made it" } else { "not stated" }.into()),
        ("made by", or(&origin.made_by, "not stated")),
        ("file", format!("version 1, {length} bytes")),
        ("portrait", format!("{side}×{side} pixels, {:.0} % of them person", 100.0 * person)),
        ("head", format!("pitch {pitch:+.0}°, yaw {yaw:+.0}°, roll {roll:+.0}°")),
        ("expression", if shown.is_empty() { "none".into() } else { shown.join(", ") }),
        (
            "fit",
            if origin.mesh_fit { "to the tracker's mesh" } else { "to landmarks, corrected when it is used" }.into(),
        ),
    ];
    if let Some(Framing { left, top, side, turns }) = origin.framing {
        let turned =
            if turns > 0 { format!(", turned by {}° clockwise", 90 * u32::from(turns)) } else { String::new() };
        lines.push(("cut out at", format!("{left},{top},{side} of the photo{turned}")));
    }
    lines
}
