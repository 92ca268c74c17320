//! WAV and its kin: RIFF, RIFX, RF64, BW64 and Sony's W64.
//!
//! Lengths in their headers are believed only as far as the bytes bear them out. A program that writes into a pipe cannot go back to its
//! header: ffmpeg leaves the largest number there, SoX and `arecord` one near 2 GiB, others 0 or two thousand million, and a
//! recorder that was killed leaves what it began with. Such a file is complete all the same: it ends where its bytes end.

use std::io::{Seek as _, SeekFrom};

use super::frames::{Opened, Refusal};
use super::input::Input;
use super::library;
use super::pcm::Length;
use super::wave_format::{self, Stored};

/// Longest format chunk that makes sense, bytes.
const FORMAT_MAX: u64 = 1 << 12;
/// Largest header that is searched where its chunks do not lead to the sound, bytes.
const SEARCHED: usize = 1 << 20;
/// A file that claims this much and has not half of it was never that long: its writer did not know.
const UNLIKELY: u64 = 1 << 29;

/// How the chunks of a file are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flavour {
    /// RIFF and RIFX: sizes of 32 bits.
    Riff { big_endian: bool },
    /// RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088): the size of the sound stands in a chunk `ds64`.
    Rf64,
    /// Sony Wave64: names of 16 bytes, sizes of 64 bits that count their own header, chunks at multiples of eight.
    W64,
}

/// What the header said.
#[derive(Default)]
struct Header {
    format: Option<Vec<u8>>,
    /// Size of the whole, as the first chunk says.
    whole: u64,
    /// Size of the sound by `ds64`.
    large: Option<u64>,
    /// Frames, by `fact`.
    frames: Option<u64>,
    /// Where the sound begins and how long it claims to be.
    data: Option<(u64, u64)>,
}

/// Opens a file of this family; `None` if it is none.
pub(super) fn open(mut input: Input) -> Result<Result<Opened, Input>, Refusal> {
    let Some((flavour, whole)) = flavour(&mut input)? else { return Ok(Err(input)) };
    let mut header = Header { whole, ..Header::default() };
    walk(&mut input, flavour, &mut header)?;
    if (header.data.is_none() || header.format.is_none()) && input_is_seekable(&input) {
        search(&mut input, flavour, &mut header)?;
    }
    let (Some((start, claimed)), Some(format)) = (header.data, header.format.take()) else {
        return Err(Refusal::NotAudio);
    };
    if input_is_seekable(&input) {
        input.seek(SeekFrom::Start(start))?;
    }
    let length = length(&mut input, &header, claimed)?;
    let big_endian = flavour == Flavour::Riff { big_endian: true };
    let opened = match wave_format::read(&format, big_endian, length)? {
        Stored::Pcm(pcm) => pcm.open(input)?,
        Stored::Adpcm(adpcm) => adpcm.open(input, header.frames),
        Stored::Stream => library::open(input.window(length.bytes))?,
    };
    Ok(Ok(opened))
}

fn input_is_seekable(input: &Input) -> bool {
    symphonia::core::io::MediaSource::is_seekable(input)
}

fn flavour(input: &mut Input) -> Result<Option<(Flavour, u64)>, Refusal> {
    let head = input.peek(40)?;
    let form = head.get(8..12) == Some(b"WAVE");
    let (flavour, whole, skip) = match head.get(..4) {
        Some(b"RIFF") if form => (Flavour::Riff { big_endian: false }, number(&head[4..8]), 12),
        Some(b"RIFX") if form => (Flavour::Riff { big_endian: true }, number(&reversed(&head[4..8])), 12),
        Some(b"RF64" | b"BW64") if form => (Flavour::Rf64, u64::from(u32::MAX), 12),
        Some(b"riff") if head.get(24..28) == Some(b"wave") => (Flavour::W64, number(&head[16..24]), 40),
        _ => return Ok(None),
    };
    input.skip(skip)?;
    Ok(Some((flavour, whole)))
}

/// Goes from chunk to chunk, to the sound or to the end.
fn walk(input: &mut Input, flavour: Flavour, header: &mut Header) -> Result<(), Refusal> {
    loop {
        let Some((name, size)) = next_chunk(input, flavour)? else { return Ok(()) };
        match &name {
            b"fmt " if size <= FORMAT_MAX => {
                let mut chunk = vec![0; size as usize];
                let got = input.fill(&mut chunk)?;
                chunk.truncate(got);
                header.format = Some(chunk);
            }
            b"ds64" if size >= 16 => {
                let Some(chunk) = input.bytes::<16>()? else { return Ok(()) };
                header.whole = number(&chunk[..8]);
                header.large = Some(number(&chunk[8..]));
                if !input.skip(size - 16)? {
                    return Ok(());
                }
            }
            b"fact" if size >= 4 => {
                let Some(chunk) = input.bytes::<4>()? else { return Ok(()) };
                header.frames = Some(number(&chunk));
                if !input.skip(size - 4)? {
                    return Ok(());
                }
            }
            b"data" => {
                let size = match header.large {
                    Some(large) if size == u64::from(u32::MAX) => large,
                    _ => size,
                };
                header.data.get_or_insert((input.position(), size));
                // The format may stand behind the sound.
                if header.format.is_some() || !input_is_seekable(input) || !input.skip(size)? {
                    return Ok(());
                }
            }
            _ => {
                if !input.skip(size)? {
                    return Ok(());
                }
            }
        }
        pad(input, flavour, size)?;
    }
}

/// Name and size of the next chunk, `None` at the end.
fn next_chunk(input: &mut Input, flavour: Flavour) -> Result<Option<([u8; 4], u64)>, Refusal> {
    Ok(match flavour {
        Flavour::W64 => input.bytes::<24>()?.map(|head| {
            // The names of chunks that matter begin with the same four letters as in RIFF.
            let name = [head[0], head[1], head[2], head[3]];
            (name, number(&head[16..]).saturating_sub(24))
        }),
        Flavour::Riff { big_endian: true } => {
            input.bytes::<8>()?.map(|head| ([head[0], head[1], head[2], head[3]], number(&reversed(&head[4..]))))
        }
        _ => input.bytes::<8>()?.map(|head| ([head[0], head[1], head[2], head[3]], number(&head[4..]))),
    })
}

/// Goes on to where the next chunk begins.
fn pad(input: &mut Input, flavour: Flavour, size: u64) -> Result<(), Refusal> {
    let pad = match flavour {
        Flavour::W64 => size.wrapping_neg() % 8,
        // At even bytes, but for writers who forgot.
        _ if size % 2 == 1 => {
            let next = input.peek(4)?;
            u64::from(!(next.len() == 4 && is_name(next)))
        }
        _ => 0,
    };
    input.skip(pad)?;
    Ok(())
}

/// Looks for the chunks by their names, where a wrong size has led astray.
fn search(input: &mut Input, flavour: Flavour, header: &mut Header) -> Result<(), Refusal> {
    if flavour == Flavour::W64 {
        return Ok(());
    }
    input.seek(SeekFrom::Start(0))?;
    let start = input.peek(SEARCHED)?.to_vec();
    let find = |name: &[u8]| start.windows(4).position(|four| four == name).filter(|at| at + 8 <= start.len());
    let size = |at: usize| match flavour {
        Flavour::Riff { big_endian: true } => number(&reversed(&start[at + 4..at + 8])),
        _ => number(&start[at + 4..at + 8]),
    };
    if let (None, Some(at)) = (&header.format, find(b"fmt ")) {
        let end = start.len().min(at + 8 + size(at).min(FORMAT_MAX) as usize);
        header.format = Some(start[at + 8..end].to_vec());
    }
    if let (None, Some(at)) = (header.data, find(b"data")) {
        header.data = Some((at as u64 + 8, size(at)));
    }
    Ok(())
}

/// How long the sound is that begins here and claims to have so many bytes.
fn length(input: &mut Input, header: &Header, claimed: u64) -> Result<Length, Refusal> {
    let rest = input.rest();
    let start = input.position();
    let known = Length { bytes: Some(claimed), sure: true };
    Ok(match (claimed, rest) {
        (0, _) => {
            // An empty chunk may have others behind it; else nobody went back to fill the size in.
            let next = input.peek(8)?;
            let followed = next.len() == 8 && is_name(&next[..4]) && header.whole >= start;
            let told = header.whole >= 4 && header.whole.saturating_add(8) == start && next.is_empty();
            if followed || told { known } else { Length::OPEN }
        }
        (0x7fff_0000..=0x8000_0000 | 0xffff_0000..=0xffff_ffff, None) | (UNLIKELY.., None) => Length::OPEN,
        (0x7fff_0000..=0x8000_0000 | 0xffff_0000..=0xffff_ffff, Some(rest)) if rest < claimed => Length::OPEN,
        (UNLIKELY.., Some(rest)) if rest < claimed / 2 => Length::OPEN,
        (_, Some(rest)) if rest > claimed => {
            // What is behind the sound is another chunk, or a tag, or the sound goes on and its size was never brought up to date.
            let more = rest - claimed;
            let end = start + claimed + claimed % 2;
            let ends = more < UNLIKELY
                && (more < 4096 || !input_is_seekable(input) || {
                    input.seek(SeekFrom::Start(end))?;
                    let next = input.peek(64)?;
                    let ends = is_name(&next[..4]) || next.starts_with(b"TAG") || next.iter().all(|byte| *byte == 0);
                    input.seek(SeekFrom::Start(start))?;
                    ends
                });
            if ends { known } else { Length::OPEN }
        }
        _ => known,
    })
}

/// Whether these four bytes can be the name of a chunk.
fn is_name(four: &[u8]) -> bool {
    four.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-+@".contains(byte))
        && four.iter().any(u8::is_ascii_alphabetic)
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}
