//! The whole generator with what is shipped.

use super::hef::HefWeights;
use super::picture::Layers;
use super::{Backdrop, Background, Generator, Method, OutputFormat, PortraitGenerator, Prepared, Recording};
use crate::avatar::{AvatarFile, srgb_to_linear};
use crate::compute::Compute;
use crate::drive::Drive;
use crate::face::FaceModel;
use crate::shipped;

#[test]
fn a_cut_out_over_its_own_background_is_the_picture() {
    let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
    let weights = HefWeights::read(shipped::weights("hef_nano.safetensors")).expect("nano");
    let size = 256;
    let jaw = model.expression_index("jawOpen").expect("an ARKit name");
    for name in ["amara", "ingrid", "lea"] {
        let avatar = shipped::avatar(name);
        let mut beta = avatar.beta;
        beta[jaw] = 0.3;
        let [picture, person] = [OutputFormat::Rgba, OutputFormat::RgbaCutOut].map(|format| {
            let method = Method::Learned(&weights);
            let mut generator =
                PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, format, method).expect("a good size");
            generator
                .frame(&Drive::new(&beta, &[0.0, 0.2, 0.05, 0.0, 0.0, 0.0]))
                .expect("the CPU is there")
                .bytes
                .to_vec()
        });
        let background = Layers::new(&avatar, size).background;
        let mut sum = 0.0;
        let pixels = picture.chunks_exact(4).zip(person.chunks_exact(4)).zip(&background);
        for ((picture, person), background) in pixels {
            let alpha = f32::from(person[3]) / 255.0;
            for c in 0..3 {
                let laid = alpha * srgb_to_linear(person[c]) + (1.0 - alpha) * background[c];
                sum += (laid.max(0.0).sqrt() - srgb_to_linear(picture[c]).sqrt()).powi(2);
            }
        }
        let psnr = -10.0 * (sum / (3 * size * size) as f32).log10();
        assert!(psnr > 48.0, "{name}: {psnr:.1} dB");
    }
}

#[test]
fn light_that_nobody_had_in_training_garbles_nobody() {
    let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
    let weights = HefWeights::read(shipped::weights("hef_nano.safetensors")).expect("nano");
    let size = 256;
    let smile = ["mouthSmileLeft", "mouthSmileRight"].map(|n| model.expression_index(n).expect("an ARKit name"));
    let mut avatar = shipped::avatar("amara");
    let mut beta = avatar.beta;
    smile.iter().for_each(|i| beta[*i] = 0.5);
    let change = |avatar: &AvatarFile| {
        let [was, is] = [Method::Geometric, Method::Learned(&weights)].map(|method| {
            let mut generator = PortraitGenerator::new(&Compute::Cpu, &model, avatar, size, OutputFormat::Rgba, method)
                .expect("a good size");
            generator
                .frame(&Drive::new(&beta, &[0.0, -0.17, 0.0, 0.0, 0.0, 0.0]))
                .expect("the CPU is there")
                .bytes
                .to_vec()
        });
        let off: u64 = was.iter().zip(&is).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        off as f32 / was.len() as f32
    };
    let usual = change(&avatar);
    // All that is not the same from every side, thirty times as strong: without the hold on styles this is four times the usual change.
    avatar.gamma[3..].iter_mut().for_each(|g| *g *= 30.0);
    let strange = change(&avatar);
    assert!(usual > 0.2 && strange < 2.0 * usual, "levels off: {usual:.2} in usual light, {strange:.2} in strange");
}

#[test]
fn a_generator_that_changes_its_avatar_draws_as_one_of_that_avatar() {
    let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
    let weights = HefWeights::read(shipped::weights("hef_nano.safetensors")).expect("nano");
    let (size, motion) = (128, [0.05, 0.1, 0.0, 0.0, 0.0, 0.0]);
    for (format, method) in
        [(OutputFormat::I420, Method::Geometric), (OutputFormat::RgbaCutOut, Method::Learned(&weights))]
    {
        let recording = Recording::new(&Compute::Cpu, &model, size, format, method).expect("a good size");
        let [amara, lea] =
            ["amara", "lea"].map(|name| recording.prepare(&model, &shipped::avatar(name)).expect("an avatar"));
        let mut generator = amara.generator().expect("a generator");
        let alone = |name: &str| {
            let avatar = shipped::avatar(name);
            let mut own = PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, format, method).expect("one");
            own.frame(&Drive::new(&avatar.beta, &motion)).expect("the CPU is there").bytes.to_vec()
        };
        for (name, prepared) in [("lea", &lea), ("amara", &amara)] {
            generator.show(prepared).expect("the same recording");
            let avatar = shipped::avatar(name);
            let frame = generator.frame(&Drive::new(&avatar.beta, &motion)).expect("the CPU is there");
            assert!(frame.bytes == alone(name), "{name} {format:?}");
        }
    }
    let of = |size| {
        let recording = Recording::new(&Compute::Cpu, &model, size, OutputFormat::Rgba, Method::WarpOnly).expect("one");
        recording.prepare(&model, &shipped::avatar("lea")).expect("an avatar")
    };
    let error = of(64).generator().expect("a generator").show(&of(128)).expect_err("another recording").to_string();
    assert!(error.contains("128 × 128 Rgba") && error.contains("64 × 64 Rgba"), "{error}");
}

#[test]
fn what_is_behind_the_person_can_be_chosen() {
    let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
    let weights = HefWeights::read(shipped::weights("hef_nano.safetensors")).expect("nano");
    let size = 128;
    let avatar = shipped::avatar("ingrid");
    let drive = Drive::new(&avatar.beta, &[0.05, 0.26, 0.05, 0.0, 0.0, 0.0]);
    // Where nobody is, however the head is turned.
    let matte: Vec<f32> = super::picture::portrait(&avatar, size).iter().map(|p| p[3]).collect();
    let near = super::picture::dilate(&matte, size, size / 8);
    let away: Vec<usize> = (0..size * size).filter(|k| near[*k] == 0.0).collect();
    assert!(away.len() > size * size / 8, "{} pixels", away.len());
    // Each byte that a colour may have.
    let all: Vec<u8> = (0..size * size).flat_map(|k| [k, k + 85, 255 - k % 256].map(|v| v as u8)).collect();
    let picture = Background::Picture(Backdrop::cover(&all, size, size));
    for method in [Method::Geometric, Method::Learned(&weights)] {
        let recording = Recording::new(&Compute::Cpu, &model, size, OutputFormat::Rgba, method).expect("a good size");
        let prepared = recording.prepare(&model, &avatar).expect("an avatar");
        let mut generator = prepared.generator().expect("a generator");
        let draw = |generator: &mut PortraitGenerator, drive: &Drive| {
            generator.frame(drive).expect("the CPU is there").bytes.to_vec()
        };
        let own = draw(&mut generator, &drive);
        let before = |background: &Background| prepared.before(background).expect("Rgba can have it");
        let bytes = |k: usize| 4 * k..4 * k + 3;
        for rgb in [[255; 3], [0; 3], [0, 255, 0], [1, 2, 3], [200, 13, 77]] {
            generator.show(&before(&Background::Colour(rgb))).expect("the same recording");
            let drawn = draw(&mut generator, &drive);
            assert!(away.iter().all(|k| drawn[bytes(*k)] == rgb), "{rgb:?} {method:?}");
            assert!(drawn.chunks_exact(4).all(|p| p[3] == 255));
            // In the middle of the face the person is who they were.
            let nose = size * size / 2 + size / 2;
            assert!(drawn[bytes(nose)].iter().zip(&own[bytes(nose)]).all(|(a, b)| a.abs_diff(*b) <= 3), "{method:?}");
        }
        generator.show(&before(&picture)).expect("the same recording");
        let drawn = draw(&mut generator, &drive);
        assert!(away.iter().all(|k| drawn[bytes(*k)] == all[3 * k..3 * k + 3]), "{method:?}");
        // Blurred: another picture than the own, but like it, since the studio behind her is smooth.
        generator.show(&before(&Background::Blur)).expect("the same recording");
        let drawn = draw(&mut generator, &drive);
        let off = away.iter().flat_map(|k| bytes(*k)).map(|i| drawn[i].abs_diff(own[i])).max();
        assert!(drawn != own && off < Some(24), "{off:?} {method:?}");
        // And back, to the bit.
        generator.show(&before(&Background::Portrait)).expect("the same recording");
        assert!(draw(&mut generator, &drive) == own, "{method:?}");
        let mut anew = prepared.open_before(&Background::Portrait).expect("a generator");
        assert!(anew.frame(&drive).expect("the CPU is there").bytes == own, "{method:?}");
        let refused = prepared.before(&Background::None).expect_err("there is no alpha").to_string();
        assert!(refused.contains("RgbaCutOut") && refused.contains("#00ff00"), "{refused}");
    }
}

#[test]
fn who_is_cut_out_keeps_no_trace_of_the_background() {
    let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
    let size = 128;
    let avatar = shipped::avatar("amara");
    let recording = Recording::new(&Compute::Cpu, &model, size, OutputFormat::RgbaCutOut, Method::Geometric);
    let prepared = recording.expect("a good size").prepare(&model, &avatar).expect("an avatar");
    let drive = Drive::new(&avatar.beta, &[0.0; 6]);
    let mut generator = prepared.before(&Background::None).expect("a cut-out").generator().expect("a generator");
    let bytes = generator.frame(&drive).expect("the CPU is there").bytes;
    let clear = bytes.chunks_exact(4).filter(|p| p[3] == 0).count();
    let full = bytes.chunks_exact(4).filter(|p| p[3] == 255).count();
    assert!(clear > size * size / 8 && full > size * size / 8, "{clear} pixels are clear, {full} are not");
    for background in [Background::Blur, Background::Colour([0; 3])] {
        let refused = prepared.before(&background).expect_err("a cut-out has none").to_string();
        assert!(refused.contains("has no background"), "{refused}");
    }
    assert!(prepared.before(&Background::Portrait).is_ok(), "as it is");
}
