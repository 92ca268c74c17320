//! EAC against the activations that PyTorch wrote (`train/goldens/eac.py`), layer by layer, on every executor.

mod common;

use common::{Tolerance, check, compare, executors, sampled, take};
use vultus::compute::{Compute, Executor, PlanBuilder};
use vultus::motion::LOOK_AHEAD_MAX;
use vultus::motion::eac::{self, EXPRESSION, EacConfig, EacWeights, Head, TOKEN};
use vultus::weights::WeightReader;
use vultus_native::assets::Assets;

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
    executor.write(tensors.columns, columns).unwrap();
    executor.write(tensors.emotion, &weights.emotions[emotion * 64..][..64]).unwrap();
    executor.write(tensors.mu, &[mu]).unwrap();
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
        let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
        feed(&mut executor, &tensors, &weights, &columns, emotion, mu);
        for (name, tensor) in &tensors.probes {
            let shape = golden
                .shape(&format!("small.{name}"))
                .unwrap_or_else(|| panic!("{name} is not in the golden file"))
                .to_vec();
            let expected = golden.take_shaped(&format!("small.{name}"), &shape).unwrap();
            // Each layer sums up to 960 products, and errors pass through at most 12 layers.
            compare(&expected, executor.read(*tensor).unwrap(), Tolerance::sum(960, 2.0))
                .unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
        let sigma = golden.take("small.sigma", [32]).unwrap();
        compare(&sigma, executor.read(tensors.sigma).unwrap(), Tolerance::sum(960, 2.0))
            .unwrap_or_else(|e| panic!("{} sigma: {e}", compute.name()));
        let beta = golden.take("small.beta", [8, 64]).unwrap();
        compare(&beta, executor.read(tensors.beta).unwrap(), Tolerance::sum(960, 2.0))
            .unwrap_or_else(|e| panic!("{}: {e}", compute.name()));
    }
}

/// Two windows of the shipped network's length, one out of the sample speech: every layer, all coefficients, and for each look-ahead the token that is shown.
#[test]
fn every_layer_of_the_shipped_network_equals_pytorch() {
    const TOKENS: usize = EacConfig::SHIPPED.tokens;
    let mut golden = WeightReader::new("eac golden", GOLDEN).unwrap();
    let mut file = Assets::embedded().weights("eac.safetensors").unwrap();
    let weights = EacWeights::take(&mut file, "", EacConfig::SHIPPED).unwrap();
    file.finish().unwrap();
    let columns = golden.take("shipped.columns", [2, 4 * TOKENS + 8, 80]).unwrap();
    let columns: Vec<f32> = columns.chunks_exact(columns.len() / 2).flat_map(|w| windows(w, TOKENS)).collect();
    let emotions = golden.take_i32("shipped.emotion_index", [2]).unwrap();
    let emotions: Vec<f32> =
        emotions.iter().flat_map(|e| &weights.emotions[*e as usize * 64..][..64]).copied().collect();
    let mu = golden.take("shipped.mu", [2]).unwrap();
    let beta = golden.take("shipped.beta", [2, TOKENS, EXPRESSION]).unwrap();
    let run = |compute: &Compute, head: Head, probe: bool| {
        let mut plan = PlanBuilder::new("shipped EAC");
        let tensors = eac::record(&mut plan, &weights, 2, head, probe);
        let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
        executor.write(tensors.columns, &columns).unwrap();
        executor.write(tensors.emotion, &emotions).unwrap();
        executor.write(tensors.mu, &mu).unwrap();
        executor.run().expect("the device is there");
        (executor, tensors)
    };
    for compute in executors() {
        let (executor, tensors) = run(&compute, Head::All, true);
        assert_eq!(tensors.probes.len(), 4 * EacConfig::SHIPPED.blocks + 4, "audio, emotion, input, the blocks, norm");
        for (name, tensor) in &tensors.probes {
            let expected = take(&mut golden, &format!("shipped.{name}"));
            check(&expected, &sampled(executor.read(*tensor).unwrap()))
                .unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
        check(&beta, executor.read(tensors.beta).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", compute.name()));
        let sigma = take(&mut golden, "shipped.sigma");
        check(&sigma, executor.read(tensors.sigma).unwrap()).unwrap_or_else(|e| panic!("{} σ̂: {e}", compute.name()));
        for look_ahead in 0..=LOOK_AHEAD_MAX {
            let (executor, tensors) = run(&compute, Head::LookAhead(look_ahead), false);
            let token = (TOKENS - 1 - look_ahead) * EXPRESSION;
            let shown: Vec<f32> = beta
                .chunks_exact(TOKENS * EXPRESSION)
                .flat_map(|window| &window[token..][..EXPRESSION])
                .copied()
                .collect();
            check(&shown, executor.read(tensors.beta).unwrap())
                .unwrap_or_else(|e| panic!("{}, look-ahead {look_ahead}: {e}", compute.name()));
        }
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
        let mut single = compute.executor(plan.finish().unwrap()).unwrap();
        let (mut expected, mut sigmas) = (Vec::new(), Vec::<f32>::new());
        for (i, x) in inputs.iter().enumerate() {
            feed(&mut single, &one, &weights, x, i, 1.0 + i as f32);
            let all: &[f32] = single.read(one.beta).unwrap();
            expected.extend_from_slice(&all[(7 - 2) * 64..][..64]);
            sigmas.extend_from_slice(single.read(one.sigma).unwrap());
        }
        let mut plan = PlanBuilder::new("three");
        let three = eac::record(&mut plan, &weights, 3, Head::LookAhead(2), false);
        let mut batch = compute.executor(plan.finish().unwrap()).unwrap();
        batch.write(three.columns, &inputs.concat()).unwrap();
        batch.write(three.emotion, &weights.emotions[..3 * 64]).unwrap();
        batch.write(three.mu, &[1.0f32, 2.0, 3.0]).unwrap();
        batch.run().unwrap();
        for (expected, got) in [(&expected, three.beta), (&sigmas, three.sigma)] {
            compare(expected, batch.read(got).unwrap(), Tolerance::sum(960, 2.0))
                .unwrap_or_else(|e| panic!("{}: {e}", compute.name()));
        }
    }
}
