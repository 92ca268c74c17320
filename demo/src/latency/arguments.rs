//! What `vultus latency` can be asked for.

use std::path::PathBuf;

use clap::Args;
use vultus_native::assets::DEFAULT_AVATAR;
use vultus_native::registry::live_generator;

use crate::options::{BackendName, Size, generators, lookahead};

#[derive(Debug, Args)]
pub(crate) struct Latency {
    /// How long to measure, in seconds; connecting, warming up and interrupts come on top.
    #[arg(long, value_name = "8..3600", default_value_t = 60, allow_hyphen_values = true, value_parser = seconds)]
    pub(super) seconds: u32,
    /// Name of an avatar (see `vultus avatars`).
    #[arg(long, value_name = "NAME", default_value = DEFAULT_AVATAR)]
    pub(super) avatar: String,
    /// Width and height in pixels.
    #[arg(long, value_enum, default_value = "512")]
    pub(super) size: Size,
    /// Who draws the pictures; where nothing is said as `serve` would.
    #[arg(long, value_parser = generators(), default_value = live_generator())]
    pub(super) generator: String,
    /// Frames of 40 ms that the model hears ahead of the one it decides, from 0 to 5.
    #[arg(long, value_name = "0..5", default_value_t = 2, allow_hyphen_values = true, value_parser = lookahead)]
    pub(super) lookahead: usize,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(super) backend: BackendName,
    /// How often to interrupt queued speech and see how soon there is silence, from 0 to 20.
    #[arg(long, value_name = "N", default_value_t = 3, allow_hyphen_values = true, value_parser = interrupts)]
    pub(super) interrupts: u32,
    /// Lose so many of a hundred datagrams, in both directions, as a bad network does.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, allow_hyphen_values = true, value_parser = loss)]
    pub(super) simulate_loss: f32,
    /// The browser to use, a Chromium; else the one on PATH.
    #[arg(long, value_name = "PATH")]
    pub(super) browser: Option<PathBuf>,
    /// Write all figures to this JSON file.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().filter(|seconds| (8..=3600).contains(seconds));
    known.ok_or_else(|| "give a whole number of seconds from 8 to 3600".into())
}

fn interrupts(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|count| *count <= 20).ok_or_else(|| "give a whole number from 0 to 20".into())
}

fn loss(text: &str) -> Result<f32, String> {
    let known = text.parse().ok().filter(|percent| (0.0..=90.0).contains(percent));
    known.ok_or_else(|| "give a share of a hundred, from 0 to 90".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Alone {
        #[command(flatten)]
        _latency: Latency,
    }

    #[test]
    fn sensible_numbers_only() {
        for (option, value, advice) in [
            ("--seconds", "0", "from 8 to 3600"),
            ("--seconds", "soon", "from 8 to 3600"),
            ("--interrupts", "-1", "from 0 to 20"),
            ("--simulate-loss", "NaN", "from 0 to 90"),
            ("--simulate-loss", "100", "from 0 to 90"),
        ] {
            let text = Alone::try_parse_from(["latency", option, value]).unwrap_err().to_string();
            assert!(text.contains(advice), "{option} {value}: {text}");
        }
    }
}
