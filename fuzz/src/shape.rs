//! Damage that keeps the shape of an input, so that it gets past the first check: lines of text, checksums, chunks, headers of tensors.

use crate::rng::Rng;
use crate::{damage, ogg, png, tensors, text};

/// What an input is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing in particular.
    Bytes,
    /// Lines of text.
    Lines,
    /// JSON.
    Json,
    /// Chunks or boxes: four letters beside a length.
    Chunks,
    /// OGG pages with checksums.
    Ogg,
    /// A safetensors file, perhaps with PNGs in it.
    Tensors,
}

/// Damages `bytes` in up to eight places.
pub(crate) fn damage(shape: Shape, bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let places = 1 + rng.near_the_start(8);
    for _ in 0..places {
        let kept = !rng.once_in(4);
        match shape {
            Shape::Lines if kept => text::lines(bytes, others, rng),
            Shape::Json if kept => text::json(bytes, rng),
            Shape::Chunks if kept => chunks(bytes, others, rng),
            Shape::Tensors if kept => tensors::damage(bytes, rng),
            _ => damage::once(bytes, others, rng),
        }
    }
    // A checksum that is wrong keeps the rest from ever being read.
    if !rng.once_in(8) {
        match shape {
            Shape::Ogg => ogg::sign(bytes),
            Shape::Tensors => png::sign(bytes),
            _ => {}
        }
    }
}

/// Damages a length beside a name of four letters, or swaps, doubles or drops what it names.
fn chunks(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let is_name = |w: &[u8]| w.iter().all(|b| b.is_ascii_graphic() || *b == b' ') && w[0] != b' ';
    let names: Vec<usize> =
        bytes.windows(4).take(1 << 16).enumerate().filter(|(_, w)| is_name(w)).map(|(at, _)| at).take(64).collect();
    if names.is_empty() {
        return damage::once(bytes, others, rng);
    }
    let at = *rng.pick(&names);
    let other = *rng.pick(&names);
    match rng.below(6) {
        // In RIFF and CAF the length comes after the name, in boxes before it; W64 and RF64 have 64 bits.
        0 | 1 => {
            let mut field: Vec<u8> = bytes[at + 4..(at + 8).min(bytes.len())].to_vec();
            damage::once(&mut field, others, rng);
            field.truncate(4);
            let end = (at + 4 + field.len()).min(bytes.len());
            bytes[at + 4..end].copy_from_slice(&field[..end - at - 4]);
        }
        2 if at >= 4 => {
            let value = *rng.pick(&[0u32, 1, 7, 8, 9, 0x7fff_ffff, 0xffff_ffff, bytes.len() as u32]);
            bytes[at - 4..at].copy_from_slice(&value.to_be_bytes());
        }
        3 => {
            let name: [u8; 4] = bytes[other..other + 4].try_into().expect("four letters");
            bytes[at..at + 4].copy_from_slice(&name);
        }
        4 => {
            let (from, to) = (at.min(other), at.max(other));
            let piece = bytes[from..to].to_vec();
            damage::insert(bytes, to, &piece);
        }
        _ => {
            let (from, to) = (at.min(other), at.max(other));
            bytes.drain(from..to);
        }
    }
}
