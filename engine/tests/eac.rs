//! EAC against the activations that PyTorch wrote (`train/goldens/eac.py`), layer by layer, on every executor.

mod common;

use common::{Tolerance, compare, executors};
use vultus::compute::{Executor, PlanBuilder};
use vultus::motion::eac::{self, EacConfig, EacWeights, Head, TOKEN};
use vultus::weights::WeightReader;

const GOLDEN: &[u8] = include_bytes!("golden/eac.safetensors");
const SMALL: EacConfig = EacConfig { width: 32, blocks: 2, heads: 4, ff: 64, tokens: 8 };

/// Token t sees columns 4t … 4t+11 of `columns` (C, 80).
fn windows(columns: &[f32], tokens: usize) -> Vec<f32> {
    (0..tokens).flat_map(|t| columns[t * 4 * 80..][..TOKEN].iter().copied()).collect()
}

fn feed(
    executor: &mut Executor,
    tensors: &eac::EacTensors,
    weights: &EacWeights,
    columns: &[f32],
    emotion: usize,
    mu: f32,
) {
    executor.write(tensors.columns, columns);
    executor.write(tensors.emotion, &weights.emotions[emotion * 64..][..64]);
    executor.write(tensors.mu, &[mu]);
    executor.run().expect("the device is there");
}

#[test]
fn every_layer_of_the_small_network_equals_pytorch() {
    let mut golden = WeightReader::new("eac golden", GOLDEN).unwrap();
    let weights = EacWeights::take(&mut golden, "small.weight.", SMALL).unwrap();
    let columns = windows(&golden.take("small.columns", [40, 80]).unwrap(), 8);
    let emotion = golden.take_i32("small.emotion_index", [1]).unwrap()[0] as usize;
    let mu = golden.take("small.mu", [1]).unwrap()[0];
    for compute in executors() {
        let mut plan = PlanBuilder::new("small EAC");
        let tensors = eac::record(&mut plan, &weights, 1, Head::All, true);
        let mut executor = compute.executor(plan.finish());
        feed(&mut executor, &tensors, &weights, &columns, emotion, mu);
        for (name, tensor) in &tensors.probes {
            let shape = golden
                .shape(&format!("small.{name}"))
                .unwrap_or_else(|| panic!("{name} is not in the golden file"))
                .to_vec();
            let expected = golden.take_shaped(&format!("small.{name}"), &shape).unwrap();
            // Each layer sums up to 960 products, and errors pass through at most 12 layers.
            compare(&expected, executor.read(*tensor), Tolerance::sum(960, 2.0))
                .unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
        let beta = golden.take("small.beta", [8, 64]).unwrap();
        compare(&beta, executor.read(tensors.beta), Tolerance::sum(960, 2.0))
            .unwrap_or_else(|e| panic!("{}: {e}", compute.name()));
    }
}

#[test]
fn a_batch_equals_its_members_and_the_look_ahead_picks_its_token() {
    let mut golden = WeightReader::new("eac golden", GOLDEN).unwrap();
    let weights = EacWeights::take(&mut golden, "small.weight.", SMALL).unwrap();
    for compute in executors() {
        let inputs: Vec<Vec<f32>> = (0..3).map(|i| common::noise(i, 8 * TOKEN)).collect();
        let mut plan = PlanBuilder::new("one");
        let one = eac::record(&mut plan, &weights, 1, Head::All, false);
        let mut single = compute.executor(plan.finish());
        let mut expected = Vec::new();
        for (i, x) in inputs.iter().enumerate() {
            feed(&mut single, &one, &weights, x, i, 1.0 + i as f32);
            let all: &[f32] = single.read(one.beta);
            expected.extend_from_slice(&all[(7 - 2) * 64..][..64]);
        }
        let mut plan = PlanBuilder::new("three");
        let three = eac::record(&mut plan, &weights, 3, Head::LookAhead(2), false);
        let mut batch = compute.executor(plan.finish());
        batch.write(three.columns, &inputs.concat());
        batch.write(three.emotion, &weights.emotions[..3 * 64]);
        batch.write(three.mu, &[1.0f32, 2.0, 3.0]);
        batch.run().unwrap();
        compare(&expected, batch.read(three.beta), Tolerance::sum(960, 2.0))
            .unwrap_or_else(|e| panic!("{}: {e}", compute.name()));
    }
}
