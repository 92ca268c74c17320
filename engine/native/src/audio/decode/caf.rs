//! Apple's Core Audio Format with plain samples or ADPCM. What else it may hold is read by Symphonia.

use super::adpcm::{Adpcm, Kind};
use super::frames::{Opened, Refusal};
use super::input::Input;
use super::pcm::{Coding, Length, Pcm};
use super::wave_format::layout;

/// Bytes of the description of a sound.
const DESCRIPTION: usize = 32;

/// Opens a file of this kind; gives the input back, at its start, if it is none or is packed otherwise.
pub(super) fn open(mut input: Input) -> Result<Result<Opened, Input>, Refusal> {
    // The description is the first chunk (Apple's specification, "CAF File Structure").
    let head = input.peek(8 + 12 + DESCRIPTION)?.to_vec();
    if head.len() < 8 + 12 + DESCRIPTION || !head.starts_with(b"caff") || &head[8..12] != b"desc" {
        return Ok(Err(input));
    }
    let description = &head[20..];
    let rate = f64::from_bits(number(&description[..8])).round().clamp(0.0, f64::from(u32::MAX)) as u32;
    let field = |at: usize| number(&description[at..at + 4]);
    let (format, flags, packet, channels, bits) = (&description[8..12], field(12), field(16), field(24), field(28));
    let count = u16::try_from(channels).unwrap_or(u16::MAX);
    let little = flags & 2 != 0;
    let room = packet.checked_div(channels).filter(|bytes| (1..=8).contains(bytes)).unwrap_or(bits.div_ceil(8));
    let (coding, bytes, little) = match format {
        b"lpcm" if flags & 1 != 0 && (room == 4 || room == 8) => (Coding::Float, room, little),
        b"lpcm" if flags & 1 == 0 && (1..=8).contains(&room) => (Coding::Signed { valid: bits as u32 }, room, little),
        b"ulaw" => (Coding::MuLaw, 1, false),
        b"alaw" => (Coding::ALaw, 1, false),
        b"ima4" => (Coding::Unsigned, 1, false),
        _ => return Ok(Err(input)),
    };
    let channels = layout(count, 0)?;
    input.skip(head[12..20].iter().fold(0, |size, byte| size << 8 | u64::from(*byte)).saturating_add(20))?;
    loop {
        let Some(head) = input.bytes::<12>()? else { return Err(Refusal::NoSamples) };
        let size = number(&head[4..]);
        if &head[..4] != b"data" {
            if !input.skip(size)? {
                return Err(Refusal::NoSamples);
            }
            continue;
        }
        // Behind a count of edits. A size of −1, or one that cannot be, lasts to the end.
        input.skip(4)?;
        let length = match size {
            0 | 0x8000_0000_0000_0000.. => Length::OPEN,
            size if size >= 1 << 29 && input.rest().is_none_or(|rest| rest < size / 2) => Length::OPEN,
            size => Length { bytes: Some(size.saturating_sub(4)), sure: true },
        };
        if format == b"ima4" {
            let block = 34 * channels.count();
            return Ok(Ok(Adpcm::new(Kind::Apple, block, 4, rate, channels, length)?.open(input, None)));
        }
        let pcm = Pcm { coding, bytes: bytes as usize, big_endian: !little, rate, channels, length };
        return pcm.open(input).map(Ok);
    }
}

/// A big-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
