//! The geometric generator with the shipped model and an avatar.

mod common;

use std::path::Path;

use common::{executors, psnr};
use vultus::assets::Assets;
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::generator::{Generator, GeometricGenerator, OutputFormat};

fn model_and_avatar() -> (FaceModel, AvatarFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights");
    let assets = Assets::locate(Some(&folder)).expect("the weights folder");
    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let name = assets.avatars().expect("avatars").into_iter().next().expect("an avatar");
    (model, assets.avatar(&name).expect("avatar"))
}

/// Mouth open, eyes half shut, head turned.
fn talking(model: &FaceModel, avatar: &AvatarFile) -> ([f32; 64], [f32; 6]) {
    let mut beta = avatar.beta;
    for (name, value) in [
        ("jawOpen", 0.35),
        ("mouthSmileLeft", 0.5),
        ("eyeBlinkLeft", 0.5),
        ("eyeBlinkRight", 0.4),
        ("eyeLookOutLeft", 0.4),
    ] {
        beta[model.expression_index(name).expect("an ARKit name")] = value;
    }
    (beta, [0.03, -0.12, 0.04, 0.003, -0.002, 0.001])
}

#[test]
fn every_executor_draws_the_same_pictures() {
    let (model, avatar) = model_and_avatar();
    let (beta, motion) = talking(&model, &avatar);
    for (size, format) in [
        (256, OutputFormat::Rgba),
        (256, OutputFormat::RgbaCutOut),
        (256, OutputFormat::I420),
        (512, OutputFormat::I420),
    ] {
        let mut first: Option<Vec<u8>> = None;
        for compute in executors() {
            let mut generator = GeometricGenerator::new(&compute, &model, &avatar, size, format).expect("a good size");
            let frame = generator.frame(&beta, &motion).expect("the device is there");
            assert_eq!(frame.bytes.len(), format.bytes(size));
            match &first {
                None => first = Some(frame.bytes.to_vec()),
                Some(cpu) => {
                    let same = psnr(cpu, frame.bytes);
                    assert!(same >= 45.0, "{} {size} {format:?}: {same:.1} dB", compute.name());
                }
            }
        }
    }
}

#[test]
fn a_face_at_rest_is_the_portrait() {
    let (model, _) = model_and_avatar();
    let assets = Assets::embedded();
    let names = assets.avatars().expect("avatars are built in");
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let avatar = assets.avatar(&name).expect("a built-in avatar");
        let size = avatar.portrait.side;
        let mut generator =
            GeometricGenerator::new(&Compute::Cpu, &model, &avatar, size, OutputFormat::Rgba).expect("a good size");
        let frame = generator.frame(&avatar.beta, &[0.0; 6]).expect("the CPU is there");
        let drawn: Vec<u8> = frame.bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let same = psnr(&avatar.portrait.rgb, &drawn);
        assert!(same >= 45.0, "{name}: {same:.1} dB");
    }
}

#[test]
fn a_second_frame_does_not_remember_the_first() {
    let (model, avatar) = model_and_avatar();
    let (beta, motion) = talking(&model, &avatar);
    let new = || GeometricGenerator::new(&Compute::Cpu, &model, &avatar, 256, OutputFormat::Rgba).expect("a good size");
    let mut used = new();
    used.frame(&avatar.beta, &[0.0, 0.2, 0.0, 0.0, 0.0, 0.0]).expect("the CPU is there");
    let again = used.frame(&beta, &motion).expect("the CPU is there").bytes.to_vec();
    assert!(again == new().frame(&beta, &motion).expect("the CPU is there").bytes);
}

#[test]
fn a_slow_motion_does_not_flicker() {
    let (model, avatar) = model_and_avatar();
    let mut generator =
        GeometricGenerator::new(&Compute::Cpu, &model, &avatar, 256, OutputFormat::Rgba).expect("a good size");
    let (jaw, blink) = (17, model.expression_index("eyeBlinkLeft").expect("an ARKit name"));
    let frames: Vec<Vec<u8>> = (0..12)
        .map(|i| {
            let t = i as f32 / 12.0;
            let mut beta = avatar.beta;
            beta[jaw] += 0.1 + 0.06 * t;
            beta[blink] += 0.3 * t;
            generator.frame(&beta, &[0.0, 0.03 * t, 0.0, 0.0, 0.0, 0.0]).expect("the CPU is there").bytes.to_vec()
        })
        .collect();
    // The second difference in time: what moves evenly cancels, what jumps stays.
    let mut jumps = 0;
    let mut sum = 0.0;
    for f in frames.windows(3) {
        for ((a, b), c) in f[0].iter().zip(&f[1]).zip(&f[2]) {
            let d = (f64::from(*a) - 2.0 * f64::from(*b) + f64::from(*c)).abs();
            sum += d;
            jumps += usize::from(d > 40.0);
        }
    }
    let values = (frames[0].len() * 10) as f64;
    assert!(sum / values < 0.25 && (jumps as f64) < 3e-4 * values, "mean {:.4}, {jumps} jumps", sum / values);
}

#[test]
fn impossible_sizes_are_refused() {
    let (model, avatar) = model_and_avatar();
    for size in [0, 63, 100, 4096] {
        let error = GeometricGenerator::new(&Compute::Cpu, &model, &avatar, size, OutputFormat::Rgba).unwrap_err();
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
}
