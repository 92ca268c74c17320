//! The figures that concern the lips, on the held-out clips of `benches/data/speech`: closure F1, aperture in pauses, silence and noise,
//! A/V offset, for every look-ahead; and how far each emotion moves the action units that it names. `vultus_truth::speech` defines them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vultus::audio::{RATE, Resampler};
use vultus::compute::Compute;
use vultus::drive::MotionFrame;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::motion::{LOOK_AHEAD_MAX, Motion as _, MotionNetwork};
use vultus_native::assets::Assets;
use vultus_native::audio::AudioReader;

use vultus_truth::speech::{Span, aperture, closures, offset_ms};

/// An aligned clip, as `train/speech/clips.py` writes it.
#[derive(Deserialize)]
struct Clip {
    engine: String,
    voice: String,
    /// m, b, p: start and end in seconds, phoneme.
    closures: Vec<(f64, f64, String)>,
    pauses: Vec<Span>,
    /// How open the phonemes ask the mouth to be, one value a frame.
    openness: Vec<f32>,
}

struct Bench {
    assets: Assets,
    face: FaceModel,
}

impl Bench {
    fn frames(&self, samples: &[f32], look_ahead: usize, emotion: Emotion, intensity: f32) -> Vec<[f32; 64]> {
        let weights = self.assets.weights("eac.safetensors").expect("weights");
        let network = MotionNetwork::load(&Compute::Cpu, weights, look_ahead).expect("motion network");
        let mut model =
            network.stream(&network.emotions().mood(emotion, intensity).expect("a mood"), 1).expect("a stream");
        let mut frames = Vec::new();
        let mut decided = |frame: MotionFrame| frames.push(frame.drive.beta);
        model.hear(samples, &mut decided).expect("the CPU does not fail");
        model.finish(&mut decided).expect("the CPU does not fail");
        frames
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

fn mean<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|v| (*v).into()).sum::<f64>() / values.len() as f64
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
        "look-ahead  F1 by engine (P/R)                                       mean F1  pauses   silence  noise −30 dBFS  A/V offset"
    );
    let (silence, hiss) = (vec![0.0; 10 * RATE], noise(10 * RATE));
    for look_ahead in 0..=LOOK_AHEAD_MAX {
        let (mut cells, mut f1s, mut offsets, mut still) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut wanted = 0;
        for (clip, samples) in &clips {
            let gaps = bench.gaps(samples, look_ahead);
            let spans: Vec<Span> = clip.closures.iter().map(|c| [c.0, c.1]).collect();
            let counts = closures(&gaps, &spans, &clip.pauses);
            let (precision, recall, f1) = (counts.precision(), counts.recall(), counts.f1());
            cells.push(format!("{} {f1:.2} ({precision:.2}/{recall:.2})", clip.engine));
            f1s.push(f1);
            wanted += counts.wanted;
            offsets.extend(offset_ms(&gaps, &clip.openness));
            still.extend(aperture(&gaps, &clip.pauses));
        }
        println!(
            "L = {look_ahead}       {:60} {:.3}    {:5.2} %  {:5.2} %  {:5.2} %         {:+.0} ms  ({wanted} closures)",
            cells.join("  "),
            mean(&f1s),
            100.0 * mean(&still),
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
