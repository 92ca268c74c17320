//! How many channels and words the network's tensors have.

use vultus_shaders::shared::hef_channels;

/// Channels of a frame's input `driven`.
pub const DRIVEN: usize = hef_channels::DRIVEN_CHANNELS as usize;
/// Channels of a portrait's input `source`.
pub const SOURCE: usize = 8;
/// Words of the style vector that the network uses: α 80, β 64, δ 80, γ 27, p 6, σ̂ 1.
pub const STYLE: usize = 258;
/// Words of the style tensor: [`STYLE`], and zeros that make it whole vectors.
pub const STYLE_WORDS: usize = 260;
/// Channels of the result: what changes 3, matte 1, residual flow 2.
pub const RESULT: usize = hef_channels::RESULT_CHANNELS as usize;

/// (B, C, C, 4) from `source` (B, 8, C, C): what [`super::HefInputs::portrait`] holds.
pub fn portrait(source: &[f32], crop: usize) -> Vec<[f32; 4]> {
    let plane = crop * crop;
    source
        .chunks_exact(SOURCE * plane)
        .flat_map(|s| (0..plane).map(|k| std::array::from_fn(|c| s[c * plane + k])))
        .collect()
}
