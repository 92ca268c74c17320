//! How samples are written in a stream of bytes.

use std::fmt;

/// An encoding of samples. All are read to ±1; what is no number is read as silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// Eight bits, 128 is zero, as WAV files have it.
    U8,
    /// 16 bits, little-endian.
    S16Le,
    /// 16 bits, big-endian (network order, RFC 3551's L16).
    S16Be,
    /// 24 bits, little-endian.
    S24Le,
    /// 24 bits in four bytes, at either end of them: some WAV writers fill the low three, others the high three.
    S24In32Le,
    /// 32 bits, little-endian.
    S32Le,
    /// 32-bit floating point, little-endian.
    F32Le,
    /// 64-bit floating point, little-endian.
    F64Le,
    /// µ-law (ITU-T G.711), telephones in America and Japan.
    MuLaw,
    /// A-law (ITU-T G.711), telephones elsewhere.
    ALaw,
}

impl SampleFormat {
    /// Every format that has a name of its own, with the names that are understood; the first is the usual one.
    pub const NAMES: [(Self, &'static [&'static str]); 9] = [
        (Self::S16Le, &["s16le", "pcm_s16le", "pcm16", "s16", "linear16"]),
        (Self::F32Le, &["f32le", "pcm_f32le", "f32"]),
        (Self::MuLaw, &["mulaw", "ulaw", "pcm_mulaw", "g711_ulaw", "pcmu"]),
        (Self::ALaw, &["alaw", "pcm_alaw", "g711_alaw", "pcma"]),
        (Self::S16Be, &["s16be", "pcm_s16be", "l16"]),
        (Self::S24Le, &["s24le", "pcm_s24le"]),
        (Self::S32Le, &["s32le", "pcm_s32le"]),
        (Self::F64Le, &["f64le", "pcm_f64le"]),
        (Self::U8, &["u8", "pcm_u8"]),
    ];

    /// The format of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        Self::NAMES.iter().find(|(_, names)| known(names)).map(|(format, _)| *format)
    }

    /// The usual name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("s24in32le", |(_, names)| names[0])
    }

    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::MuLaw | Self::ALaw => 1,
            Self::S16Le | Self::S16Be => 2,
            Self::S24Le => 3,
            Self::S24In32Le | Self::S32Le | Self::F32Le => 4,
            Self::F64Le => 8,
        }
    }

    /// Appends the samples in `bytes` (whole ones; a rest is left out) and says how many of them were no numbers, and where the first is.
    pub(super) fn read(self, bytes: &[u8], out: &mut Vec<f32>) -> NotFinite {
        let mut bad = NotFinite::default();
        match self {
            Self::U8 => out.extend(bytes.iter().map(|b| (f32::from(*b) - 128.0) / 128.0)),
            Self::MuLaw => out.extend(bytes.iter().map(|b| f32::from(mu_law(*b)) / 32768.0)),
            Self::ALaw => out.extend(bytes.iter().map(|b| f32::from(a_law(*b)) / 32768.0)),
            Self::S16Le => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32768.0)),
            Self::S16Be => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from(i16::from_be_bytes(*b)) / 32768.0)),
            Self::S24Le => out.extend(bytes.as_chunks().0.iter().map(|[a, b, c]| high([*a, *b, *c]))),
            Self::S24In32Le => {
                let all = bytes.as_chunks::<4>().0;
                // At the high end the lowest byte is always empty.
                let low = all.iter().any(|b| b[0] != 0);
                out.extend(all.iter().map(|[a, b, c, d]| high(if low { [*a, *b, *c] } else { [*b, *c, *d] })));
            }
            Self::S32Le => {
                out.extend(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32 / 2_147_483_648.0));
            }
            Self::F32Le => {
                let all = bytes.as_chunks().0.iter().enumerate();
                out.extend(all.map(|(at, b)| bad.clean(f32::from_le_bytes(*b), 4 * at)));
            }
            Self::F64Le => {
                let all = bytes.as_chunks().0.iter().enumerate();
                // What is beyond a 32-bit number is loud, not broken.
                let narrow = |x: f64| if x.is_finite() { x.clamp(-2.0, 2.0) as f32 } else { f32::NAN };
                out.extend(all.map(|(at, b)| bad.clean(narrow(f64::from_le_bytes(*b)), 8 * at)));
            }
        }
        bad
    }
}

impl fmt::Display for SampleFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Samples that were NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NotFinite {
    pub(super) count: u64,
    /// Where the first one is, in bytes.
    pub(super) first: Option<usize>,
}

impl NotFinite {
    fn clean(&mut self, x: f32, at: usize) -> f32 {
        if x.is_finite() {
            return x.clamp(-1.0, 1.0);
        }
        self.count += 1;
        self.first.get_or_insert(at);
        0.0
    }
}

/// 24 bits.
fn high([a, b, c]: [u8; 3]) -> f32 {
    i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0
}

/// ITU-T G.711, table 2: a sign, three bits of exponent and four of mantissa, all inverted, over a bias of 33 of 14 bits (here of 16).
fn mu_law(byte: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let byte = !byte;
    let size = ((i16::from(byte & 15) << 3) + BIAS) << (byte >> 4 & 7);
    if byte & 0x80 == 0 { size - BIAS } else { BIAS - size }
}

/// ITU-T G.711, table 1: the same with every second bit inverted, and no exponent for the smallest.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = i16::from(byte & 15) << 4;
    let size = match byte >> 4 & 7 {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: SampleFormat, bytes: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        format.read(bytes, &mut out);
        out
    }

    #[test]
    fn each_format_reads_its_extremes() {
        for (format, bytes, want) in [
            (SampleFormat::U8, &[0, 128, 192][..], &[-1.0, 0.0, 0.5][..]),
            (SampleFormat::S16Le, &[0, 0x80, 0, 0x40], &[-1.0, 0.5]),
            (SampleFormat::S16Be, &[0x80, 0, 0x40, 0], &[-1.0, 0.5]),
            (SampleFormat::S24Le, &[0, 0, 0x80, 0, 0, 0x40], &[-1.0, 0.5]),
            (SampleFormat::S24In32Le, &[1, 0, 0, 0, 0, 0, 0x80, 0], &[1.0 / 8_388_608.0, -1.0]),
            (SampleFormat::S24In32Le, &[1, 0, 0xc0, 0xff], &[-0.499_999_88]),
            (SampleFormat::S24In32Le, &[0, 0, 0, 0x80, 0, 0, 0, 0x40], &[-1.0, 0.5]),
            (SampleFormat::S32Le, &[0, 0, 0, 0x80, 0, 0, 0, 0x40], &[-1.0, 0.5]),
            (SampleFormat::F64Le, &0.25f64.to_le_bytes(), &[0.25]),
            (SampleFormat::F64Le, &1e300f64.to_le_bytes(), &[1.0]),
        ] {
            assert_eq!(read(format, bytes), want, "{format}");
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_is_counted() {
        let bytes: Vec<u8> = [0.5, f32::NAN, f32::INFINITY, 2.0, -3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut out = Vec::new();
        let bad = SampleFormat::F32Le.read(&bytes, &mut out);
        assert_eq!(out, [0.5, 0.0, 0.0, 1.0, -1.0]);
        assert_eq!(bad, NotFinite { count: 2, first: Some(4) });
    }

    /// Values of ITU-T G.711: the largest, the smallest, and the steps at the ends of the first segments.
    #[test]
    fn telephone_codes_are_those_of_the_recommendation() {
        for (byte, want) in [(0x80, 32124), (0x00, -32124), (0xff, 0), (0x7f, 0), (0xfe, 8), (0xef, 132), (0x8f, 16764)]
        {
            assert_eq!(mu_law(byte), want, "µ-law {byte:#x}");
        }
        for (byte, want) in [(0xaa, 32256), (0x2a, -32256), (0xd5, 8), (0x55, -8), (0xd4, 24), (0xc5, 264), (0xf5, 528)]
        {
            assert_eq!(a_law(byte), want, "A-law {byte:#x}");
        }
        // Symmetric, and every step up is a step up.
        for code in [mu_law as fn(u8) -> i16, a_law] {
            let mut all: Vec<i16> = (0..=255).map(code).collect();
            assert!((0..128).all(|byte| code(byte) == -code(byte + 128)));
            all.sort_unstable();
            all.dedup();
            assert!(all.len() >= 255);
        }
    }

    #[test]
    fn every_name_is_understood_and_means_one_format() {
        for (format, names) in SampleFormat::NAMES {
            assert_eq!(format.name(), names[0]);
            assert!(names.iter().all(|name| SampleFormat::named(&name.to_uppercase()) == Some(format)), "{format}");
        }
        assert_eq!(SampleFormat::named("mp3"), None);
    }
}
