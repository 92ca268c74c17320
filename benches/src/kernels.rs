//! Where a plan's time goes, kernel by kernel, on the CPU executor.

use std::collections::BTreeMap;

use vultus::assets::Assets;
use vultus::compute::{Compute, PlanBuilder};
use vultus::motion::eac::{self, EacConfig, EacWeights, Head};

/// The motion network's kernels.
pub(crate) fn run() {
    let assets = Assets::locate(None).expect("assets");
    let mut reader = assets.weights("eac.safetensors").expect("weights");
    let weights = EacWeights::take(&mut reader, "", EacConfig::SHIPPED).expect("weights");
    let mut plan = PlanBuilder::new("EAC");
    eac::record(&mut plan, &weights, 1, Head::LookAhead(2), false);
    let mut executor = Compute::Cpu.executor(plan.finish());
    let runs = 100;
    let mut total: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for run in 0..runs + 10 {
        let times = executor.run_timed().expect("the CPU does not fail");
        if run >= 10 {
            for (kernel, time) in times {
                let entry = total.entry(kernel).or_default();
                entry.0 += 1;
                entry.1 += time.as_secs_f64() * 1e3;
            }
        }
    }
    for (kernel, (count, ms)) in &total {
        println!("{kernel:20} {:4} a frame {:8.3} ms", count / runs, ms / runs as f64);
    }
    println!("{:20}      sum     {:8.3} ms", "", total.values().map(|t| t.1).sum::<f64>() / runs as f64);
}
