//! One frame of the motion network.

use std::time::Instant;

use vultus::assets::Assets;
use vultus::compute::{Backend, Compute};
use vultus::emotion::Emotion;
use vultus::motion::{Motion as _, MotionModel, MotionSettings};

use crate::stats::percentiles;

pub(crate) const SETTINGS: MotionSettings =
    MotionSettings { look_ahead: 2, emotion: Emotion::Happy, intensity: 2.0, seed: 1 };

/// Times `push` of 200 frames on each executor that this machine has.
pub(crate) fn run() {
    for backend in [Backend::Cpu, Backend::Gpu] {
        let compute = match Compute::open(backend) {
            Ok(c) => c,
            Err(e) => {
                println!("{backend:?}: {e}");
                continue;
            }
        };
        let assets = Assets::locate(None).expect("assets");
        let weights = assets.weights("eac.safetensors").expect("weights");
        let mut model = MotionModel::new(&compute, weights, SETTINGS).expect("motion model");
        let columns = [[0.3; 80]; 4];
        for _ in 0..20 {
            model.push(&columns).expect("device");
        }
        let times = (0..200)
            .map(|_| {
                let start = Instant::now();
                model.push(&columns).expect("device");
                start.elapsed()
            })
            .collect();
        let [p50, p95, p99] = percentiles(times);
        println!(
            "EAC frame, {} ({}): p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms",
            compute.name(),
            compute.adapter()
        );
    }
}
