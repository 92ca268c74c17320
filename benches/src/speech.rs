//! The figures that concern the lips, on the held-out clips of `benches/data/speech`: closure F1, aperture in silence and in noise,
//! A/V offset, for every look-ahead; and how far each emotion moves the action units that it names.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vultus::assets::Assets;
use vultus::audio::{AudioReader, COLUMNS_PER_FRAME, LogMel, MELS, RATE, Resampler};
use vultus::compute::Compute;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::motion::{LOOK_AHEAD_MAX, Motion as _, MotionModel, MotionSettings};

/// A shut mouth: gap below this share of its open range.
const SHUT: f32 = 0.08;
/// How far from a closure a shut frame may lie, seconds.
const NEAR_SECS: f32 = 0.06;
/// A longer shut run is a pause, not a closure, seconds.
const LONGEST_SECS: f32 = 0.4;
const FRAME_SECS: f32 = 0.04;

/// An aligned clip, as `train/speech/clips.py` writes it.
#[derive(Deserialize)]
struct Clip {
    engine: String,
    voice: String,
    /// m, b, p: start and end in seconds, phoneme.
    closures: Vec<(f32, f32, String)>,
    pauses: Vec<(f32, f32)>,
    /// How open the phonemes ask the mouth to be, one value a frame.
    openness: Vec<f32>,
}

struct Bench {
    assets: Assets,
    face: FaceModel,
}

impl Bench {
    fn frames(&self, samples: &[f32], look_ahead: usize, emotion: Emotion, intensity: f32) -> Vec<[f32; 64]> {
        let settings = MotionSettings { look_ahead, emotion, intensity, seed: 1 };
        let weights = self.assets.weights("eac.safetensors").expect("weights");
        let mut model = MotionModel::new(&Compute::Cpu, weights, settings).expect("motion model");
        let mut columns: Vec<[f32; MELS]> = Vec::new();
        let mut mel = LogMel::new();
        mel.push(samples, |c| columns.push(*c));
        mel.finish(|c| columns.push(*c));
        let mut frames = Vec::new();
        for four in columns.chunks_exact(COLUMNS_PER_FRAME) {
            frames.extend(model.push(four.try_into().expect("four columns")).expect("the CPU does not fail"));
        }
        frames.extend(model.flush().expect("the CPU does not fail"));
        frames.into_iter().map(|f| f.beta).collect()
    }

    fn gaps(&self, samples: &[f32], look_ahead: usize) -> Vec<f32> {
        let frames = self.frames(samples, look_ahead, Emotion::Neutral, 1.0);
        frames.iter().map(|beta| self.face.lip_gap(beta)).collect()
    }
}

fn read(path: &Path) -> Vec<f32> {
    let mut reader = AudioReader::open(path).expect("bench clips are readable");
    let mut resampler = Resampler::new(reader.info().rate, RATE, 1).expect("a rate");
    let mut samples = Vec::new();
    while let Some(block) = reader.next_block().expect("bench clips decode") {
        resampler.push(block.mono, |s| samples.extend_from_slice(s));
    }
    resampler.finish(|s| samples.extend_from_slice(s));
    samples
}

/// Runs of shut frames as (first, one past the last).
fn shut_runs(gaps: &[f32]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut start = None;
    for k in 0..=gaps.len() {
        let shut = k < gaps.len() && gaps[k] < SHUT;
        match (shut, start) {
            (true, None) => start = Some(k),
            (false, Some(s)) => {
                runs.push((s, k));
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// (hits, all) for recall and for precision.
fn closures(clip: &Clip, gaps: &[f32]) -> [(usize, usize); 2] {
    let centre = |k: usize| (k as f32 + 0.5) * FRAME_SECS;
    let near = |t: f32, s: f32, e: f32| t >= s - NEAR_SECS && t <= e + NEAR_SECS;
    let found = clip
        .closures
        .iter()
        .filter(|c| gaps.iter().enumerate().any(|(k, g)| *g < SHUT && near(centre(k), c.0, c.1)))
        .count();
    let mut right = 0;
    let mut all = 0;
    for (s, e) in shut_runs(gaps) {
        let middle = (s + e) as f32 * 0.5 * FRAME_SECS;
        if clip.pauses.iter().any(|p| middle >= p.0 - NEAR_SECS && middle <= p.1 + NEAR_SECS) {
            continue;
        }
        all += 1;
        let short = (e - s) as f32 * FRAME_SECS <= LONGEST_SECS;
        right += usize::from(short && clip.closures.iter().any(|c| (s..e).any(|k| near(centre(k), c.0, c.1))));
    }
    [(found, clip.closures.len()), (right, all)]
}

/// Lag of the best cross-correlation in milliseconds (positive: the lips are late), refined by a parabola through the peak.
fn offset_ms(gaps: &[f32], openness: &[f32]) -> f32 {
    let n = gaps.len().min(openness.len());
    let centred = |v: &[f32]| {
        let mean = v[..n].iter().sum::<f32>() / n as f32;
        v[..n].iter().map(|x| x - mean).collect::<Vec<_>>()
    };
    let (a, b) = (centred(gaps), centred(openness));
    let score = |lag: i32| -> f32 {
        (0..n as i32).filter_map(|k| Some(a.get(usize::try_from(k + lag).ok()?)? * b[k as usize])).sum()
    };
    let best = (-12..=12).max_by(|x, y| score(*x).total_cmp(&score(*y))).expect("there are lags");
    let (l, c, r) = (score(best - 1), score(best), score(best + 1));
    let peak = if (l - 2.0 * c + r).abs() > 1e-9 { 0.5 * (l - r) / (l - 2.0 * c + r) } else { 0.0 };
    (best as f32 + peak) * FRAME_SECS * 1e3
}

/// White noise of −30 dBFS RMS, from a fixed seed.
fn noise(len: usize) -> Vec<f32> {
    let mut s = 0x2545_F491_4F6C_DD1Du64;
    let mut uniform = move || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    // A uniform variable of width w has an RMS of w / √12.
    let width = 10f32.powf(-30.0 / 20.0) * 12f32.sqrt();
    (0..len).map(|_| uniform() * width).collect()
}

fn mean(v: &[f32]) -> f32 {
    v.iter().sum::<f32>() / v.len() as f32
}

fn clips() -> Vec<(Clip, Vec<f32>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/speech");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("benches/data/speech").filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    let load = |f: &PathBuf| {
        let text = std::fs::read_to_string(f).expect("readable");
        (
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", f.display())),
            read(&f.with_extension("flac")),
        )
    };
    files.iter().map(load).collect()
}

/// Prints the tables.
pub(crate) fn run() {
    let assets = Assets::locate(None).expect("assets");
    let face = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let bench = Bench { assets, face };
    let clips = clips();
    println!(
        "held-out voices: {}",
        clips.iter().map(|(c, _)| format!("{} {}", c.engine, c.voice)).collect::<Vec<_>>().join(", ")
    );
    println!(
        "look-ahead  F1 by engine (P/R)                                       mean F1  silence  noise −30 dBFS  A/V offset"
    );
    let (silence, hiss) = (vec![0.0; 10 * RATE], noise(10 * RATE));
    for look_ahead in 0..=LOOK_AHEAD_MAX {
        let mut cells = Vec::new();
        let mut f1s = Vec::new();
        let mut offsets = Vec::new();
        for (clip, samples) in &clips {
            let gaps = bench.gaps(samples, look_ahead);
            let [(found, wanted), (right, all)] = closures(clip, &gaps);
            let (recall, precision) = (found as f32 / wanted as f32, right as f32 / all.max(1) as f32);
            let f1 = 2.0 * recall * precision / (recall + precision).max(1e-6);
            cells.push(format!("{} {f1:.2} ({precision:.2}/{recall:.2})", clip.engine));
            f1s.push(f1);
            offsets.push(offset_ms(&gaps, &clip.openness));
        }
        println!(
            "L = {look_ahead}       {:60} {:.3}    {:5.2} %  {:5.2} %         {:+.0} ms",
            cells.join("  "),
            mean(&f1s),
            100.0 * mean(&bench.gaps(&silence, look_ahead)),
            100.0 * mean(&bench.gaps(&hiss, look_ahead)),
            mean(&offsets)
        );
    }
    emotions(&bench, &clips[0].1);
}

/// Names of ARKit coefficients that carry each emotion's action units (FACS).
const UNITS: [(Emotion, &[&str]); 7] = [
    (Emotion::Angry, &["browDownLeft", "browDownRight"]),
    (Emotion::Contempt, &["mouthDimpleLeft", "mouthSmileLeft", "mouthDimpleRight", "mouthSmileRight"]),
    (Emotion::Disgusted, &["noseSneerLeft", "noseSneerRight"]),
    (Emotion::Fear, &["browInnerUp", "eyeWideLeft", "eyeWideRight"]),
    (Emotion::Happy, &["mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft"]),
    (Emotion::Sad, &["mouthFrownLeft", "mouthFrownRight", "browInnerUp"]),
    (Emotion::Surprised, &["browInnerUp", "browOuterUpLeft", "eyeWideLeft"]),
];

fn emotions(bench: &Bench, samples: &[f32]) {
    let average = |emotion, intensity| {
        let frames = bench.frames(samples, 2, emotion, intensity);
        let mut sum = [0.0f32; 64];
        for f in &frames {
            sum.iter_mut().zip(f).for_each(|(s, v)| *s += v / frames.len() as f32);
        }
        sum
    };
    let neutral = average(Emotion::Neutral, 1.0);
    println!("emotion effect: mean coefficient over the first clip minus neutral, at intensity 1, 2, 3");
    for (emotion, names) in UNITS {
        let moved: Vec<_> = [1.0, 2.0, 3.0].map(|i| average(emotion, i)).to_vec();
        for name in names {
            let at = bench.face.expression_index(name).expect("an ARKit name");
            let cells: Vec<_> = moved.iter().map(|m| format!("{:+.2}", m[at] - neutral[at])).collect();
            println!("  {:10} {name:18} {}", emotion.name(), cells.join("  "));
        }
    }
}
