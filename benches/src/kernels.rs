//! Where a plan's time goes, kernel by kernel, on the CPU executor.

use std::collections::BTreeMap;
use std::time::Duration;

use vultus::compute::{Compute, PlanBuilder};
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::hef::{HefConfig, HefWeights};
use vultus::generator::{Method, OutputFormat, PortraitGenerator};
use vultus::motion::eac::{self, EacConfig, EacWeights, Head};
use vultus_native::assets::Assets;
use vultus_native::compute::clock;

const RUNS: usize = 100;
const WARM_UP: usize = 10;

/// The motion network's kernels, then those of a live frame of 512².
pub(crate) fn run() {
    let assets = Assets::locate(None).expect("assets");
    let mut reader = assets.weights("eac.safetensors").expect("weights");
    let weights = EacWeights::take(&mut reader, "", EacConfig::SHIPPED).expect("weights");
    let mut plan = PlanBuilder::new("EAC");
    eac::record(&mut plan, &weights, 1, Head::LookAhead(2), false);
    let mut executor = Compute::Cpu.executor(plan.finish().expect("the recorder is right")).expect("nothing is bound");
    table("motion, a frame", |_| executor.run_timed(clock()).expect("the CPU does not fail"));

    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("a face model");
    let avatar = assets.avatar("amara").expect("an avatar");
    // Random weights cost what others cost.
    let nano = HefWeights::random(HefConfig::named("nano").expect("a size of the file"), 1);
    let jaw = model.expression_index("jawOpen").expect("ARKit's names");
    for (name, method) in [("warp", Method::Geometric), ("nano", Method::Learned(&nano))] {
        let mut generator = PortraitGenerator::new(&Compute::Cpu, &model, &avatar, 512, OutputFormat::I420, method)
            .expect("a generator");
        table(&format!("face and picture by {name}, a frame of 512²"), |run| {
            // A mouth that opens and a head that sways, as in speech.
            let phase = run as f32 * 0.7;
            let mut beta = avatar.beta;
            beta[jaw] = 0.25 + 0.25 * phase.sin();
            generator
                .frame_timed(&Drive::new(&beta, &[0.02 * phase.cos(), 0.04 * phase.sin(), 0.0, 0.0, 0.0, 0.0]), clock())
                .expect("the CPU does not fail")
        });
    }
}

fn table(title: &str, mut frame: impl FnMut(usize) -> Vec<(&'static str, Duration)>) {
    let mut total: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for run in 0..RUNS + WARM_UP {
        let times = frame(run);
        if run >= WARM_UP {
            for (kernel, time) in times {
                let entry = total.entry(kernel).or_default();
                entry.0 += 1;
                entry.1 += time.as_secs_f64() * 1e3 / RUNS as f64;
            }
        }
    }
    println!("{title}");
    for (kernel, (count, ms)) in &total {
        println!("  {kernel:20} {:4} × {ms:8.3} ms", count / RUNS);
    }
    println!("  {:20}   sum  {:8.3} ms", "", total.values().map(|t| t.1).sum::<f64>());
}
