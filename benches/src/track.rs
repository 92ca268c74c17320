//! How well a face that speaks and feels is followed: films whose coefficients are known, drawn by the engine and seen by the tracker.
//!
//! `track [AVATAR]… [--size PIXELS]`: each avatar rests for two seconds and then says a voice of `benches/data/speech`, neutral, happy, surprised, sad and angry in turns.
//! What is printed is the correlation of what was seen with what was drawn, over all frames after the rest, and the time that a picture took. Films are drawn with
//! `warp` and not encoded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vultus::audio::RATE;
use vultus::drive::Drive;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::generator::Generator as _;
use vultus::generator::{Method, OutputFormat, Recording};
use vultus::motion::{MotionNetwork, MotionSource as _};
use vultus::pipeline::{MOTION_FPS, SpeechToMotion};
use vultus::track::Picture;
use vultus_native::assets::Assets;
use vultus_native::compute::{Backend, open};
use vultus_native::seeing::Sight;
use vultus_truth::speech::correlation;
use vultus_truth::voices::voices;

type Error = Box<dyn std::error::Error>;

const REST: usize = 2 * MOTION_FPS as usize;
/// Each is felt for two seconds, as strongly as this.
const MOODS: [(Emotion, f32); 6] = [
    (Emotion::Neutral, 1.0),
    (Emotion::Happy, 2.0),
    (Emotion::Surprised, 2.0),
    (Emotion::Neutral, 1.0),
    (Emotion::Sad, 2.0),
    (Emotion::Angry, 2.0),
];
/// What is compared, beside the gap of the lips and the pose: the mean of both sides.
const COMPARED: [(&str, &[&str]); 8] = [
    ("jaw", &["jawOpen"]),
    ("blink", &["eyeBlinkLeft", "eyeBlinkRight"]),
    ("smile", &["mouthSmileLeft", "mouthSmileRight"]),
    ("pucker", &["mouthPucker"]),
    ("funnel", &["mouthFunnel"]),
    ("frown", &["mouthFrownLeft", "mouthFrownRight"]),
    ("brows up", &["browInnerUp", "browOuterUpLeft", "browOuterUpRight"]),
    ("brows down", &["browDownLeft", "browDownRight"]),
];

/// Draws, follows and prints.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let (mut names, mut size) = (Vec::new(), 512);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--size" => size = arguments.next().ok_or("--size needs pixels")?.parse()?,
            name if !name.starts_with('-') => names.push(argument),
            other => return Err(format!("{other}: expected AVATAR… or --size PIXELS").into()),
        }
    }
    let assets = Assets::locate(None)?;
    let model = Arc::new(FaceModel::read(assets.weights("face.safetensors")?)?);
    let compute = open(Backend::Auto)?;
    let recording = Recording::new(&compute, &model, size, OutputFormat::Rgba, Method::Geometric)?;
    let sight = Sight::load(&compute, &assets, &model)?;
    let film = film(&MotionNetwork::load(&compute, assets.weights("eac.safetensors")?, 2)?)?;
    if names.is_empty() {
        names = assets.avatars()?;
    }
    let names_of = ["gap"].into_iter().chain(COMPARED.map(|(name, _)| name)).chain(["pitch", "yaw", "roll"]);
    println!("{:14}{}  ms a picture", "", names_of.map(|name| format!("{name:>11}")).collect::<String>());
    let mut all: Vec<Vec<f64>> = Vec::new();
    for name in &names {
        let avatar = assets.avatar(name)?;
        let mut generator = recording.prepare(&model, &avatar)?.generator()?;
        let mut looker = sight.looker()?;
        let (mut pairs, mut times, mut lost) = (Vec::new(), Vec::new(), 0);
        for (k, drive) in film.iter().enumerate() {
            let picture = generator.frame(drive)?.bytes;
            let rgb: Vec<u8> = picture.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
            let before = Instant::now();
            let seen = looker.look(&Picture::new(&rgb, size, size))?;
            times.push(before.elapsed().as_secs_f64() * 1e3);
            match seen {
                Some(seen) if k >= REST => pairs.push([drive, &seen.drive].map(|it| features(&model, it))),
                Some(_) => {}
                None => lost += 1,
            }
        }
        times.sort_by(f64::total_cmp);
        let row = correlations(&pairs);
        let lost = if lost > 0 { format!(", lost in {lost} of {}", film.len()) } else { String::new() };
        print(name, &row, &format!("  {:.1}{lost}", times[times.len() / 2]));
        all.push(row);
    }
    let mean: Vec<f64> = (0..FEATURES).map(|k| all.iter().map(|row| row[k]).sum::<f64>() / all.len() as f64).collect();
    print("mean", &mean, "");
    Ok(())
}

/// What the face does: at rest, then speaking.
fn film(network: &MotionNetwork) -> Result<Vec<Drive>, Error> {
    let clips = voices(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/speech"))?;
    let longest = clips.iter().filter(|clip| !clip.closures.is_empty()).max_by_key(|clip| clip.samples.len());
    let mut said =
        longest.ok_or("benches/data/speech has no clip in which somebody speaks")?.samples.iter().copied().cycle();
    let mood = |(emotion, mu): (Emotion, f32)| network.emotions().mood(emotion, mu);
    let mut pipeline = SpeechToMotion::new(RATE, network.open(&mood(MOODS[0])?, 7)?, MOTION_FPS)?;
    let seconds = 2 * RATE;
    pipeline.push(&vec![0.0; seconds])?;
    for felt in MOODS {
        pipeline.set_mood(&mood(felt)?, Duration::from_millis(500));
        pipeline.push(&said.by_ref().take(seconds).collect::<Vec<_>>())?;
    }
    pipeline.finish()?;
    Ok(std::iter::from_fn(|| pipeline.next_frame()).map(|frame| frame.drive).collect())
}

const FEATURES: usize = COMPARED.len() + 4;

fn features(model: &FaceModel, drive: &Drive) -> [f32; FEATURES] {
    let mut out = [0.0; FEATURES];
    out[0] = model.lip_gap(&drive.beta);
    for (k, (_, names)) in COMPARED.iter().enumerate() {
        let values = names.iter().filter_map(|name| model.expression_index(name)).map(|at| drive.beta[at]);
        out[1 + k] = values.sum::<f32>() / names.len() as f32;
    }
    out[FEATURES - 3..].copy_from_slice(&drive.pose[..3]);
    out
}

/// Of each feature of what was drawn with the same of what was seen; not a number where one never moves.
fn correlations(pairs: &[[[f32; FEATURES]; 2]]) -> Vec<f64> {
    let track = |side: usize, k: usize| pairs.iter().map(|pair| pair[side][k]).collect::<Vec<_>>();
    (0..FEATURES).map(|k| correlation(&track(0, k), &track(1, k)).unwrap_or(f64::NAN)).collect()
}

fn print(name: &str, row: &[f64], more: &str) {
    let cells: String = row.iter().map(|value| format!("{value:11.2}")).collect();
    println!("{name:14}{cells}{more}");
}
