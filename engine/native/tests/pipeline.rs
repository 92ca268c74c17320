//! Speech to coefficients on the shipped weights: what comes out does not depend on how the sound was cut.

use vultus::compute::Compute;
use vultus::drive::MotionFrame;
use vultus::emotion::Emotion;
use vultus::motion::MotionNetwork;
use vultus::pipeline::SpeechToMotion;
use vultus_native::assets::{Assets, SAMPLE};
use vultus_native::audio::AudioReader;

/// Two seconds of the sample speech.
fn speech() -> (usize, Vec<f32>) {
    let mut reader = AudioReader::from_bytes(SAMPLE, Assets::embedded().read(SAMPLE).unwrap()).unwrap();
    let rate = reader.info().rate;
    let mut pcm = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        pcm.extend_from_slice(block.mono);
    }
    pcm.truncate(2 * rate);
    (rate, pcm)
}

fn frames(rate: usize, pcm: &[f32], block: usize, fps: u32, look_ahead: usize) -> Vec<MotionFrame> {
    let weights = Assets::embedded().weights("eac.safetensors").unwrap();
    let network = MotionNetwork::load(&Compute::Cpu, weights, look_ahead).unwrap();
    let motion = network.stream(&network.emotions().mood(Emotion::Happy, 1.5).unwrap(), 5).unwrap();
    let mut speech = SpeechToMotion::new(rate, Box::new(motion), fps).unwrap();
    let mut frames = Vec::new();
    for samples in pcm.chunks(block) {
        speech.push(samples).unwrap();
        frames.extend(std::iter::from_fn(|| speech.next_frame()));
    }
    speech.finish().unwrap();
    frames.extend(std::iter::from_fn(|| speech.next_frame()));
    frames
}

#[test]
fn block_sizes_do_not_matter() {
    let (rate, pcm) = speech();
    let whole = frames(rate, &pcm, pcm.len(), 30, 2);
    assert_eq!(whole.len(), 60);
    for block in [160, 997] {
        assert_eq!(frames(rate, &pcm, block, 30, 2), whole, "blocks of {block}");
    }
}

#[test]
fn every_look_ahead_gives_every_frame_and_moves_the_lips() {
    let (rate, pcm) = speech();
    for look_ahead in 0..=5 {
        let frames = frames(rate, &pcm, 1024, 25, look_ahead);
        assert_eq!(frames.len(), 50, "look-ahead {look_ahead}");
        assert!(frames.iter().enumerate().all(|(i, frame)| frame.index == i as u64));
        let jaw: Vec<f32> = frames.iter().map(|frame| frame.drive.beta[17]).collect();
        let range = jaw.iter().copied().fold(0.0, f32::max) - jaw.iter().copied().fold(1.0, f32::min);
        assert!(range > 0.05, "look-ahead {look_ahead}: the jaw moves by {range} only");
    }
}
