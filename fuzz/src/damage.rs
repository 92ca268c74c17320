//! Damage to bytes, whatever they mean.

use crate::rng::Rng;

/// Numbers at which something overflows, wraps or allocates.
const EDGES: [u64; 22] = [
    0,
    1,
    2,
    7,
    8,
    16,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];
/// Inputs do not grow beyond this.
pub(crate) const LONGEST: usize = 1 << 20;

/// Damages `bytes` in one place. `others` are inputs to take pieces from.
pub(crate) fn once(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    if bytes.is_empty() {
        bytes.extend((0..1 + rng.below(64)).map(|_| rng.byte()));
        return;
    }
    let len = bytes.len();
    let at = if rng.once_in(3) { rng.below(len) } else { rng.near_the_start(len) };
    match rng.below(12) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.byte(),
        2 => bytes[at] = bytes[at].wrapping_add_signed(rng.below(17) as i8 - 8),
        3..=5 => write_number(bytes, at, rng),
        6 => bytes.truncate(at),
        7 => {
            let end = (at + 1 + rng.near_the_start(len - at)).min(len);
            bytes.drain(at..end);
        }
        8 => {
            let end = (at + 1 + rng.near_the_start(len - at)).min(len);
            let piece = bytes[at..end].to_vec();
            let to = rng.below(len + 1);
            insert(bytes, to, &piece);
        }
        9 => {
            let fill = *rng.pick(&[0, 0xff, 0x7f, 0x80, b' ']);
            let end = (at + 1 + rng.near_the_start(len - at)).min(len);
            bytes[at..end].fill(fill);
        }
        10 => {
            let other = rng.pick(others);
            if !other.is_empty() {
                let from = rng.below(other.len());
                let piece = other[from..(from + 1 + rng.near_the_start(other.len() - from)).min(other.len())].to_vec();
                insert(bytes, at, &piece);
            }
        }
        _ => {
            let noise: Vec<u8> = (0..1 + rng.below(16)).map(|_| rng.byte()).collect();
            insert(bytes, at, &noise);
        }
    }
}

/// A length, count, rate or offset becomes another one.
fn write_number(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let width = *rng.pick(&[1, 2, 3, 4, 4, 4, 8]);
    // Most fields are aligned to two bytes.
    let at = if rng.once_in(4) { at } else { at & !1 };
    let Some(field) = bytes.get_mut(at..at + width) else { return };
    let mut little = [0; 8];
    little[..width].copy_from_slice(field);
    let old = u64::from_le_bytes(little);
    let value = match rng.below(4) {
        0 => old.wrapping_add_signed(rng.below(33) as i64 - 16),
        1 => old << (1 + rng.below(8)),
        _ => *rng.pick(&EDGES),
    };
    let big = rng.once_in(2);
    for (i, byte) in field.iter_mut().enumerate() {
        let shift = 8 * if big { width - 1 - i } else { i };
        *byte = (value >> shift) as u8;
    }
}

pub(crate) fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= LONGEST.max(bytes.len()) {
        bytes.splice(at..at, piece.iter().copied());
    }
}
