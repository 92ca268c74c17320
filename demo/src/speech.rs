//! Options of speech that is read from a file and turned into coefficients.

use std::path::PathBuf;

use anyhow::{Error, Result};
use clap::Args;
use vultus::emotion::{self, Blend};
use vultus_native::names;
use vultus_native::registry::MOTION;

use crate::options::{BackendName, check_look_ahead, intensity, lookahead, motions};

/// What both ways of using the motion model take.
#[derive(Debug, Args)]
pub(crate) struct Speech {
    /// A sound or film with speech in it (WAV, MP3, M4A, OGG, MP4, MOV, WebM and more); the built-in sample when left out.
    pub(crate) audio: Option<PathBuf>,
    /// Emotion: neutral, angry, contempt, disgusted, fear, happy, sad or surprised; or shares of several, '{"happy":0.7,"surprised":0.3}', where
    /// what is missing to 1 is neutral.
    #[arg(long, value_name = "NAME|SHARES", default_value = "neutral")]
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
    /// What moves the face.
    #[arg(long, value_parser = motions(), default_value = MOTION)]
    pub(crate) motion: String,
    /// Where networks and pictures are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// Write a report about the run to this JSON file.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,
}

impl Speech {
    /// What is felt and how strongly, with everything else checked.
    ///
    /// # Errors
    /// Something is out of range, or has no such name.
    pub(crate) fn feeling(&self) -> Result<(Blend, f32)> {
        let emotion = names::emotion(&self.emotion).map_err(Error::msg)?;
        let intensity = emotion::intensity(self.intensity)?;
        check_look_ahead(self.lookahead)?;
        Ok((emotion, intensity))
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}
