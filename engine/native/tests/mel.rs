//! The streaming mel front-end against the golden file written by `train/goldens/mel.py`.

use vultus::audio::{LogMel, MELS, mel_filters};
use vultus::weights::WeightReader;

#[test]
fn columns_and_filters_equal_the_training_side() {
    let golden: &[u8] = include_bytes!("golden/mel.safetensors");
    let mut golden = WeightReader::new("mel.safetensors", golden).unwrap();
    let pcm = golden.take("pcm", [16_000]).unwrap();
    let columns = golden.take("columns", [100, MELS]).unwrap();
    let filters = golden.take("filters", [MELS, 641]).unwrap();
    golden.finish().unwrap();

    for (index, (got, want)) in mel_filters().iter().zip(&filters).enumerate() {
        assert!((got - want).abs() <= 1e-6, "filter {} bin {}: {got} is not {want}", index / 641, index % 641);
    }
    let (mut mel, mut got) = (LogMel::new(), Vec::new());
    for block in pcm.chunks(333) {
        mel.push(block, |column| got.extend_from_slice(column));
    }
    assert_eq!(mel.finish(|column| got.extend_from_slice(column)), 25);
    assert_eq!(got.len(), columns.len());
    for (index, (got, want)) in got.iter().zip(&columns).enumerate() {
        // Both sides compute in f64 and round once; the transforms differ in the order of their sums.
        assert!((got - want).abs() <= 1e-5, "column {} row {}: {got} is not {want}", index / MELS, index % MELS);
    }
}
