//! One frame of the motion network.

use std::time::Instant;

use vultus::audio::SAMPLES_PER_FRAME;
use vultus::emotion::Emotion;
use vultus::motion::{Motion as _, MotionNetwork};
use vultus_native::assets::Assets;
use vultus_native::compute::{Backend, open};

use crate::stats::percentiles;

/// Times the hearing of 200 frames on each executor that this machine has.
pub(crate) fn run() {
    for backend in [Backend::Cpu, Backend::Gpu] {
        let compute = match open(backend) {
            Ok(c) => c,
            Err(e) => {
                println!("{backend:?}: {e}");
                continue;
            }
        };
        let assets = Assets::locate(None).expect("assets");
        let weights = assets.weights("eac.safetensors").expect("weights");
        let network = MotionNetwork::load(&compute, weights, 2).expect("motion network");
        let mut model =
            network.stream(&network.emotions().mood(Emotion::Happy, 2.0).expect("a mood"), 1).expect("a stream");
        let sound: Vec<f32> = (0..SAMPLES_PER_FRAME).map(|n| 0.2 * (n as f32 * 0.1).sin()).collect();
        let mut frames = 0;
        for _ in 0..20 {
            model.hear(&sound, &mut |_| frames += 1).expect("device");
        }
        let times = (0..200)
            .map(|_| {
                let start = Instant::now();
                model.hear(&sound, &mut |_| frames += 1).expect("device");
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
