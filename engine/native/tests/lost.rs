//! A GPU that goes away while it is used: everything goes on with the CPU, from where it was.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::psnr;
use vultus::compute::{Compute, Device, Element::F32, Grid, PlanBuilder};
use vultus::drive::Drive;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator, PreparedAvatar};
use vultus::motion::MotionNetwork;
use vultus::session::{Due, Session};
use vultus_native::assets::Assets;
use vultus_native::compute::device;
use vultus_shaders::kernels::TentBlurParams;

/// A GPU (the machine's software one will do), and how often it was told to be lost.
fn gpu() -> Option<(Arc<Device>, Arc<AtomicUsize>)> {
    if std::env::var("VULTUS_TEST_SKIP").is_ok_and(|v| v.split(',').any(|skip| skip == "gpu")) {
        eprintln!("VULTUS_TEST_SKIP=gpu: no GPU is lost");
        return None;
    }
    let device = device(true, None).unwrap_or_else(|e| panic!("{e} (or set VULTUS_TEST_SKIP=gpu)"));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    device.on_loss(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    Some((Arc::new(device), told))
}

#[test]
fn state_and_inputs_go_along() {
    const SIDE: usize = 16;
    const WORDS: usize = 2 * SIDE * SIDE;
    let Some((device, told)) = gpu() else { return };
    let compute = Compute::Gpu(Arc::clone(&device));
    // Each replay blurs what the last one left, and adds nothing: were the state lost, all would be zero.
    let record = |compute: &Compute| {
        let mut plan = PlanBuilder::new("blur");
        let field = plan.state("field", [SIDE, SIDE, 2], F32);
        let across = plan.temp("across", [SIDE, SIDE, 2], F32);
        let wide = plan.input("an input that is written once", [4], F32);
        let echo = plan.temp("echo", [4], F32);
        let blur = |dx| TentBlurParams { width: SIDE as u32, height: SIDE as u32, dx, radius: 2 };
        plan.dispatch(blur(1), &[field, across], Grid::image(SIDE, SIDE));
        plan.dispatch(blur(0), &[across, field], Grid::image(SIDE, SIDE));
        plan.copy(wide, 0, echo, 0, 4);
        plan.output(field);
        plan.output(echo);
        let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
        let start: Vec<f32> = (0..WORDS).map(|n| (n % 7) as f32).collect();
        executor.write(field, &start).unwrap();
        executor.write(wide, &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
        (executor, field, echo)
    };
    let (mut here, field, _) = record(&Compute::Cpu);
    let (mut there, ..) = record(&compute);
    let (mut late, _, echo) = record(&compute);
    for n in 0..5 {
        if n == 2 {
            device.destroy();
        }
        here.run().unwrap();
        there.run().unwrap();
        let (expected, got) = (here.read::<f32>(field).unwrap(), there.read::<f32>(field).unwrap());
        assert!(expected.iter().zip(got).all(|(e, g)| (e - g).abs() < 1e-4), "replay {n}");
    }
    assert!(here.read::<f32>(field).unwrap()[0] > 0.5);
    assert_eq!(told.load(Ordering::Relaxed), 1, "told once");
    assert!(device.lost().is_some() && compute.name() == "cpu", "{}", compute.adapter());
    // One that had not run yet, and one that is made afterwards.
    late.run().unwrap();
    assert_eq!(late.read::<f32>(echo).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let (mut after, ..) = record(&compute);
    after.run().unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn a_session_goes_on() {
    const SIZE: usize = 256;
    let Some((device, told)) = gpu() else { return };
    let assets = Assets::embedded();
    let face = FaceModel::read(assets.weights("face.safetensors").unwrap()).unwrap();
    let avatar = assets.avatar("amara").unwrap();
    let voice: Vec<f32> = (0..48_000).map(|n| 0.4 * (n as f32 * 0.02).sin() * (n as f32 * 0.0007).sin()).collect();
    let film = |compute: &Compute, lose_at: usize| {
        let network = MotionNetwork::load(compute, assets.weights("eac.safetensors").unwrap(), 2).unwrap();
        let prepared =
            PreparedAvatar::new(compute, &face, &avatar, SIZE, OutputFormat::I420, Method::Geometric).unwrap();
        let motion = network.stream(&network.emotions().mood(Emotion::Happy, 1.5).unwrap(), 3).unwrap();
        let mut session = Session::new(Box::new(motion), Box::new(prepared.generator().unwrap())).unwrap();
        session.say(&mut voice.clone());
        let mut pictures = Vec::new();
        for tick in 0..200 {
            loop {
                match session.poll(Duration::from_millis(5 * tick)).expect("a session goes on") {
                    Due::Later(_) => break,
                    Due::Event(_) => continue,
                    Due::Frame(frame) => {
                        if pictures.len() == lose_at {
                            device.destroy();
                        }
                        pictures.push(session.draw(&frame).expect("a frame is drawn again").bytes.to_vec());
                    }
                }
            }
        }
        // Another face for the same session, after the loss.
        session.set_avatar(Box::new(prepared.generator().unwrap()));
        pictures
    };
    let expected = film(&Compute::Cpu, usize::MAX);
    let got = film(&Compute::Gpu(Arc::clone(&device)), 8);
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(got.len(), expected.len());
    assert!(got.len() > 15, "{} pictures", got.len());
    for (n, (e, g)) in expected.iter().zip(&got).enumerate() {
        let psnr = psnr(e, g);
        assert!(psnr >= 45.0, "picture {n}: {psnr} dB");
    }
    // And one that is worked out when the device is gone.
    let compute = Compute::Gpu(device);
    let mut late =
        PortraitGenerator::new(&compute, &face, &avatar, SIZE, OutputFormat::I420, Method::Geometric).unwrap();
    late.frame(&Drive::default()).unwrap();
}
