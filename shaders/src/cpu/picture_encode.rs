//! Twin of `picture_encode.wgsl`.

use rayon::prelude::*;

use super::math::linear_to_srgb;
use crate::kernels::PictureEncodeParams;

/// sRGB bytes; see the WGSL file.
pub fn picture_encode(p: &PictureEncodeParams, linear: &[[f32; 4]], rgba: &mut [u32]) {
    let size = p.size as usize;
    let rows = rgba.par_chunks_mut(size).zip(linear.par_chunks(size)).take(size);
    // In steps that the compiler can vectorise.
    rows.with_min_len(8).for_each_init(
        || vec![[0.0f32; 4]; size],
        |line, (out, from)| {
            for ((colour, word), own) in line.iter_mut().zip(&mut *out).zip(from) {
                *word = byte(own[3].clamp(0.0, 1.0)) << 24;
                let k = 1.0 / own[3].max(1e-4);
                *colour = [own[0] * k, own[1] * k, own[2] * k, 0.0];
            }
            for value in line.as_flattened_mut() {
                *value = linear_to_srgb(*value);
            }
            for (colour, word) in line.iter().zip(out) {
                *word |= byte(colour[0]) | (byte(colour[1]) << 8) | (byte(colour[2]) << 16);
            }
        },
    );
}

/// 0..1 as a byte: adding 2²³ leaves the rounded number in the low bits.
#[inline(always)]
fn byte(v: f32) -> u32 {
    (v * 255.0 + 8_388_608.0).to_bits() & 255
}
