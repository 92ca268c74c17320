//! From arguments to the parts of the engine that both `render` and `coeffs` need.

use std::path::Path;

use anyhow::{Result, bail};
use vultus::assets::{Assets, SAMPLE};
use vultus::audio::AudioReader;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::motion::{LOOK_AHEAD_MAX, MotionModel, MotionSettings};
use vultus::pipeline::SpeechToMotion;

use crate::args::Speech;
use crate::errors;
use crate::files::{self, Files};
use crate::graphics::Graphics;

/// Weights of the face model, and of the motion network.
pub(crate) const FACE: &str = "face.safetensors";
pub(crate) const EAC: &str = "eac.safetensors";

/// Everything that turns speech into coefficients.
pub(crate) struct Parts {
    pub(crate) assets: Assets,
    pub(crate) compute: Compute,
    pub(crate) face: FaceModel,
    pub(crate) reader: AudioReader,
    pub(crate) speech: SpeechToMotion,
    /// Shown name of the sound.
    pub(crate) audio: String,
}

/// Checks what the user gave, cheapest first, and opens everything. `avatar` is a name or a file.
pub(crate) fn open(
    weights: Option<&Path>,
    arguments: &Speech,
    avatar: Option<&str>,
    output: &Path,
    fps: u32,
) -> Result<Parts> {
    let settings = settings(arguments)?;
    let assets = Assets::locate(weights)?;
    let mut files = Files::of(&assets);
    if let Some(audio) = &arguments.audio {
        files::check_sound(audio)?;
        files = files.reads("the sound to read", audio);
    }
    if let Some(avatar) = avatar.map(Path::new) {
        files = files.reads("the avatar", avatar);
    }
    files.writes("--output", Some(output)).writes("--report", arguments.report.as_deref()).check()?;
    let graphics = Graphics::ask(arguments.backend.into())?;
    let (audio, reader) = match &arguments.audio {
        Some(path) => (path.display().to_string(), AudioReader::open(path)?),
        None => (format!("{SAMPLE} (built in)"), AudioReader::from_bytes(SAMPLE, assets.read(SAMPLE)?)?),
    };
    let face = FaceModel::read(assets.weights(FACE)?)?;
    let compute = graphics.open()?;
    let motion = MotionModel::new(&compute, assets.weights(EAC)?, settings)?;
    let speech = SpeechToMotion::new(reader.info().rate, motion, fps)?;
    Ok(Parts { assets, compute, face, reader, speech, audio })
}

fn settings(arguments: &Speech) -> Result<MotionSettings> {
    let emotion = errors::emotion(&arguments.emotion)?;
    check_intensity(arguments.intensity)?;
    check_look_ahead(arguments.lookahead)?;
    Ok(MotionSettings {
        look_ahead: arguments.lookahead,
        emotion,
        intensity: arguments.intensity,
        seed: arguments.seed,
    })
}

pub(crate) fn check_intensity(intensity: f32) -> Result<()> {
    if !(1.0..=3.0).contains(&intensity) {
        bail!("an intensity of {intensity} is out of range; give one from 1 (natural) to 3 (strongest)");
    }
    Ok(())
}

pub(crate) fn check_look_ahead(frames: usize) -> Result<()> {
    if frames > LOOK_AHEAD_MAX {
        bail!("a look-ahead of {frames} frames is out of range; give one from 0 to {LOOK_AHEAD_MAX}");
    }
    Ok(())
}
