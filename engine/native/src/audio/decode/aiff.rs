//! AIFF and AIFF-C (Apple, 1989 and 1991), and AU (Sun, NeXT).

use std::io::{Seek as _, SeekFrom};

use symphonia::core::io::MediaSource as _;

use super::adpcm::{Adpcm, Kind};
use super::frames::{Opened, Refusal};
use super::input::Input;
use super::pcm::{Coding, Length, Pcm};
use super::wave_format::layout;

/// Longest chunk of parameters that makes sense, bytes.
const COMMON_MAX: u64 = 1 << 12;

/// Opens a file of one of these; gives the input back if it is none.
pub(super) fn open(mut input: Input) -> Result<Result<Opened, Input>, Refusal> {
    let head = input.peek(12)?;
    match (head.get(..4), head.get(8..12)) {
        (Some(b"FORM"), Some(b"AIFF" | b"AIFC")) => aiff(input).map(Ok),
        (Some(b".snd" | b"dns."), _) => au(input).map(Ok),
        _ => Ok(Err(input)),
    }
}

/// What the chunk `COMM` says.
struct Common {
    channels: u16,
    frames: u64,
    bits: u16,
    rate: u32,
    compression: [u8; 4],
}

fn aiff(mut input: Input) -> Result<Opened, Refusal> {
    let (mut common, mut sound) = (None, None);
    input.skip(12)?;
    while common.is_none() || sound.is_none() {
        let Some(head) = input.bytes::<8>()? else { break };
        let size = number(&head[4..]);
        match &head[..4] {
            b"COMM" if size <= COMMON_MAX => {
                let mut chunk = vec![0; size as usize];
                let got = input.fill(&mut chunk)?;
                common = Common::read(&chunk[..got]);
            }
            b"SSND" if size >= 8 => {
                let Some(fields) = input.bytes::<8>()? else { break };
                let offset = number(&fields[..4]);
                sound = Some((input.position() + offset, (size - 8).saturating_sub(offset)));
                // The parameters may stand behind the sound.
                if common.is_some() || !input.is_seekable() || !input.skip(size - 8)? {
                    break;
                }
            }
            _ => {
                if !input.skip(size)? {
                    break;
                }
            }
        }
        input.skip(size % 2)?;
    }
    let (Some(common), Some((start, claimed))) = (common, sound) else { return Err(Refusal::NotAudio) };
    if input.is_seekable() {
        input.seek(SeekFrom::Start(start))?;
    } else {
        let ahead = start.saturating_sub(input.position());
        input.skip(ahead)?;
    }
    common.open(input, claimed)
}

impl Common {
    fn read(chunk: &[u8]) -> Option<Self> {
        let rate = extended(chunk.get(8..18)?);
        Some(Self {
            channels: number(chunk.get(..2)?) as u16,
            frames: number(chunk.get(2..6)?),
            bits: number(chunk.get(6..8)?) as u16,
            rate: rate.round().clamp(0.0, f64::from(u32::MAX)) as u32,
            compression: chunk.get(18..22).map_or(*b"NONE", |name| [name[0], name[1], name[2], name[3]]),
        })
    }

    fn open(self, input: Input, claimed: u64) -> Result<Opened, Refusal> {
        let channels = layout(self.channels, 0)?;
        let count = channels.count() as u64;
        let bytes = usize::from(self.bits).div_ceil(8);
        let signed = Coding::Signed { valid: u32::from(self.bits) };
        let (coding, bytes, big_endian) = match &self.compression {
            b"NONE" | b"twos" | b"lpcm" => (signed, bytes, true),
            b"sowt" => (signed, bytes, false),
            b"raw " => (Coding::Unsigned, bytes, true),
            b"in24" => (Coding::Signed { valid: 24 }, 3, true),
            b"42ni" => (Coding::Signed { valid: 24 }, 3, false),
            b"in32" => (Coding::Signed { valid: 32 }, 4, true),
            b"23ni" => (Coding::Signed { valid: 32 }, 4, false),
            b"fl32" | b"FL32" => (Coding::Float, 4, true),
            b"fl64" | b"FL64" => (Coding::Float, 8, true),
            b"ulaw" | b"ULAW" => (Coding::MuLaw, 1, true),
            b"alaw" | b"ALAW" => (Coding::ALaw, 1, true),
            b"ima4" => {
                let length = length(&input, claimed, self.frames.saturating_mul(34 * count));
                // Here the frames of `COMM` are blocks.
                return Ok(
                    Adpcm::new(Kind::Apple, 34 * count as usize, 4, self.rate, channels, length)?.open(input, None)
                );
            }
            other => {
                let name = String::from_utf8_lossy(other).trim().to_owned();
                return Err(Refusal::Unsupported(format!("the AIFF-C encoding {name:?}")));
            }
        };
        if bytes == 0 || bytes > 8 {
            return Err(Refusal::Unsupported(format!("samples of {} bits", self.bits)));
        }
        let length = length(&input, claimed, self.frames.saturating_mul(bytes as u64 * count));
        Pcm { coding, bytes, big_endian, rate: self.rate, channels, length }.open(input)
    }
}

/// How long the sound is, by the size of its chunk and by its frames. Where one of the two was not filled in, the other holds; where
/// neither fits, the file's end.
fn length(input: &Input, claimed: u64, frames: u64) -> Length {
    let fits = |bytes: u64| bytes > 0 && input.rest().is_none_or(|rest| bytes <= rest);
    match (fits(claimed), fits(frames)) {
        // Samples that fill no whole byte, and the odd one at the end, make the chunk a little larger.
        (true, true) => Length { bytes: Some(claimed.min(frames)), sure: true },
        (true, false) => Length { bytes: Some(claimed), sure: true },
        (false, true) => Length { bytes: Some(frames), sure: true },
        // Both say more than there is, and the same: what is missing is missing.
        (false, false) if claimed > 0 && claimed.abs_diff(frames) < 16 && claimed < 1 << 29 => {
            Length { bytes: Some(claimed), sure: true }
        }
        _ => Length::OPEN,
    }
}

fn au(mut input: Input) -> Result<Opened, Refusal> {
    let Some(head) = input.bytes::<24>()? else { return Err(Refusal::NotAudio) };
    let little = head.starts_with(b"dns.");
    let field = |at: usize| {
        let mut bytes = head[at..at + 4].to_vec();
        if little {
            bytes.reverse();
        }
        number(&bytes)
    };
    let (coding, bytes) = match field(12) {
        1 => (Coding::MuLaw, 1),
        2 => (Coding::Signed { valid: 8 }, 1),
        3 => (Coding::Signed { valid: 16 }, 2),
        4 => (Coding::Signed { valid: 24 }, 3),
        5 => (Coding::Signed { valid: 32 }, 4),
        6 => (Coding::Float, 4),
        7 => (Coding::Float, 8),
        27 => (Coding::ALaw, 1),
        other => return Err(Refusal::Unsupported(format!("the AU encoding {other}"))),
    };
    input.skip(field(4).saturating_sub(24))?;
    let claimed = field(8);
    let length = match input.rest() {
        _ if claimed == 0 || claimed == u64::from(u32::MAX) => Length::OPEN,
        Some(rest) if claimed >= 1 << 29 && rest < claimed / 2 => Length::OPEN,
        _ => Length { bytes: Some(claimed), sure: true },
    };
    let channels = layout(u16::try_from(field(20)).unwrap_or(u16::MAX), 0)?;
    Pcm { coding, bytes, big_endian: !little, rate: field(16) as u32, channels, length }.open(input)
}

/// A big-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// An IEEE 754 number of 80 bits: sign, 15 bits of exponent, 64 of mantissa with its leading one.
fn extended(bytes: &[u8]) -> f64 {
    let exponent = (number(&bytes[..2]) & 0x7fff) as i32;
    number(&bytes[2..]) as f64 * 2f64.powi(exponent - 16_383 - 63)
}
