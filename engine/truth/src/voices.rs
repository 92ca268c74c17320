//! Sounds whose phonemes are known, and what a motion model's lips do to them.
//!
//! A clip is NAME.json, as train/speech/clips.py writes it, beside NAME.flac or NAME.opus.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use vultus::audio::{RATE, Resampler};
use vultus::drive::Drive;
use vultus::emotion::Mood;
use vultus::motion::MotionSource;
use vultus_native::assets::read_file;
use vultus_native::audio::AudioReader;

use crate::speech::Span;

/// Longest JSON of a clip that is read, bytes, and longest sound, seconds.
const ABOUT_BYTES: u64 = 1 << 20;
const SECONDS: usize = 300;
const SOUNDS: [&str; 2] = ["flac", "opus"];

/// A clip.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Where it is from: a collection, a synthesiser, or a kind of sound that nobody speaks in.
    pub source: String,
    /// Who speaks.
    pub speaker: String,
    /// m, b, p.
    pub closures: Vec<Span>,
    /// Where nobody speaks.
    pub pauses: Vec<Span>,
    /// How open the phonemes ask the mouth to be, one value a frame of 40 ms.
    pub openness: Vec<f32>,
    /// Mono, [`RATE`] a second.
    pub samples: Vec<f32>,
}

#[derive(Deserialize)]
struct About {
    engine: String,
    voice: String,
    closures: Vec<(f64, f64, String)>,
    pauses: Vec<Span>,
    openness: Vec<f32>,
}

/// Every clip in a folder, by name.
///
/// # Errors
/// One sentence that names the file: there is none, one cannot be read, is longer than five minutes, a time is not within the clip, …
pub fn voices(folder: &Path) -> Result<Vec<Voice>> {
    let list = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files = list.map(|e| Ok(e?.path())).collect::<Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    ensure!(
        !files.is_empty(),
        "{}: there is no JSON file of a clip in it; make clips with train/speech/clips.py",
        folder.display()
    );
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Result<Voice> {
    let say = |what: String| format!("{}: {what}", file.display());
    let bytes = read_file(file, ABOUT_BYTES)?;
    let about: About =
        serde_json::from_slice(&bytes).with_context(|| say("is not what train/speech/clips.py writes".into()))?;
    let sound = SOUNDS.map(|ending| file.with_extension(ending)).into_iter().find(|sound| sound.is_file());
    let sound = sound.ok_or_else(|| anyhow!(say("no .flac or .opus of the same name lies beside it".into())))?;
    let samples = samples(&sound)?;
    let seconds = samples.len() as f64 / RATE as f64;
    let closures: Vec<Span> = about.closures.iter().map(|(start, end, _)| [*start, *end]).collect();
    for [start, end] in closures.iter().chain(&about.pauses) {
        // A sound may lack the last part of a frame.
        let within = (0.0..=*end).contains(start) && *end <= seconds + 0.1;
        ensure!(within, say(format!("{start} … {end} s is not within the clip of {seconds:.2} s")));
    }
    Ok(Voice {
        source: about.engine,
        speaker: about.voice,
        closures,
        pauses: about.pauses,
        openness: about.openness,
        samples,
    })
}

fn samples(file: &Path) -> Result<Vec<f32>> {
    let mut reader = AudioReader::open(file)?;
    let mut resampler = Resampler::new(reader.info().rate, RATE, 1)?;
    let mut samples = Vec::new();
    while let Some(block) = reader.next_block()? {
        resampler.push(block.mono, |s| samples.extend_from_slice(s));
        ensure!(samples.len() <= SECONDS * RATE, "{}: is longer than {SECONDS} s; cut it", file.display());
    }
    resampler.finish(|s| samples.extend_from_slice(s));
    Ok(samples)
}

/// What the model does while it hears `samples` in a mood, one frame each 40 ms.
///
/// # Errors
/// The GPU was lost.
pub fn drives(model: &dyn MotionSource, mood: &Mood, samples: &[f32]) -> Result<Vec<Drive>> {
    let (mut stream, mut drives) = (model.open(mood, 1)?, Vec::new());
    stream.hear(samples, &mut |frame| drives.push(frame.drive))?;
    stream.finish(&mut |frame| drives.push(frame.drive))?;
    Ok(drives)
}
