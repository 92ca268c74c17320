//! From arguments to the parts of the engine that both `render` and `coeffs` need.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use vultus::assets::{Assets, SAMPLE};
use vultus::audio::AudioReader;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::media::{AtomicFile, MediaError};
use vultus::motion::{LOOK_AHEAD_MAX, MotionModel, MotionSettings};
use vultus::pipeline::SpeechToMotion;

use crate::args::Speech;
use crate::errors;

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

/// Checks what the user gave, cheapest first, and opens everything.
pub(crate) fn open(weights: Option<&Path>, arguments: &Speech, output: &Path, fps: u32) -> Result<Parts> {
    let settings = settings(arguments)?;
    check_output(output, arguments.audio.as_deref())?;
    if let Some(report) = &arguments.report {
        check_output(report, arguments.audio.as_deref())?;
        if place(report) == place(output) {
            bail!("--report and --output both name {}; give the report another name", report.display());
        }
    }
    let assets = Assets::locate(weights)?;
    let (audio, reader) = match &arguments.audio {
        Some(path) => (path.display().to_string(), AudioReader::open(path)?),
        None => (format!("{SAMPLE} (built in)"), AudioReader::from_bytes(SAMPLE, assets.read(SAMPLE)?)?),
    };
    let compute = Compute::open(arguments.backend.into())?;
    let face = FaceModel::read(assets.weights(FACE)?)?;
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

/// The same for every spelling of a path to the same file, be it there or not.
pub(crate) fn place(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    path.canonicalize()
        .or_else(|_| Ok::<_, io::Error>(folder.canonicalize()?.join(path.file_name().unwrap_or_default())))
        .ok()
}

/// Finds out before the work, not after it, that the result could not be written.
pub(crate) fn check_output(output: &Path, audio: Option<&Path>) -> Result<()> {
    let shown = output.display();
    if output.is_dir() || output.file_name().is_none() {
        bail!("{shown} is a folder; give a file name in it");
    }
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        bail!("cannot write {shown}: the folder {} does not exist; create it first", folder.display());
    }
    let same = |audio: &Path| Some(audio.canonicalize().ok()? == output.canonicalize().ok()?);
    if audio.and_then(same) == Some(true) {
        bail!("{shown} is also the sound to read; give another name for the output");
    }
    // Everything else that the system may have against it, it says when asked; the file disappears again at once.
    AtomicFile::create(output).map(drop).map_err(|cause| MediaError::Write { file: shown.to_string(), cause })?;
    Ok(())
}
