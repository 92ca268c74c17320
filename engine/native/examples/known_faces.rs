//! Draws pictures of avatars whose geometry is known exactly: `known_faces OUT [--each 60] [--seed 1] [--size 512] AVATAR …`, for `train/track/correspond.py`.
//!
//! Each picture has another face (identity, expression) and turn of the head: the portrait is warped there by the geometric generator. OUT/AVATAR/truth.json has
//! the cases as train/crowd/dataset.py describes them, and with each also `alpha` (80), since the face is not the portrait's own.
#![allow(clippy::print_stdout, reason = "a tool that reports to its user")]

use std::path::Path;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Map, json};
use vultus::avatar::IDENTITY;
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::{Generator as _, Method, OutputFormat, PortraitGenerator};
use vultus_native::assets::{self, Assets};

type Error = Box<dyn std::error::Error>;

/// What faces do, and how much of it at most.
const DEEDS: &[&[(&str, f32)]] = &[
    &[],
    &[("mouthSmile", 0.6), ("cheekSquint", 0.4), ("mouthUpperUp", 0.2)],
    &[("jawOpen", 0.4), ("mouthLowerDown", 0.3)],
    &[("mouthPucker", 0.7), ("mouthFunnel", 0.3)],
    &[("eyeBlink", 1.0)],
    &[("browInnerUp", 0.8), ("browOuterUp", 0.8), ("eyeWide", 0.4)],
    &[("browDown", 0.9), ("mouthFrown", 0.5)],
    &[("mouthStretch", 0.4), ("mouthLowerDown", 0.4), ("jawOpen", 0.15)],
];
/// The expression in whose place a change of identity is drawn: tongueOut, which shows nothing while the mouth is shut.
const SPARE: &str = "tongueOut";
/// Standard deviation of a change of identity.
const ALPHA: f32 = 0.6;

fn normal(rng: &mut impl Rng) -> f32 {
    let (a, b): (f32, f32) = (rng.random_range(f32::MIN_POSITIVE..1.0), rng.random_range(0.0..std::f32::consts::TAU));
    (-2.0 * a.ln()).sqrt() * b.cos()
}

fn main() -> Result<(), Error> {
    let (mut each, mut seed, mut size) = (60usize, 1u64, 512usize);
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        let mut value = || args.next().ok_or(format!("{a} takes a number"));
        match a.as_str() {
            "--each" => each = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            "--size" => size = value()?.parse()?,
            _ => words.push(a),
        }
    }
    let [out, names @ ..] = &words[..] else { return Err("known_faces OUT AVATAR …".into()) };
    let assets = Assets::locate(None)?;
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for name in names {
        let folder = Path::new(out).join(name);
        std::fs::create_dir_all(&folder)?;
        let avatar = assets.avatar(name)?;
        let mut cases = Vec::new();
        for k in 0..each {
            let mut model = FaceModel::read(assets.weights(assets::FACE)?)?;
            let spare = model.expression_index(SPARE).ok_or("no spare expression")?;
            let change: [f32; IDENTITY] = std::array::from_fn(|_| ALPHA * normal(&mut rng));
            let v = model.vertices();
            for i in 0..v {
                model.expression[spare * v + i] = std::array::from_fn(|c| {
                    change.iter().enumerate().map(|(a, d)| d * model.identity[a * v + i][c]).sum::<f32>()
                });
            }
            let (mut beta, mut said) = (avatar.beta, Map::new());
            let deeds = DEEDS[k % DEEDS.len()];
            let strength = rng.random_range(0.3..1.0f32);
            for (stem, most) in deeds {
                for side in ["", "Left", "Right"] {
                    if let Some(at) = model.expression_index(&format!("{stem}{side}")) {
                        beta[at] = (beta[at] + strength * most).clamp(0.0, 1.0);
                    }
                }
            }
            for (name, value) in model.expression_names.iter().zip(beta).filter(|(_, v)| *v != 0.0) {
                said.insert(name.clone(), json!(value));
            }
            beta[spare] = 1.0;
            // Every third looks straight ahead.
            let turned = if k % 3 == 0 { 0.25 } else { 1.0 };
            let motion: [f32; 6] = [0.16, 0.33, 0.12, 0.0, 0.0, 0.0]
                .map(|most: f32| if most > 0.0 { turned * rng.random_range(-most..most) } else { 0.0 });
            let (format, method) = (OutputFormat::Rgba, Method::Geometric);
            let mut generator = PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, format, method)?;
            let frame = generator.frame(&Drive::new(&beta, &motion))?;
            let picture = image::RgbaImage::from_raw(size as u32, size as u32, frame.bytes.to_vec()).ok_or("size")?;
            let file = format!("{k:03}.png");
            image::DynamicImage::from(picture).into_rgb8().save(folder.join(&file))?;
            let alpha: Vec<f32> = avatar.alpha.iter().zip(change).map(|(a, d)| a + d).collect();
            cases.push(
                json!({ "name": format!("{k:03}"), "image": file, "beta": said, "dpose": motion, "alpha": alpha }),
            );
        }
        let truth = json!({ "avatar": name, "size": size, "cases": cases });
        std::fs::write(folder.join("truth.json"), serde_json::to_vec(&truth)?)?;
        println!("{}: {each} pictures", folder.display());
    }
    Ok(())
}
