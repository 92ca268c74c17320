//! The format chunk of WAV and its kin (WAVEFORMATEX of Microsoft's `mmreg.h`).

use symphonia::core::audio::{Channels, Position};

use super::adpcm::{self, Adpcm};
use super::frames::Refusal;
use super::pcm::{Coding, Length, Pcm};

/// What the `data` chunk holds.
pub(super) enum Stored {
    Pcm(Pcm),
    Adpcm(Adpcm),
    /// A stream that says itself what it is.
    Stream,
}

/// The most channels that a file may have.
pub(super) const CHANNELS_MAX: usize = 256;

/// The fields of a format chunk.
#[derive(Clone, Debug)]
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    align: u16,
    bits: u16,
    /// Bits that count, where the format says so apart.
    valid: u16,
    /// Speaker positions, where the format says them.
    mask: u32,
}

/// Reads a format chunk, little-endian but in RIFX. `length` is that of the data.
pub(super) fn read(chunk: &[u8], big_endian: bool, length: Length) -> Result<Stored, Refusal> {
    let format = Format::read(chunk, big_endian).ok_or_else(|| unsupported("a WAV header that is too short"))?;
    let channels = layout(format.channels, format.mask)?;
    let count = channels.count();
    let mut pcm =
        Pcm { coding: Coding::Float, bytes: format.container(), big_endian, rate: format.rate, channels, length };
    match format.tag {
        // Files of 8 bits and fewer have their zero in the middle.
        0x0001 if pcm.bytes == 1 => pcm.coding = Coding::Unsigned,
        0x0001 if (2..=8).contains(&pcm.bytes) => pcm.coding = Coding::Signed { valid: format.counting(pcm.bytes) },
        0x0003 if pcm.bytes == 4 || pcm.bytes == 8 => {}
        0x0006 => (pcm.coding, pcm.bytes) = (Coding::ALaw, 1),
        0x0007 => (pcm.coding, pcm.bytes) = (Coding::MuLaw, 1),
        0x0002 | 0x0011 => {
            let kind = if format.tag == 0x0002 { adpcm::Kind::Microsoft } else { adpcm::Kind::Ima };
            let adpcm = Adpcm::new(kind, usize::from(format.align), format.bits, pcm.rate, pcm.channels, length)?;
            return Ok(Stored::Adpcm(adpcm));
        }
        // MPEG layers 1 to 3; AAC with a header on every frame.
        0x0050 | 0x0055 | 0x1600 => return Ok(Stored::Stream),
        0x0001 | 0x0003 => {
            return Err(unsupported(&format!(
                "samples of {} bits in {} bytes for {count} channels",
                format.bits, format.align
            )));
        }
        tag => return Err(unsupported(&encoding(tag))),
    }
    Ok(Stored::Pcm(pcm))
}

fn unsupported(what: &str) -> Refusal {
    Refusal::Unsupported(what.into())
}

impl Format {
    fn read(chunk: &[u8], big_endian: bool) -> Option<Self> {
        let two = |at: usize| {
            let bytes = [*chunk.get(at)?, *chunk.get(at + 1)?];
            Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let four = |at: usize| {
            let bytes = [two(at)?, two(at + 2)?];
            let [high, low] = if big_endian { bytes } else { [bytes[1], bytes[0]] };
            Some(u32::from(high) << 16 | u32::from(low))
        };
        let mut format = Self {
            tag: two(0)?,
            channels: two(2)?,
            rate: four(4)?,
            align: two(12)?,
            // Some writers leave the last field out where a tag says it all.
            bits: two(14).unwrap_or(0),
            valid: 0,
            mask: 0,
        };
        if format.tag == 0xfffe {
            // WAVEFORMATEXTENSIBLE: the tag stands at the start of a longer name.
            format.valid = two(18).unwrap_or(0);
            format.mask = four(20).unwrap_or(0);
            format.tag = two(24).unwrap_or(1);
        }
        Some(format)
    }

    /// Bytes of a sample: as many as the frames have room for, and at least as many as its bits need.
    fn container(&self) -> usize {
        let needed = usize::from(self.bits).div_ceil(8);
        let (align, channels) = (usize::from(self.align), usize::from(self.channels.max(1)));
        if align % channels == 0 && (needed..=8).contains(&(align / channels)) && align > 0 {
            align / channels
        } else {
            needed
        }
    }

    /// Bits of a sample that count.
    fn counting(&self, bytes: usize) -> u32 {
        let width = 8 * bytes as u32;
        let valid = [self.valid, self.bits].into_iter().map(u32::from).find(|bits| (1..=width).contains(bits));
        // Fewer than half of the bits make no sense: a field that was not filled in.
        valid.filter(|valid| valid * 2 >= width).unwrap_or(width)
    }
}

/// The channels of a WAV without positions, or with those of `mask`.
pub(super) fn layout(count: u16, mask: u32) -> Result<Channels, Refusal> {
    if count == 0 || usize::from(count) > CHANNELS_MAX {
        return Err(unsupported(&format!("{count} channels")));
    }
    let positions = Position::from_wave_channel_mask(mask).filter(|p| p.bits().count_ones() == u32::from(count));
    Ok(positions.map_or(Channels::Discrete(count), Channels::Positioned))
}

/// The name of an encoding that has no decoder here, by its tag.
fn encoding(tag: u16) -> String {
    let name = match tag {
        0x0010 | 0x0017 | 0x0020 | 0x0200 => "another ADPCM",
        0x0022 => "TrueSpeech",
        0x0031 | 0x1500 => "GSM 6.10",
        0x0040 | 0x0045 | 0x0064 | 0x0065 | 0x0085 | 0x0140 => "G.726 ADPCM",
        0x0042 => "G.723.1",
        0x0083 | 0x0133 => "G.729",
        0x0065..=0x006f => "a speech codec",
        0x0092 | 0x2000 => "AC-3 (Dolby Digital)",
        0x00ff | 0x706d | 0xa106 | 0x1602 | 0x1610 => "AAC in WAV",
        0x0160..=0x0163 => "Windows Media Audio",
        0x0270 | 0x0272 => "ATRAC",
        0x028f => "G.722",
        0x2001 => "DTS",
        0x566f | 0x674f..=0x6751 | 0x676f..=0x6771 => "Vorbis in WAV",
        0x704f => "Opus in WAV",
        0xa109 => "Speex",
        0xf1ac => "FLAC in WAV",
        _ => return format!("the WAV encoding {tag:#06x}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_that_writers_get_wrong() {
        let format =
            |bits, align, channels, valid| Format { tag: 1, channels, rate: 8000, align, bits, valid, mask: 0 };
        let read = |f: Format| (f.container(), f.counting(f.container()));
        assert_eq!(read(format(16, 4, 2, 0)), (2, 16));
        assert_eq!(read(format(24, 8, 2, 0)), (4, 24), "24 bits in four bytes");
        assert_eq!(read(format(20, 3, 1, 0)), (3, 20));
        assert_eq!(read(format(32, 8, 2, 24)), (4, 24), "WAVEFORMATEXTENSIBLE");
        assert_eq!(read(format(16, 0, 2, 0)), (2, 16), "no alignment");
        assert_eq!(read(format(16, 2, 2, 0)), (2, 16), "the alignment of one channel");
        assert_eq!(read(format(24, 7, 2, 0)), (3, 24), "an alignment of nothing");
        assert_eq!(read(format(16, 2, 1, 1)), (2, 16), "one valid bit");
    }
}
