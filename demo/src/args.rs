//! The command line: each command defines what it can be asked for, and here it is put together.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::avatar::Avatar;
use crate::coeffs::Coeffs;
use crate::enrol::Enrol;
use crate::eval::Eval;
use crate::graphics;
use crate::latency::Latency;
use crate::render::Render;
use crate::serve::Serve;
use crate::track::Track;

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
    /// Serve a page on which your voice drives a face, live; also WHEP, WHIP and a WebSocket for text-to-speech.
    Serve(Serve),
    /// Make a film (MP4) of an avatar that says what is in a sound file.
    Render(Render),
    /// Make an avatar of a photo, which speaks at once: `vultus render speech.wav --avatar me.avatar -o film.mp4`.
    Enrol(Enrol),
    /// Write the face's coefficients for a sound file, frame by frame, as JSON or CSV.
    Coeffs(Coeffs),
    /// Follow the face in a film (MP4, MOV) and write what it does, in the same form.
    Track(Track),
    /// Measure in a browser (Chromium) how long a sound takes from the microphone to the lips on the screen.
    Latency(Latency),
    /// Compare what is drawn with true pictures of people whose geometry is known.
    Eval(Eval),
    /// List the avatars.
    Avatars,
    /// Look into an .avatar file.
    Avatar(Avatar),
    /// Say what this machine and this installation can do, and what is missing.
    Doctor,
    /// Tries graphics drivers for the process that started this one.
    #[command(name = graphics::COMMAND, hide = true)]
    TryGraphics {
        #[arg(long)]
        software: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
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
