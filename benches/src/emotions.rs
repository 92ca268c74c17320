//! How far each emotion moves the action units that it names, while a held-out clip of `benches/data/speech` is spoken.

use std::path::PathBuf;

use vultus::compute::Compute;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::motion::MotionNetwork;
use vultus_native::assets::Assets;
use vultus_truth::voices::{drives, voices};

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

/// Prints the table.
pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let assets = Assets::locate(None)?;
    let face = FaceModel::read(assets.weights("face.safetensors")?)?;
    let network = MotionNetwork::load(&Compute::Cpu, assets.weights("eac.safetensors")?, 2)?;
    let clips = voices(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/speech"))?;
    let clip = clips.iter().find(|clip| clip.source == "espeak").ok_or("benches/data/speech has no clip of espeak")?;
    let average = |emotion, intensity| -> Result<[f32; 64], Box<dyn std::error::Error>> {
        let frames = drives(&network, &network.emotions().mood(emotion, intensity)?, &clip.samples)?;
        let mut sum = [0.0f32; 64];
        for frame in &frames {
            sum.iter_mut().zip(&frame.beta).for_each(|(s, v)| *s += v / frames.len() as f32);
        }
        Ok(sum)
    };
    let neutral = average(Emotion::Neutral, 1.0)?;
    println!("emotion effect: mean coefficient over {} minus neutral, at intensity 1, 2, 3", clip.speaker);
    for (emotion, names) in UNITS {
        let moved = [average(emotion, 1.0)?, average(emotion, 2.0)?, average(emotion, 3.0)?];
        for name in names {
            let at = face.expression_index(name).ok_or_else(|| format!("the face has no expression {name}"))?;
            let cells: Vec<_> = moved.iter().map(|m| format!("{:+.2}", m[at] - neutral[at])).collect();
            println!("  {:10} {name:18} {}", emotion.name(), cells.join("  "));
        }
    }
    Ok(())
}
