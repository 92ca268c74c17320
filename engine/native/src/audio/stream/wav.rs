//! The fields of a WAV header that say how its samples are written.

use super::{Layout, RATES, SampleFormat, StreamError};

/// What a header of one of these kinds begins with, and eight bytes later `WAVE`. RF64 and BW64 (ITU-R BS.2088) are for files over 4 GiB.
const KINDS: [&[u8; 4]; 3] = [b"RIFF", b"RF64", b"BW64"];
pub(super) const MAGIC: usize = 12;
/// A chunk's name and its length.
pub(super) const CHUNK: usize = 8;
/// Bytes of a `fmt ` chunk that are looked at.
pub(super) const FORMAT: usize = 40;
/// Bytes of a `ds64` chunk that are looked at.
pub(super) const SIZES: usize = 16;
/// Longest chunk before the sound that is passed over, bytes.
pub(super) const CHUNK_MAX: u64 = 1 << 20;
/// Chunks that writers put behind the sound.
const TRAILERS: [&[u8; 4]; 16] = [
    b"LIST", b"list", b"id3 ", b"ID3 ", b"fact", b"cue ", b"bext", b"smpl", b"inst", b"JUNK", b"junk", b"PAD ",
    b"iXML", b"afsp", b"PEAK", b"cart",
];

/// Where the first header begins, or how much at the end of `bytes` could be the beginning of one.
pub(super) enum Found {
    At(usize),
    Rest(usize),
}

pub(super) fn find(bytes: &[u8]) -> Found {
    let fits = |at: usize| KINDS.iter().any(|kind| begins(&bytes[at..], kind));
    let candidates = || bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'R' | b'B')).map(|(at, _)| at);
    let end = bytes.len();
    match candidates().find(|at| fits(*at)) {
        Some(at) if at + MAGIC <= end => Found::At(at),
        // The first that may be one: what is behind it belongs to it.
        Some(at) => Found::Rest(end - at),
        None => Found::Rest(0),
    }
}

/// Whether `bytes`, as far as they go, are a header's first.
fn begins(bytes: &[u8], kind: &[u8; 4]) -> bool {
    let same = |bytes: &[u8], want: &[u8]| bytes.iter().zip(want).all(|(a, b)| a == b);
    same(bytes, kind) && same(bytes.get(8..).unwrap_or_default(), b"WAVE")
}

/// Whether this is the name of a chunk that stands behind the sound.
pub(super) fn is_trailer(name: &[u8]) -> bool {
    TRAILERS.iter().any(|known| known[..] == *name)
}

pub(super) fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// The length of a `data` chunk; `None` where its writer did not know it: a pipe's end is not known at its beginning. `large` is what a `ds64`
/// chunk said.
pub(super) fn data_length(stated: u32, large: Option<u64>) -> Option<u64> {
    match (stated, large) {
        (u32::MAX, Some(large)) => Some(large).filter(|large| (1..1 << 40).contains(large)),
        (0 | 0x7fff_0000..=0x8000_0000 | 0xffff_0000.., _) => None,
        // Some writers leave a round number in the billions: nobody sends hours of sound in one piece.
        (1_500_000_000.., _) => None,
        (stated, _) => Some(stated.into()),
    }
}

/// Reads a `fmt ` chunk that begins at byte `at`.
pub(super) fn layout(chunk: &[u8], at: u64) -> Result<Layout, StreamError> {
    let two = |from: usize| u16::from_le_bytes([chunk[from], chunk[from + 1]]);
    let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
    let (mut tag, channels, block, bits) = (two(0), two(2), two(12), two(14));
    let mut mask = None;
    let mut tag_at = at;
    if tag == 0xfffe && chunk.len() >= FORMAT {
        // WAVE_FORMAT_EXTENSIBLE: the code is the beginning of the sub-format's GUID.
        (tag, tag_at) = (two(24), at + 24);
        mask = Some(u32::from_le_bytes([chunk[20], chunk[21], chunk[22], chunk[23]])).filter(|mask| *mask != 0);
    }
    if channels == 0 || channels > super::CHANNELS_MAX {
        return Err(StreamError::Channels { channels, byte: at + 2 });
    }
    if !RATES.contains(&rate) {
        return Err(StreamError::Rate { rate, byte: at + 4 });
    }
    // Where the length of a frame is not what it can be, the bits have to do.
    let container = if block % channels == 0 && block > 0 { block / channels } else { bits.div_ceil(8) };
    let format = match (tag, container, bits) {
        (1, 1, _) => SampleFormat::U8,
        (1, 2, _) => SampleFormat::S16Le,
        (1, 3, _) => SampleFormat::S24Le,
        (1, 4, 24) => SampleFormat::S24In32Le,
        (1, 4, _) => SampleFormat::S32Le,
        (3, 4, _) => SampleFormat::F32Le,
        (3, 8, _) => SampleFormat::F64Le,
        (6, 1, _) => SampleFormat::ALaw,
        (7, 1, _) => SampleFormat::MuLaw,
        _ => return Err(StreamError::Encoding { tag, bits, byte: tag_at }),
    };
    Ok(Layout { format, rate, channels, mask })
}
