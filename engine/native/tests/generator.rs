//! The generators with the shipped model and an avatar.

mod common;

use std::path::Path;

use common::{executors, psnr};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::hef::{Crop, HefConfig, HefWeights};
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator, Recording};
use vultus_native::assets::Assets;

fn model_and_avatar() -> (FaceModel, AvatarFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights");
    let assets = Assets::locate(Some(&folder)).expect("the weights folder");
    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let name = assets.avatars().expect("avatars").into_iter().next().expect("an avatar");
    (model, assets.avatar(&name).expect("avatar"))
}

/// Mouth open, eyes half shut, head turned.
fn talking(model: &FaceModel, avatar: &AvatarFile) -> Drive {
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
    Drive { sigma: 2.0, ..Drive::new(&beta, &[0.03, -0.12, 0.04, 0.003, -0.002, 0.001]) }
}

#[test]
fn every_executor_draws_the_same_pictures() {
    let (model, avatar) = model_and_avatar();
    let talking = talking(&model, &avatar);
    let weights = random_nano();
    let learned = Method::Learned(&weights);
    for (size, format, method) in [
        (256, OutputFormat::Rgba, Method::Geometric),
        (256, OutputFormat::RgbaCutOut, Method::Geometric),
        (256, OutputFormat::I420, Method::Geometric),
        (512, OutputFormat::I420, Method::Geometric),
        (256, OutputFormat::RgbaCutOut, learned),
        (512, OutputFormat::Rgba, learned),
    ] {
        let mut first: Option<Vec<u8>> = None;
        for compute in executors() {
            let mut generator =
                PortraitGenerator::new(&compute, &model, &avatar, size, format, method).expect("a good size");
            let frame = generator.frame(&talking).expect("the device is there");
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
fn a_generator_that_changes_its_avatar_draws_the_same_on_every_executor() {
    let (model, first) = model_and_avatar();
    let second = Assets::embedded().avatar("lea").expect("an avatar");
    let talking = talking(&model, &second);
    let (size, format, method) = (256, OutputFormat::Rgba, Method::Geometric);
    let mut own = PortraitGenerator::new(&Compute::Cpu, &model, &second, size, format, method).expect("a good size");
    let expected = own.frame(&talking).expect("the CPU is there").bytes;
    for compute in executors() {
        let recording = Recording::new(&compute, &model, size, format, method).expect("a good size");
        let [first, second] = [&first, &second].map(|avatar| recording.prepare(&model, avatar).expect("an avatar"));
        let mut generator = first.generator().expect("a generator");
        generator.frame(&talking).expect("the device is there");
        generator.show(&second).expect("the same recording");
        let same = psnr(expected, generator.frame(&talking).expect("the device is there").bytes);
        assert!(same >= 45.0, "{}: {same:.1} dB", compute.name());
    }
}

/// Untrained: what it changes is senseless, but where and when is not.
fn random_nano() -> HefWeights {
    HefWeights::random(HefConfig::named("nano").expect("a size of the file"), 5)
}

#[test]
fn the_network_changes_nothing_at_rest_and_nothing_outside_its_crop() {
    let (model, avatar) = model_and_avatar();
    let talking = talking(&model, &avatar);
    let weights = random_nano();
    let size = 512;
    let crop = Crop::of(&model, &avatar, size);
    let format = OutputFormat::Rgba;
    let [mut geometric, mut learned] = [Method::Geometric, Method::Learned(&weights)].map(|method| {
        PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, format, method).expect("a good size")
    });
    let mut draw = |drive: &Drive| {
        [&mut geometric, &mut learned].map(|g| g.frame(drive).expect("the CPU is there").bytes.to_vec())
    };
    let [was, is] = draw(&Drive::new(&avatar.beta, &[0.0; 6]));
    assert!(was == is, "at rest");
    let [was, is] = draw(&talking);
    let mut changed = 0;
    for (k, (a, b)) in was.chunks_exact(4).zip(is.chunks_exact(4)).enumerate().filter(|(_, (a, b))| a != b) {
        let at = [(k % size) as f32 + 0.5 - crop.left, (k / size) as f32 + 0.5 - crop.top];
        assert!(at.iter().all(|v| (0.0..crop.side).contains(v)), "{at:?}: {a:?} became {b:?}");
        changed += 1;
    }
    assert!(changed > 1000, "{changed}");
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
            PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, OutputFormat::Rgba, Method::Geometric)
                .expect("a good size");
        let frame = generator.frame(&Drive::new(&avatar.beta, &[0.0; 6])).expect("the CPU is there");
        let drawn: Vec<u8> = frame.bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let same = psnr(&avatar.portrait.rgb, &drawn);
        assert!(same >= 45.0, "{name}: {same:.1} dB");
    }
}

#[test]
fn a_second_frame_does_not_remember_the_first() {
    let (model, avatar) = model_and_avatar();
    let talking = talking(&model, &avatar);
    let new = || {
        PortraitGenerator::new(&Compute::Cpu, &model, &avatar, 256, OutputFormat::Rgba, Method::Geometric)
            .expect("a good size")
    };
    let mut used = new();
    used.frame(&Drive::new(&avatar.beta, &[0.0, 0.2, 0.0, 0.0, 0.0, 0.0])).expect("the CPU is there");
    let again = used.frame(&talking).expect("the CPU is there").bytes.to_vec();
    assert!(again == new().frame(&talking).expect("the CPU is there").bytes);
}

#[test]
fn a_slow_motion_does_not_flicker() {
    let (model, avatar) = model_and_avatar();
    let mut generator =
        PortraitGenerator::new(&Compute::Cpu, &model, &avatar, 256, OutputFormat::Rgba, Method::Geometric)
            .expect("a good size");
    let (jaw, blink) = (17, model.expression_index("eyeBlinkLeft").expect("an ARKit name"));
    let frames: Vec<Vec<u8>> = (0..12)
        .map(|i| {
            let t = i as f32 / 12.0;
            let mut beta = avatar.beta;
            beta[jaw] += 0.1 + 0.06 * t;
            beta[blink] += 0.3 * t;
            generator
                .frame(&Drive::new(&beta, &[0.0, 0.03 * t, 0.0, 0.0, 0.0, 0.0]))
                .expect("the CPU is there")
                .bytes
                .to_vec()
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
        let error = PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, OutputFormat::Rgba, Method::Geometric)
            .unwrap_err();
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
}
