//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use vultus::compute::Backend;
use vultus::motion::LOOK_AHEAD_MAX;

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold());

/// Speech in, a living, emotional face out.
#[derive(Debug, Parser)]
#[command(name = "vultus", version, styles = STYLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Folder with weights, avatars and their manifest, instead of the built-in ones (also: $VULTUS_WEIGHTS).
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) weights: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a film (MP4) of an avatar that says what is in a sound file.
    Render(Render),
    /// Write the face's coefficients for a sound file, frame by frame, as JSON or CSV.
    Coeffs(Coeffs),
    /// List the avatars.
    Avatars,
    /// Say what this machine and this installation can do, and what is missing.
    Doctor,
}

/// What both ways of using the motion model take.
#[derive(Debug, Args)]
pub(crate) struct Speech {
    /// WAV, FLAC, MP3 or OGG Vorbis file with speech; the built-in sample when left out.
    pub(crate) audio: Option<PathBuf>,
    /// Emotion: neutral, angry, contempt, disgusted, fear, happy, sad or surprised.
    #[arg(long, value_name = "NAME", default_value = "neutral")]
    pub(crate) emotion: String,
    /// How strong the emotion is, from 1 to 3.
    #[arg(long, value_name = "1..3", default_value_t = 1.0, allow_hyphen_values = true, value_parser = intensity)]
    pub(crate) intensity: f32,
    /// Seed of head motion, blinks and gaze: the same seed gives the same pictures.
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true, value_parser = seed)]
    pub(crate) seed: u64,
    /// Frames of 40 ms that the model hears ahead of the one it decides, from 0 to 5.
    #[arg(long, value_name = "0..5", default_value_t = 2, allow_hyphen_values = true, value_parser = lookahead)]
    pub(crate) lookahead: usize,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// Write a report about the run to this JSON file.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) speech: Speech,
    /// The film to write; an existing file is replaced when the new one is complete.
    #[arg(short, long, value_name = "OUT.mp4")]
    pub(crate) output: PathBuf,
    /// Name of an avatar (see `vultus avatars`) or an .avatar file.
    #[arg(long, value_name = "NAME|FILE", default_value = vultus::assets::DEFAULT_AVATAR)]
    pub(crate) avatar: String,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    pub(crate) size: Size,
    /// Frames a second.
    #[arg(long, value_enum, default_value = "25")]
    pub(crate) fps: FrameRate,
}

#[derive(Debug, Args)]
pub(crate) struct Coeffs {
    #[command(flatten)]
    pub(crate) speech: Speech,
    /// The file to write; its ending, .json or .csv, says which format.
    #[arg(short, long, value_name = "OUT.json|OUT.csv")]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Size {
    #[value(name = "256")]
    Small = 256,
    #[value(name = "512")]
    Large = 512,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FrameRate {
    #[value(name = "25")]
    Hz25 = 25,
    #[value(name = "30")]
    Hz30 = 30,
    #[value(name = "50")]
    Hz50 = 50,
    #[value(name = "60")]
    Hz60 = 60,
}

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

// What the standard library says of a number that is none ("invalid digit found in string") helps nobody.

fn intensity(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| "give a number from 1 (natural) to 3 (strongest)".into())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn lookahead(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("give a whole number of frames from 0 to {LOOK_AHEAD_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
        assert!(vultus::pipeline::FRAME_RATES.iter().all(|rate| FrameRate::from_str(&rate.to_string(), false).is_ok()));
    }

    #[test]
    fn numbers_that_are_none_say_what_is_possible() {
        for (option, value, advice) in [
            ("--lookahead", "-1", "give a whole number of frames from 0 to 5"),
            ("--lookahead", "2.5", "give a whole number of frames from 0 to 5"),
            ("--seed", "-1", "give a whole number from 0 to 18446744073709551615"),
            ("--intensity", "strong", "give a number from 1 (natural) to 3 (strongest)"),
        ] {
            let error = Arguments::try_parse_from(["vultus", "coeffs", "-o", "out.json", option, value]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(advice) && text.contains(&format!("invalid value '{value}'")), "{text}");
        }
    }
}
