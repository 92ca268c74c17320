//! Damage to safetensors files: a length (u64), a JSON header of that length, data.

use crate::damage;
use crate::rng::Rng;
use crate::text;

const LENGTH: usize = 8;

/// Damages header or data, and mostly makes the length of the header right again.
pub(crate) fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let length = bytes.first_chunk::<LENGTH>().map(|length| u64::from_le_bytes(*length) as usize);
    let Some(end) = length.and_then(|length| length.checked_add(LENGTH)).filter(|end| *end <= bytes.len()) else {
        return damage::once(bytes, &[Vec::new()], rng);
    };
    if rng.once_in(3) {
        return floats(&mut bytes[end..], rng);
    }
    let mut header = bytes[LENGTH..end].to_vec();
    match rng.below(3) {
        0 => dtype(&mut header, rng),
        1 => text::json(&mut header, rng),
        _ => damage::once(&mut header, &[Vec::new()], rng),
    }
    if !rng.once_in(8) {
        bytes[..LENGTH].copy_from_slice(&(header.len() as u64).to_le_bytes());
    }
    bytes.splice(LENGTH..end, header);
}

/// Values that a network or a mesh cannot have.
fn floats(data: &mut [u8], rng: &mut Rng) {
    const VALUES: [f32; 10] =
        [0.0, -0.0, 1e-45, 1e30, -1e30, f32::MAX, f32::NAN, f32::INFINITY, f32::from_bits(u32::MAX), 1.0];
    let many = 1 + rng.near_the_start(64);
    let at = (rng.below(data.len().max(4) / 4) * 4).min(data.len());
    for word in data[at..].as_chunks_mut::<4>().0.iter_mut().take(many) {
        *word = rng.pick(&VALUES).to_le_bytes();
    }
}

/// A tensor gets another type or shape.
fn dtype(header: &mut Vec<u8>, rng: &mut Rng) {
    const TYPES: [&str; 8] = ["F32", "F16", "BF16", "F64", "U8", "U32", "I64", "BOOL"];
    let places: Vec<usize> =
        header.windows(7).enumerate().filter(|(_, w)| w == b"\"dtype\"").map(|(at, _)| at).collect();
    if places.is_empty() {
        return;
    }
    let at = *rng.pick(&places) + 7;
    let Some(open) = header[at..].iter().position(|b| *b == b'"').map(|n| at + n + 1) else { return };
    let Some(close) = header[open..].iter().position(|b| *b == b'"').map(|n| open + n) else { return };
    header.splice(open..close, rng.pick(&TYPES).bytes());
}
