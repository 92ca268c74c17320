//! `vultus eval speech`: how well lips keep to the speech of voices that no network was trained on. [`vultus_truth::speech`] defines the figures.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, ensure};
use serde::Serialize;
use vultus::audio::RATE;
use vultus::compute::Compute;
use vultus::emotion::{Emotion, Mood};
use vultus::face::FaceModel;
use vultus::motion::MotionSource;
use vultus_native::assets::{Assets, FACE};
use vultus_native::registry::Registry;
use vultus_truth::noise;
use vultus_truth::speech::{Closures, aperture, closures, correlation, interval, offset_ms};
use vultus_truth::voices::{Voice, drives, voices};

use super::arguments::SpeechEval;
use super::people::place;
use super::workers::each;
use super::write;
use crate::cancel::{self, stop_if};
use crate::files::Files;

/// Look-aheads that are measured; the second one is the program's own.
const LOOK_AHEADS: [usize; 3] = [0, 2, 5];
const OWN: usize = 2;
/// Root mean square of the noise that is heard alone, and how far below the speech it lies otherwise.
const NOISE_DB: f32 = -30.0;
const SNR_DB: f32 = 10.0;
const STILL_SECONDS: usize = 10;

/// Of one source at one look-ahead.
#[derive(Clone, Debug, Serialize)]
struct Row {
    look_ahead: usize,
    precision: f64,
    recall: f64,
    f1: f64,
    /// 95 %, by drawing speakers.
    interval: [f64; 2],
    offset_ms: Option<f64>,
    /// Of gap and openness.
    correlation: Option<f64>,
}

/// Of one source.
#[derive(Debug, Serialize)]
struct Source {
    closures: usize,
    speakers: usize,
    seconds: f64,
    by_look_ahead: Vec<Row>,
    /// The same in white noise 10 dB below the speech.
    noisy: Row,
    /// Mean gap deep in long pauses.
    pauses: Option<f64>,
}

/// Everything that was found out.
#[derive(Debug, Serialize)]
struct Report {
    sources: BTreeMap<String, Source>,
    /// Mean gap where nobody speaks.
    still: BTreeMap<String, f64>,
}

/// What a clip is heard as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Clean(usize),
    Noisy,
}

pub(super) fn run(weights: Option<&Path>, arguments: &SpeechEval) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let assets = Assets::locate(weights)?;
    let folder: PathBuf = place(arguments.voices.as_deref(), "speech", "--voices", weights)?;
    Files::of(&assets).reads_folder(&folder).writes("--json", arguments.json.as_deref()).check()?;
    let face = FaceModel::read(assets.weights(FACE)?)?;
    let registry = Registry::default();
    let entry = registry.motion(&arguments.motion).map_err(Error::msg)?;
    let models: Vec<Box<dyn MotionSource>> =
        LOOK_AHEADS.iter().map(|ahead| Ok((entry.open)(&assets, &Compute::Cpu, *ahead)?)).collect::<Result<_>>()?;
    let mood = models[0].emotions().mood(Emotion::Neutral, 1.0)?;
    let mut clips = voices(&folder)?;
    clips.extend(still());
    let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (k, clip) in clips.iter().enumerate() {
        by_source.entry(&clip.source).or_default().push(k);
    }
    let speaks = |mine: &[usize]| mine.iter().any(|k| !clips[*k].closures.is_empty());
    let (by_source, quiet): (BTreeMap<_, _>, BTreeMap<_, _>) =
        by_source.into_iter().partition(|(_, mine)| speaks(mine));
    ensure!(!by_source.is_empty(), "{}: in none of its clips is an m, b or p spoken", folder.display());
    let own = Heard::Clean(LOOK_AHEADS.iter().position(|ahead| *ahead == OWN).expect("it is one of them"));
    let ways = || (0..LOOK_AHEADS.len()).map(Heard::Clean).chain([Heard::Noisy]);
    let spoken = by_source.values().flatten().flat_map(|clip| ways().map(|heard| (*clip, heard)));
    let jobs: Vec<(usize, Heard)> = spoken.chain(quiet.values().flatten().map(|clip| (*clip, own))).collect();
    let made = each(&jobs, |(clip, heard)| {
        stop_if(&cancel)?;
        gaps(&models, &face, &mood, &clips[*clip], *heard)
    })?;
    let gaps = |heard: Heard, clip: usize| -> &[f32] {
        &made[jobs.iter().position(|job| *job == (clip, heard)).expect("it was heard so")]
    };

    let report = Report {
        sources: by_source
            .into_iter()
            .map(|(name, mine)| {
                let row = |heard| row(&clips, &mine, heard, |k| gaps(heard, k));
                let by_look_ahead: Vec<Row> = (0..LOOK_AHEADS.len()).map(|k| row(Heard::Clean(k))).collect();
                let counts = mine.iter().map(|k| closures(&[], &clips[*k].closures, &[]).wanted).sum();
                let still: Vec<f64> = mine.iter().filter_map(|k| aperture(gaps(own, *k), &clips[*k].pauses)).collect();
                let source = Source {
                    closures: counts,
                    speakers: by_speaker(&clips, &mine, |_| Closures::default()).len(),
                    seconds: mine.iter().map(|k| clips[*k].samples.len() as f64 / RATE as f64).sum(),
                    by_look_ahead,
                    noisy: row(Heard::Noisy),
                    pauses: (!still.is_empty()).then(|| still.iter().sum::<f64>() / still.len() as f64),
                };
                (name.to_owned(), source)
            })
            .collect(),
        still: quiet
            .into_iter()
            .map(|(name, mine)| (name.to_owned(), mean(mine.iter().flat_map(|k| gaps(own, *k)))))
            .collect(),
    };
    // The figures took minutes: whatever cannot be written, the rest is.
    let shown = write!(io::stdout(), "{report}");
    if let Some(path) = &arguments.json {
        let mut json = serde_json::to_vec_pretty(&report)?;
        json.push(b'\n');
        write(path, &json)?;
    }
    Ok(shown?)
}

fn gaps(
    models: &[Box<dyn MotionSource>],
    face: &FaceModel,
    mood: &Mood,
    clip: &Voice,
    heard: Heard,
) -> Result<Vec<f32>> {
    let frames = match heard {
        Heard::Clean(k) => drives(&*models[k], mood, &clip.samples)?,
        Heard::Noisy => {
            let own = LOOK_AHEADS.iter().position(|ahead| *ahead == OWN).expect("it is one of them");
            let level = clip.samples.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            let level = (level / clip.samples.len().max(1) as f64).sqrt() as f32;
            let mut samples = white(clip.samples.len(), level * 10f32.powf(-SNR_DB / 20.0), &clip.speaker);
            samples.iter_mut().zip(&clip.samples).for_each(|(sum, v)| *sum += v);
            drives(&*models[own], mood, &samples)?
        }
    };
    Ok(frames.iter().map(|drive| face.lip_gap(&drive.beta)).collect())
}

/// White noise of this root mean square, always the same.
fn white(len: usize, level: f32, name: &str) -> Vec<f32> {
    use rand::RngExt as _;
    let mut rng = noise(name, 0, 16);
    // A uniform variable of width w has a root mean square of w / √12.
    let half = level * 3f32.sqrt();
    (0..len).map(|_| half * rng.random_range(-1.0..=1.0f32)).collect()
}

/// Digital silence and noise, in which nobody speaks.
fn still() -> [Voice; 2] {
    let len = STILL_SECONDS * RATE;
    let clip = |source: &str, samples: Vec<f32>| Voice {
        source: source.into(),
        speaker: "nobody".into(),
        closures: Vec::new(),
        pauses: vec![[0.0, STILL_SECONDS as f64]],
        openness: Vec::new(),
        samples,
    };
    let hiss = white(len, 10f32.powf(NOISE_DB / 20.0), "hiss");
    [clip("silence", vec![0.0; len]), clip("white noise at −30 dBFS", hiss)]
}

fn row<'a>(clips: &[Voice], mine: &[usize], heard: Heard, gaps: impl Fn(usize) -> &'a [f32]) -> Row {
    let speakers = by_speaker(clips, mine, |k| closures(gaps(k), &clips[k].closures, &clips[k].pauses));
    let mut sum = Closures::default();
    speakers.iter().for_each(|counts| sum += *counts);
    let (mut shown, mut wanted) = (Vec::new(), Vec::new());
    for k in mine {
        let n = gaps(*k).len().min(clips[*k].openness.len());
        shown.extend_from_slice(&gaps(*k)[..n]);
        wanted.extend_from_slice(&clips[*k].openness[..n]);
    }
    Row {
        look_ahead: if let Heard::Clean(k) = heard { LOOK_AHEADS[k] } else { OWN },
        precision: sum.precision(),
        recall: sum.recall(),
        f1: sum.f1(),
        interval: interval(&speakers),
        offset_ms: offset_ms(&shown, &wanted),
        correlation: correlation(&shown, &wanted),
    }
}

/// The sums of every speaker's clips.
fn by_speaker(clips: &[Voice], mine: &[usize], counts: impl Fn(usize) -> Closures) -> Vec<Closures> {
    let mut sums: BTreeMap<&str, Closures> = BTreeMap::new();
    for k in mine {
        *sums.entry(&clips[*k].speaker).or_default() += counts(*k);
    }
    sums.into_values().collect()
}

fn mean<'a>(gaps: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let count = gaps.clone().count();
    gaps.map(|gap| f64::from(*gap)).sum::<f64>() / count.max(1) as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "closures are m, b and p; the interval is of 95 %, by speakers; late: how much the lips are; r: of opening and phonemes"
        )?;
        writeln!(
            f,
            "\n{:12}{:>9}{:>9}{:>9}  {:26}{:>10}{:>8}{:>7}{:>16}{:>9}{:>7}",
            "source",
            "closures",
            "speakers",
            "seconds",
            "look-ahead",
            "precision",
            "recall",
            "F1",
            "interval",
            "late, ms",
            "r"
        )?;
        for (name, source) in &self.sources {
            for (k, row) in source.by_look_ahead.iter().chain([&source.noisy]).enumerate() {
                let head = match k {
                    0 => format!("{name:12}{:9}{:9}{:9.0}", source.closures, source.speakers, source.seconds),
                    _ => " ".repeat(39),
                };
                let what = match k < source.by_look_ahead.len() {
                    true => row.look_ahead.to_string(),
                    false => format!("{}, white noise at −{SNR_DB} dB", row.look_ahead),
                };
                let [low, high] = row.interval;
                let number =
                    |value: Option<f64>, digits: usize| value.map_or("–".into(), |v| format!("{v:.digits$}"));
                writeln!(
                    f,
                    "{head}  {what:26}{:10.2}{:8.2}{:7.2}{:>16}{:>9}{:>7}",
                    row.precision,
                    row.recall,
                    row.f1,
                    format!("{low:.2} … {high:.2}"),
                    number(row.offset_ms, 0),
                    number(row.correlation, 2)
                )?;
            }
        }
        writeln!(f, "\nlips apart where nobody speaks, share of their range, look-ahead {OWN}")?;
        for (name, source) in &self.sources {
            if let Some(gap) = source.pauses {
                writeln!(f, "  {:40}{:6.1} %", format!("long pauses of {name}"), 100.0 * gap)?;
            }
        }
        for (name, gap) in &self.still {
            writeln!(f, "  {name:40}{:6.1} %", 100.0 * gap)?;
        }
        Ok(())
    }
}
