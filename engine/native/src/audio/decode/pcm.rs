//! Plain samples, in whatever they are stored.

use symphonia::core::audio::Channels;

use super::frames::{Frames, Opened, Piece, Refusal};
use super::input::Input;

/// Bytes that are read at a time, about.
const CHUNK: usize = 1 << 16;

/// How one sample is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Coding {
    /// A signed integer of which `valid` bits count.
    Signed {
        /// Bits that count.
        valid: u32,
    },
    /// An integer whose middle is zero, as in 8-bit WAV.
    Unsigned,
    /// IEEE 754, of 4 or 8 bytes.
    Float,
    /// ITU-T G.711.
    ALaw,
    /// ITU-T G.711.
    MuLaw,
}

/// Plain samples: how they are stored, and how many.
#[derive(Clone, Debug)]
pub(super) struct Pcm {
    pub(super) coding: Coding,
    /// Bytes of a sample.
    pub(super) bytes: usize,
    pub(super) big_endian: bool,
    pub(super) rate: u32,
    pub(super) channels: Channels,
    pub(super) length: Length,
}

/// How many bytes of sound there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Length {
    /// As far as is known; to the end of the file if it is not.
    pub(super) bytes: Option<u64>,
    /// Whether a file that ends before is truncated.
    pub(super) sure: bool,
}

impl Length {
    /// To the end of the file.
    pub(super) const OPEN: Self = Self { bytes: None, sure: false };
}

/// Where the bits that count are in a sample that has room for more.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Nothing heard so far tells.
    Unknown,
    /// At the top, as the formats ask.
    Top,
    /// At the bottom, as some drivers deliver them and some programs store them.
    Bottom,
}

/// The reader of plain samples.
struct Samples {
    input: Input,
    pcm: Pcm,
    frame: usize,
    left: Option<u64>,
    place: Place,
    buffer: Vec<u8>,
}

impl Pcm {
    /// The sound that begins here.
    pub(super) fn open(self, input: Input) -> Result<Opened, Refusal> {
        let frame = self.bytes * self.channels.count();
        if frame == 0 {
            return Err(Refusal::NoSamples);
        }
        let (rate, channels) = (self.rate, self.channels.clone());
        let length = self.length.bytes.filter(|_| self.length.sure).map(|bytes| bytes / frame as u64);
        if length == Some(0) {
            return Err(Refusal::NoSamples);
        }
        let buffer = vec![0; (CHUNK / frame).max(1) * frame];
        let left = self.length.bytes;
        let frames = Box::new(Samples { input, pcm: self, frame, left, place: Place::Unknown, buffer });
        Ok(Opened { frames, rate, channels, length })
    }
}

impl Frames for Samples {
    fn next(&mut self, samples: &mut Vec<f32>) -> Piece {
        samples.clear();
        let wanted = self.left.map_or(self.buffer.len(), |left| {
            self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX) / self.frame * self.frame)
        });
        if wanted == 0 {
            return Piece::End;
        }
        let got = match self.input.fill(&mut self.buffer[..wanted]) {
            Ok(got) => got,
            Err(error) => return Piece::Unreadable(error),
        };
        if got < self.frame {
            let cut = self.left.is_some() && self.pcm.length.sure;
            return if cut { Piece::Cut("the file ends too early".into()) } else { Piece::End };
        }
        let whole = got / self.frame * self.frame;
        self.left = self.left.map(|left| left - whole as u64);
        self.convert(whole, samples);
        Piece::Frames
    }
}

impl Samples {
    fn convert(&mut self, whole: usize, samples: &mut Vec<f32>) {
        let (bytes, big) = (self.pcm.bytes, self.pcm.big_endian);
        let stored = self.buffer[..whole].chunks_exact(bytes);
        let width = 8 * bytes as u32;
        match self.pcm.coding {
            Coding::Float if bytes == 8 => samples.extend(stored.map(|s| f64::from_bits(bits(s, big)) as f32)),
            Coding::Float => samples.extend(stored.map(|s| f32::from_bits(bits(s, big) as u32))),
            Coding::ALaw => samples.extend(stored.map(|s| a_law(s[0]))),
            Coding::MuLaw => samples.extend(stored.map(|s| mu_law(s[0]))),
            Coding::Unsigned => {
                let middle = 1i64 << (width - 1);
                samples.extend(stored.map(|s| scaled(bits(s, big) as i64 - middle, width)));
            }
            Coding::Signed { valid } if valid < width => {
                if self.place == Place::Unknown {
                    self.place = place(stored.clone().map(|s| bits(s, big)), valid, width);
                }
                let bottom = self.place == Place::Bottom;
                let count = if bottom { valid } else { width };
                samples.extend(stored.map(|s| scaled(signed(bits(s, big), count), count)));
            }
            Coding::Signed { .. } => samples.extend(stored.map(|s| scaled(signed(bits(s, big), width), width))),
        }
    }
}

/// Where the `valid` bits of these samples are.
fn place(samples: impl Iterator<Item = u64>, valid: u32, width: u32) -> Place {
    let spare = width - valid;
    let (mut below, mut beyond, mut negative, mut loud) = (false, false, false, false);
    for sample in samples {
        below |= sample & ((1 << spare) - 1) != 0;
        // Beyond the valid bits a sample stored at the bottom has its sign, or nothing.
        let (top, sign) = (sample >> valid, sample >> (valid - 1) & 1 == 1);
        beyond |= top != 0 && !(sign && top == (1 << spare) - 1);
        negative |= sign && top == 0;
        loud |= sample != 0;
    }
    match (below, beyond) {
        (true, false) => Place::Bottom,
        // A voice that is never negative is none: what looks so is stored at the bottom, without its sign.
        (false, false) if negative => Place::Bottom,
        (false, false) => Place::Unknown,
        (_, true) if loud => Place::Top,
        _ => Place::Unknown,
    }
}

fn bits(sample: &[u8], big_endian: bool) -> u64 {
    let next = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    if big_endian { sample.iter().fold(0, next) } else { sample.iter().rev().fold(0, next) }
}

/// The lowest `width` bits as a signed number.
fn signed(bits: u64, width: u32) -> i64 {
    (bits << (64 - width)) as i64 >> (64 - width)
}

fn scaled(value: i64, width: u32) -> f32 {
    (value as f64 / (1u64 << (width - 1)) as f64) as f32
}

/// G.711, table 1: sign, exponent and mantissa, every other bit inverted.
fn a_law(code: u8) -> f32 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, i32::from(code & 15));
    let size = match exponent {
        0 => 2 * mantissa + 1,
        _ => (2 * mantissa + 33) << (exponent - 1),
    };
    // Thirteen bits: ±4032 of 4096.
    let sign = if code & 0x80 == 0 { -1.0 } else { 1.0 };
    sign * size as f32 / 4096.0
}

/// G.711, table 2: sign, exponent and mantissa, all bits inverted.
fn mu_law(code: u8) -> f32 {
    let code = !code;
    let size = ((2 * i32::from(code & 15) + 33) << (code >> 4 & 7)) - 33;
    // Fourteen bits: ±8031 of 8192.
    let sign = if code & 0x80 == 0 { 1.0 } else { -1.0 };
    sign * size as f32 / 8192.0
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(coding: Coding, bytes: usize, big_endian: bool, stored: &[u8]) -> Vec<f32> {
        let length = Length { bytes: Some(stored.len() as u64), sure: true };
        let pcm = Pcm { coding, bytes, big_endian, rate: 8000, channels: Channels::Discrete(1), length };
        let mut opened = pcm.open(Input::new(Box::new(Cursor::new(stored.to_vec())))).ok().unwrap();
        let (mut all, mut piece) = (Vec::new(), Vec::new());
        while matches!(opened.frames.next(&mut piece), Piece::Frames) {
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn samples_of_every_width_and_order() {
        let half = Coding::Signed { valid: 64 };
        for bytes in 1..=8usize {
            let value = 1i64 << (8 * bytes - 2);
            for sign in [1, -1] {
                let stored = (sign * value).to_le_bytes()[..bytes].to_vec();
                let mut turned = stored.clone();
                turned.reverse();
                let expected = [0.5 * sign as f32];
                assert_eq!(read(half, bytes, false, &stored), expected, "{bytes} bytes");
                assert_eq!(read(half, bytes, true, &turned), expected, "{bytes} bytes, big-endian");
            }
        }
        assert_eq!(read(Coding::Unsigned, 1, false, &[0, 128, 192]), [-1.0, 0.0, 0.5]);
        assert_eq!(read(Coding::Float, 8, true, &(-0.25f64).to_be_bytes()), [-0.25]);
        assert_eq!(read(Coding::Float, 4, false, &0.75f32.to_le_bytes()), [0.75]);
    }

    #[test]
    fn bits_that_count_are_found_at_the_top_or_at_the_bottom() {
        let voice = [0.0f32, 0.3, -0.4, 0.001, -0.002, 0.9];
        let near = |read: Vec<f32>, name: &str| {
            assert!(read.iter().zip(&voice).all(|(a, b)| (a - b).abs() < 1e-3), "{name}: {read:?}");
        };
        for (valid, bytes) in [(24, 4), (20, 3), (20, 4), (12, 2)] {
            let width = 8 * bytes as u32;
            let store = |to_bits: &dyn Fn(i64) -> i64| -> Vec<u8> {
                let value = |x: &f32| (f64::from(*x) * (1i64 << (valid - 1)) as f64) as i64 | 1;
                voice.iter().flat_map(|x| to_bits(value(x)).to_le_bytes()[..bytes].to_vec()).collect()
            };
            let coding = Coding::Signed { valid };
            let top = store(&|value| value << (width - valid));
            near(read(coding, bytes, false, &top), &format!("{valid} in {width} bits, at the top"));
            let signs = store(&|value| value);
            near(read(coding, bytes, false, &signs), &format!("{valid} in {width} bits, at the bottom"));
            let zeros = store(&|value| value & ((1 << valid) - 1));
            near(read(coding, bytes, false, &zeros), &format!("{valid} in {width} bits, at the bottom without signs"));
        }
    }

    #[test]
    fn companded_samples_have_the_values_of_g711() {
        // Ends and middles of the tables.
        for (code, value) in [(0x80, 8031.0), (0x00, -8031.0), (0xff, 0.0), (0xfe, 2.0), (0x8f, 4191.0)] {
            assert_eq!(mu_law(code) * 8192.0, value, "µ-law {code:#x}");
        }
        for (code, value) in [(0xaa, 4032.0), (0x2a, -4032.0), (0xd5, 1.0), (0x55, -1.0), (0xa5, 2112.0)] {
            assert_eq!(a_law(code) * 4096.0, value, "A-law {code:#x}");
        }
    }
}
