//! From arguments to the parts of the engine that both `render` and `coeffs` need.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Error, Result};
use vultus::compute::Compute;
use vultus::emotion::Blend;
use vultus::face::FaceModel;
use vultus::pipeline::SpeechToMotion;
use vultus_native::assets::{Assets, FACE, SAMPLE};
use vultus_native::audio::{AudioReader, check_sound};
use vultus_native::compute::clock;
use vultus_native::graphics::Graphics;
use vultus_native::registry::Registry;

use crate::console;
use crate::files::Files;
use crate::graphics::trial;
use crate::speech::Speech;

/// Everything that turns speech into coefficients.
pub(crate) struct Parts {
    pub(crate) assets: Assets,
    pub(crate) compute: Compute,
    pub(crate) face: Arc<FaceModel>,
    pub(crate) reader: AudioReader,
    pub(crate) speech: SpeechToMotion,
    /// Shown name of the sound.
    pub(crate) audio: String,
    pub(crate) emotion: Blend,
}

/// Checks what the user gave, cheapest first, and opens everything. `reads` are further inputs: what they are, and names that may be files.
pub(crate) fn open(
    weights: Option<&Path>,
    arguments: &Speech,
    reads: &[(&str, &Path)],
    output: &Path,
    fps: u32,
) -> Result<Parts> {
    let (emotion, intensity) = arguments.feeling()?;
    let assets = Assets::locate(weights)?;
    let mut files = Files::of(&assets);
    if let Some(audio) = &arguments.audio {
        check_sound(audio)?;
        files = files.reads("the sound to read", audio);
    }
    for (what, path) in reads {
        files = files.reads(what, path);
    }
    files.writes("--output", Some(output)).writes("--report", arguments.report.as_deref()).check()?;
    let graphics = Graphics::ask(arguments.backend.into(), Some(&trial()))?;
    let (audio, reader) = match &arguments.audio {
        Some(path) => (path.display().to_string(), AudioReader::open(path)?),
        None => (format!("{SAMPLE} (built in)"), AudioReader::from_bytes(SAMPLE, assets.read(SAMPLE)?)?),
    };
    let face = Arc::new(FaceModel::read(assets.weights(FACE)?)?);
    let compute = graphics.open(&console::notices())?;
    let registry = Registry::default();
    let entry = registry.motion(&arguments.motion).map_err(Error::msg)?;
    let source = (entry.open)(&assets, &compute, arguments.lookahead)?;
    let motion = source.open(&source.emotions().mood(emotion, intensity)?, arguments.seed)?;
    let speech = SpeechToMotion::new(reader.info().rate, motion, fps)?.timed_by(clock());
    Ok(Parts { assets, compute, face, reader, speech, audio, emotion })
}
