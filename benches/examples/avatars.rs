//! What avatars cost on the CPU executor: time and heap of the first, of each further one, and of a session.
//!
//! `cargo run --release -p vultus-benches --example avatars [SIZE]`
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "printing tables is what benchmarks are for")]

use std::alloc::System;
use std::time::Instant;

use cap::Cap;
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::hef::HefWeights;
use vultus::generator::{Generator as _, Method, OutputFormat, Recording};
use vultus_native::assets::Assets;

/// Counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Milliseconds, and megabytes that stay.
fn cost<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (before, start) = (HEAP.allocated(), Instant::now());
    let made = work();
    let ms = start.elapsed().as_secs_f64() * 1e3;
    (made, ms, (HEAP.allocated() as f64 - before as f64) / 1e6)
}

fn main() {
    let size = std::env::args().nth(1).map_or(512, |size| size.parse().expect("a number of pixels"));
    let assets = Assets::locate(None).expect("assets");
    let (model, ..) = cost(|| FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("a model"));
    let nano = HefWeights::read(assets.weights("hef_nano.safetensors").expect("weights")).expect("nano");
    let avatars: Vec<AvatarFile> =
        assets.avatars().expect("avatars").iter().map(|name| assets.avatar(name).expect("an avatar")).collect();
    println!("{size} × {size}, {} avatars", avatars.len());
    for (name, method) in [("warp", Method::Geometric), ("nano", Method::Learned(&nano))] {
        let format = OutputFormat::I420;
        let (recording, ms, mb) =
            cost(|| Recording::new(&Compute::Cpu, &model, size, format, method).expect("a good size"));
        println!("{name}: recording      {ms:7.1} ms {mb:7.2} MB");
        let mut prepared = Vec::new();
        let (mut further_ms, mut further_mb) = (0.0, 0.0);
        for (i, avatar) in avatars.iter().enumerate() {
            let (made, ms, mb) = cost(|| recording.prepare(&model, avatar).expect("an avatar"));
            prepared.push(made);
            if i == 0 {
                println!("{name}: first avatar   {ms:7.1} ms {mb:7.2} MB");
            } else {
                further_ms += ms / (avatars.len() - 1) as f64;
                further_mb += mb / (avatars.len() - 1) as f64;
            }
        }
        println!("{name}: each further   {further_ms:7.1} ms {further_mb:7.2} MB (mean)");
        let (mut generator, ms, mb) = cost(|| prepared[0].generator().expect("a generator"));
        println!("{name}: a session      {ms:7.1} ms {mb:7.2} MB");
        let ((), ms, mb) = cost(|| generator.show(&prepared[1]).expect("the same recording"));
        println!("{name}: another avatar {ms:7.1} ms {mb:7.2} MB");
        generator.frame(&Drive::new(&avatars[1].beta, &[0.0; 6])).expect("the CPU is there");
    }
}
