//! Draws a sheet of pictures of one avatar: `poses AVATAR OUT.png [--size 512] [--crop x,y,w,h] [--nano] [--cut-out] [NAME …]`; names are those of [`POSES`]. `--nano` lets
//! the network over them, `--cut-out` gives an alpha channel.
#![allow(clippy::print_stdout, reason = "a tool that reports to its user")]

use std::time::Instant;

use vultus::align::{AlignWeights, Aligner};
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::hef::HefWeights;
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator};
use vultus_native::assets::Assets;
use vultus_native::compute::{Backend, clock, open};

/// Name, expression on top of the portrait's, degrees of pitch, yaw and roll.
type Pose = (&'static str, &'static [(&'static str, f32)], [f32; 3]);

const POSES: &[Pose] = &[
    ("source", &[], [0.0; 3]),
    ("jaw20", &[("jawOpen", 0.2)], [0.0; 3]),
    ("jaw50", &[("jawOpen", 0.5)], [0.0; 3]),
    ("aa", &[("jawOpen", 0.38), ("mouthLowerDownLeft", 0.2), ("mouthLowerDownRight", 0.2)], [0.0; 3]),
    (
        "ee",
        &[
            ("jawOpen", 0.12),
            ("mouthStretchLeft", 0.4),
            ("mouthStretchRight", 0.4),
            ("mouthUpperUpLeft", 0.25),
            ("mouthUpperUpRight", 0.25),
            ("mouthLowerDownLeft", 0.4),
            ("mouthLowerDownRight", 0.4),
        ],
        [0.0; 3],
    ),
    ("oo", &[("jawOpen", 0.15), ("mouthPucker", 0.7), ("mouthFunnel", 0.3)], [0.0; 3]),
    (
        "ff",
        &[("jawOpen", 0.08), ("mouthRollLower", 0.5), ("mouthUpperUpLeft", 0.3), ("mouthUpperUpRight", 0.3)],
        [0.0; 3],
    ),
    (
        "mm",
        &[("mouthPressLeft", 0.4), ("mouthPressRight", 0.4), ("mouthRollLower", 0.3), ("mouthRollUpper", 0.3)],
        [0.0; 3],
    ),
    (
        "smile",
        &[
            ("mouthSmileLeft", 0.4),
            ("mouthSmileRight", 0.4),
            ("cheekSquintLeft", 0.4),
            ("cheekSquintRight", 0.4),
            ("mouthUpperUpLeft", 0.3),
            ("mouthUpperUpRight", 0.3),
            ("jawOpen", 0.08),
        ],
        [0.0; 3],
    ),
    ("half", &[("eyeBlinkLeft", 0.5), ("eyeBlinkRight", 0.5)], [0.0; 3]),
    ("blink", &[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)], [0.0; 3]),
    (
        "brows",
        &[
            ("browInnerUp", 0.8),
            ("browOuterUpLeft", 0.7),
            ("browOuterUpRight", 0.7),
            ("eyeWideLeft", 0.4),
            ("eyeWideRight", 0.4),
        ],
        [0.0; 3],
    ),
    (
        "frown",
        &[("browDownLeft", 0.9), ("browDownRight", 0.9), ("mouthFrownLeft", 0.7), ("mouthFrownRight", 0.7)],
        [0.0; 3],
    ),
    ("gazeL", &[("eyeLookOutLeft", 0.6), ("eyeLookInRight", 0.6)], [0.0; 3]),
    ("gazeU", &[("eyeLookUpLeft", 0.5), ("eyeLookUpRight", 0.5)], [0.0; 3]),
    (
        "gazeD",
        &[("eyeLookDownLeft", 0.5), ("eyeLookDownRight", 0.5), ("eyeBlinkLeft", 0.25), ("eyeBlinkRight", 0.25)],
        [0.0; 3],
    ),
    ("yaw10", &[], [0.0, 10.0, 0.0]),
    ("yaw-10", &[], [0.0, -10.0, 0.0]),
    ("yaw15", &[("jawOpen", 0.25)], [0.0, 15.0, 0.0]),
    ("pitch8", &[], [8.0, 0.0, 0.0]),
    ("pitch-8", &[], [-8.0, 0.0, 0.0]),
    ("roll8", &[("jawOpen", 0.2)], [0.0, 0.0, 8.0]),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut size = 512;
    let mut crop: Option<[u32; 4]> = None;
    let (mut nano, mut format) = (false, OutputFormat::Rgba);
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        match a.as_str() {
            "--size" => size = args.next().ok_or("--size N")?.parse()?,
            "--crop" => {
                let v: Vec<u32> =
                    args.next().ok_or("--crop x,y,w,h")?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                crop = Some([v[0], v[1], v[2], v[3]]);
            }
            "--nano" => nano = true,
            "--cut-out" => format = OutputFormat::RgbaCutOut,
            _ => words.push(a),
        }
    }
    let [name, out, names @ ..] = &words[..] else { return Err("poses AVATAR OUT.png [NAME …]".into()) };
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights("face.safetensors")?)?;
    let mut avatar = assets.avatar(name)?;
    let start = Instant::now();
    let compute = open(Backend::Auto)?;
    let mut weights = None;
    if nano {
        weights = Some(HefWeights::read(assets.weights("hef_nano.safetensors")?)?);
        let align = AlignWeights::read(assets.weights("align.safetensors")?, model.vertices())?;
        avatar = Aligner::new(align).correct(&compute, &model, &avatar)?;
    }
    let method = weights.as_ref().map_or(Method::Geometric, Method::Learned);
    let mut generator = PortraitGenerator::new(&compute, &model, &avatar, size, format, method)?;
    println!("set-up {:.0} ms on {}", start.elapsed().as_secs_f64() * 1e3, compute.name());

    let picked: Vec<&Pose> = POSES.iter().filter(|p| names.is_empty() || names.iter().any(|n| n == p.0)).collect();
    let [cx, cy, cw, ch] = crop.unwrap_or([0, 0, size as u32, size as u32]);
    let columns = (picked.len() as u32).min(2000 / cw).max(1);
    let rows = (picked.len() as u32).div_ceil(columns);
    let mut sheet = image::RgbaImage::new(columns * cw, rows * ch);
    for (i, (_, expression, angles)) in picked.iter().enumerate() {
        let mut beta = avatar.beta;
        for (name, value) in *expression {
            let k = model.expression_index(name).ok_or_else(|| format!("unknown expression {name}"))?;
            beta[k] = (beta[k] + value).min(1.0);
        }
        let [pitch, yaw, roll] = angles.map(f32::to_radians);
        let frame = generator.frame(&Drive::new(&beta, &[pitch, yaw, roll, 0.0, 0.0, 0.0]))?;
        let picture = image::RgbaImage::from_raw(size as u32, size as u32, frame.bytes.to_vec()).ok_or("size")?;
        let picture = image::imageops::crop_imm(&picture, cx, cy, cw, ch).to_image();
        let (x, y) = (i as u32 % columns * cw, i as u32 / columns * ch);
        image::imageops::replace(&mut sheet, &picture, x.into(), y.into());
    }
    sheet.save(out)?;

    // Best of many frames: what a frame costs when nothing else runs.
    let mut best: Vec<(&str, f64)> = Vec::new();
    for i in 0..40 {
        let mut beta = avatar.beta;
        beta[17] = 0.3 * (i % 3) as f32;
        let mut now: Vec<(&str, f64)> = Vec::new();
        for (name, time) in generator.frame_timed(&Drive::new(&beta, &[0.0, 0.1, 0.0, 0.0, 0.0, 0.0]), clock())? {
            match now.iter_mut().find(|t| t.0 == name) {
                Some(t) => t.1 += time.as_secs_f64(),
                None => now.push((name, time.as_secs_f64())),
            }
        }
        if best.is_empty() {
            best = now;
        } else {
            best.iter_mut().zip(&now).for_each(|(b, n)| b.1 = b.1.min(n.1));
        }
    }
    for (name, seconds) in &best {
        println!("{name:>20} {:7.3} ms", seconds * 1e3);
    }
    println!("{:>20} {:7.3} ms", "sum", best.iter().map(|t| t.1).sum::<f64>() * 1e3);
    Ok(())
}
