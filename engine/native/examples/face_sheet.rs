//! Draws the 3DMM as a sheet of pictures, to look at, and prints each kernel's time on the CPU executor.
//!
//! `cargo run --release -p vultus --example face_sheet -- weights/face.safetensors sheet.png [NAME.avatar]`
//!
//! Columns: rest, jawOpen, smile, blink, yaw +20°, yaw −20°. Rows: I^rd; regions and triangle edges.
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::collections::BTreeMap;
use std::time::Duration;

use image::{Rgb, RgbImage};
use vultus::avatar::AvatarFile;
use vultus::compute::{Bindings, Compute, PlanBuilder};
use vultus::face::{self, FaceModel, Light, MOTION, NONE, Placement};
use vultus::weights::WeightReader;
use vultus_native::compute::clock;

const SIZE: usize = 512;
const REGIONS: [[f32; 3]; 8] = [
    [0.8, 0.6, 0.5],
    [0.5, 0.1, 0.15],
    [0.3, 0.5, 0.9],
    [0.3, 0.8, 0.6],
    [0.95, 0.95, 0.8],
    [0.9, 0.4, 0.5],
    [0.8, 0.3, 0.7],
    [0.1, 0.1, 0.1],
];

fn srgb(linear: f32) -> u8 {
    let v = linear.clamp(0.0, 1.0);
    let s = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
    (s * 255.0).round() as u8
}

fn main() {
    let mut args = std::env::args().skip(1);
    let weights = args.next().unwrap_or_else(|| "weights/face.safetensors".into());
    let out = args.next().unwrap_or_else(|| "face_sheet.png".into());
    let bytes = std::fs::read(&weights).expect("the weights file can be read");
    let model = FaceModel::read(WeightReader::new(weights, bytes).expect("a weights file")).expect("a face model");
    let avatar = args.next().map(|path| {
        let bytes = std::fs::read(&path).expect("the avatar can be read");
        AvatarFile::parse(&path, bytes).expect("an avatar file")
    });
    let (placement, light) = match &avatar {
        Some(a) => (Placement::of(a), Light::of(a)),
        None => (Placement::mean(), Light::mean()),
    };

    let mut plan = PlanBuilder::new("sheet");
    let tensors = face::record(&mut plan, &model, SIZE);
    let shading = face::record_shading(&mut plan, &tensors);
    let mut bindings = Bindings::default();
    tensors.bind(&mut bindings, &model, &placement);
    shading.bind(&mut bindings, &model, &light);
    for t in [tensors.triangle_id, tensors.barycentric, shading.rendered] {
        plan.output(t);
    }
    let program = Compute::Cpu.program(plan.finish().expect("the recorder is right"));
    let mut executor = program.executor(&bindings).expect("the recorder is right");

    let expression = |parts: &[(&str, f32)]| {
        let mut beta = placement.beta;
        for (name, value) in parts {
            beta[model.expression_index(name).expect("a name of the model")] = *value;
        }
        beta
    };
    let yaw = |degrees: f32| {
        let mut motion = [0.0f32; MOTION];
        motion[1] = degrees.to_radians();
        motion
    };
    let columns = [
        (expression(&[]), yaw(0.0)),
        (expression(&[("jawOpen", 0.8)]), yaw(0.0)),
        (expression(&[("mouthSmileLeft", 1.0), ("mouthSmileRight", 1.0)]), yaw(0.0)),
        (expression(&[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)]), yaw(0.0)),
        (expression(&[]), yaw(20.0)),
        (expression(&[]), yaw(-20.0)),
    ];
    let mut sheet = RgbImage::new((SIZE * columns.len()) as u32, 2 * SIZE as u32);
    for (column, (beta, motion)) in columns.iter().enumerate() {
        executor.write(tensors.beta, beta).expect("the recorder is right");
        executor.write(tensors.motion, motion).expect("the recorder is right");
        executor.run().expect("the CPU executor cannot fail");
        let rendered: &[[f32; 4]] = executor.read(shading.rendered).expect("the recorder is right");
        let ids: &[u32] = executor.read(tensors.triangle_id).expect("the recorder is right");
        let weights: &[[f32; 2]] = executor.read(tensors.barycentric).expect("the recorder is right");
        for y in 0..SIZE {
            for x in 0..SIZE {
                let at = y * SIZE + x;
                let mut put = |row: usize, c: [f32; 3]| {
                    sheet.put_pixel((column * SIZE + x) as u32, (row * SIZE + y) as u32, Rgb(c.map(srgb)));
                };
                let [r, g, b, mask] = rendered[at];
                if ids[at] == NONE {
                    (0..2).for_each(|row| put(row, [0.02, 0.02, 0.03]));
                    continue;
                }
                put(0, [r, g, b]);
                let w = [weights[at][0], weights[at][1], 1.0 - weights[at][0] - weights[at][1]];
                let line = if w.iter().any(|w| *w < 0.06) { 0.4 } else { 1.0 };
                put(1, REGIONS[model.triangles[ids[at] as usize][3] as usize].map(|c| c * line * (0.4 + 0.6 * mask)));
            }
        }
    }
    sheet.save(&out).expect("the picture can be written");
    println!("{out}");

    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for round in 0..100 {
        let mut beta = [0.1f32; 64];
        beta[round % 64] = 0.5;
        executor.write(tensors.beta, &beta).expect("the recorder is right");
        executor.write(tensors.motion, &yaw(round as f32 * 0.2 - 10.0)).expect("the recorder is right");
        for (name, time) in executor.run_timed(clock()).expect("the CPU executor cannot fail") {
            times.entry(name).or_default().push(time);
        }
    }
    for (name, mut t) in times {
        t.sort();
        println!("{name:16} p50 {:.3} ms, best {:.3} ms", t[50].as_secs_f64() * 1e3, t[0].as_secs_f64() * 1e3);
    }
}
