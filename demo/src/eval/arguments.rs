//! What `vultus eval` can be asked for.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use vultus_native::registry::MOTION;

use crate::options::motions;

#[derive(Debug, Args)]
pub(crate) struct Eval {
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Compare the ways to draw a face with true pictures of held-out people: PSNR, SSIM, landmarks' distance and flicker of face, mouth and eyes.
    Generator(GeneratorEval),
    /// Measure how well lips keep to held-out voices whose phonemes are known: closures at m, b and p, delay, opening, and what they do where nobody speaks.
    Speech(SpeechEval),
}

#[derive(Debug, Args)]
pub(super) struct SpeechEval {
    /// Write all figures to this JSON file.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Folder of clips, each as train/speech/clips.py writes it; else benches/data/speech, looked for above the current folder, the weights and the program.
    #[arg(long, value_name = "DIR")]
    pub(super) voices: Option<PathBuf>,
    /// What moves the face.
    #[arg(long, value_parser = motions(), default_value = MOTION)]
    pub(super) motion: String,
}

#[derive(Debug, Args)]
pub(super) struct GeneratorEval {
    /// Write all figures to this JSON file.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Draw a person of the gallery to this PNG file, two cases a line; each is: portrait, lit mesh, flow (direction as hue, full colour at 10 pixels),
    /// geometric generator, nano, truth.
    #[arg(long, value_name = "FILE.png")]
    pub(super) sheet: Option<PathBuf>,
    /// Folder of people, each as train/crowd writes them; else benches/data/held, looked for above the current folder, the weights and the program.
    #[arg(long, value_name = "DIR")]
    pub(super) truth: Option<PathBuf>,
    /// Folder whose first person is drawn on the sheet; else benches/data/gallery.
    #[arg(long, value_name = "DIR", requires = "sheet")]
    pub(super) gallery: Option<PathBuf>,
    /// How well the portraits are fitted.
    #[arg(long, value_enum, default_value_t = Fits::Noisy)]
    pub(super) fits: Fits,
}

/// How well the portraits are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Fits {
    /// Three times each, as landmarks that are 2 to 4 pixels off would have it.
    Noisy,
    /// As they were made.
    Exact,
}

impl Fits {
    /// Fits of each portrait.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Noisy => 3,
            Self::Exact => 1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Noisy => "noisy",
            Self::Exact => "exact",
        }
    }
}
