//! Pictures from files of strangers: PNG, decoded within bounds that the header already tells.
//!
//! | bound | value | beyond it |
//! |---|---|---|
//! | width and height | what the caller allows, at most [`SIDE_MAX`] | refused by the header |
//! | memory of the decoder beside the picture | [`WORK_BYTES`] | refused |
//! | rows | as many as the header says | what lies behind them is not unpacked |
//!
//! Colour profiles and texts (iCCP, tEXt, zTXt, iTXt), which may unpack to thousands of times their size, are passed over.
//! Pictures are 8-bit sRGB whatever the file holds: palettes are looked up, 16 bits cut to 8, transparency is not looked at.

use std::io::Cursor;
use std::ops::RangeInclusive;

use png::{ColorType, Decoder, Limits, Reader, Transformations};

/// Largest side of any picture, pixels: 12 MB as RGB.
pub const SIDE_MAX: u32 = 2048;
/// What the decoder may hold beside the picture, bytes.
const WORK_BYTES: usize = 16 << 20;

/// A square PNG whose header has been read and found good.
pub struct Png<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    side: usize,
}

impl<'a> Png<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// What is wrong, a sentence's end that follows the picture's name: no PNG, not square, a side that is not within `sides`, interlaced.
    pub fn open(bytes: &'a [u8], sides: RangeInclusive<u32>) -> Result<Self, String> {
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: WORK_BYTES });
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let header = decoder.read_header_info().map_err(unreadable)?;
        let (width, height) = (header.width, header.height);
        if width != height || !sides.contains(&width) || width > SIDE_MAX {
            let (start, end) = (sides.start(), SIDE_MAX.min(*sides.end()));
            return Err(format!("is {width}×{height}, expected a square of {start} to {end} pixels"));
        }
        if header.interlaced {
            return Err("is an interlaced PNG; save it without interlacing".into());
        }
        let reader = decoder.read_info().map_err(unreadable)?;
        Ok(Self { reader, side: width as usize })
    }

    /// Width and height in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The picture as sRGB, (side, side, 3).
    ///
    /// # Errors
    /// The file ends early or is damaged.
    pub fn rgb(self) -> Result<Vec<u8>, String> {
        self.pixels(|pixel, out: &mut Vec<u8>| match *pixel {
            [grey] | [grey, _] => out.extend([grey; 3]),
            [red, green, blue, ..] => out.extend([red, green, blue]),
            [] => {}
        })
    }

    /// The picture's brightness, (side, side): Rec. 709's weights of the bytes as they are.
    ///
    /// # Errors
    /// As [`Self::rgb`].
    pub fn grey(self) -> Result<Vec<u8>, String> {
        self.pixels(|pixel, out: &mut Vec<u8>| match *pixel {
            [grey] | [grey, _] => out.push(grey),
            [red, green, blue, ..] => {
                let weighed = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
                out.push((weighed / 10_000) as u8);
            }
            [] => {}
        })
    }

    fn pixels(mut self, convert: impl Fn(&[u8], &mut Vec<u8>)) -> Result<Vec<u8>, String> {
        let channels = match self.reader.output_color_type().0 {
            ColorType::Grayscale => 1,
            ColorType::GrayscaleAlpha => 2,
            ColorType::Rgb => 3,
            ColorType::Rgba => 4,
            ColorType::Indexed => return Err("has a palette, but none is given".into()),
        };
        let mut out = Vec::with_capacity(self.side * self.side * 3);
        let mut row = vec![0; self.side * channels];
        for _ in 0..self.side {
            // Row by row: where the picture is complete, whatever else is packed behind it stays packed.
            self.reader.read_row(&mut row).map_err(unreadable)?.ok_or("ends before its last row")?;
            row.chunks_exact(channels).for_each(|pixel| convert(pixel, &mut out));
        }
        Ok(out)
    }
}

fn unreadable(error: png::DecodingError) -> String {
    format!("cannot be read as a PNG ({error}); save it again")
}

/// Linear light, 0 to 1, of a byte of an sRGB picture (IEC 61966-2-1).
pub(crate) fn srgb_to_linear(byte: u8) -> f32 {
    let s = f64::from(byte) / 255.0;
    (if s <= 0.04045 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of these bytes, rows without padding.
    fn png(side: u32, colour: ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, side, side);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            encoder.set_palette(vec![10, 20, 30, 40, 50, 60]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    /// A chunk put in behind the header.
    fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut crc = 0xffff_ffffu32;
        for byte in kind.iter().chain(data) {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 });
        }
        let chunk = [&(data.len() as u32).to_be_bytes()[..], kind, data, &(!crc).to_be_bytes()].concat();
        [&png[..33], &chunk, &png[33..]].concat()
    }

    #[test]
    fn every_kind_of_pixel_becomes_eight_bits() {
        use png::BitDepth::{Eight, One, Sixteen};
        let open = |file: &[u8]| Png::open(file, 1..=64).unwrap_or_else(|error| panic!("{error}")).rgb().unwrap();
        assert_eq!(open(&png(1, ColorType::Rgb, Eight, &[1, 2, 3])), [1, 2, 3]);
        assert_eq!(open(&png(1, ColorType::Rgba, Eight, &[1, 2, 3, 0])), [1, 2, 3]);
        assert_eq!(open(&png(1, ColorType::Rgb, Sixteen, &[1, 200, 2, 100, 3, 0])), [1, 2, 3]);
        assert_eq!(open(&png(1, ColorType::Grayscale, Eight, &[7])), [7; 3]);
        assert_eq!(open(&png(1, ColorType::GrayscaleAlpha, Eight, &[7, 0])), [7; 3]);
        assert_eq!(open(&png(1, ColorType::Indexed, One, &[0x80])), [40, 50, 60]);
        let file = png(1, ColorType::Rgb, Eight, &[255, 255, 255]);
        assert_eq!(Png::open(&file, 1..=64).unwrap().grey().unwrap(), [255]);
    }

    #[test]
    fn what_is_refused_is_refused_by_the_header() {
        let refused = |file: &[u8]| Png::open(file, 64..=SIDE_MAX).err().expect("refused");
        assert!(refused(&png(63, ColorType::Grayscale, png::BitDepth::Eight, &[0; 63 * 63])).contains("is 63×63"));
        assert!(refused(b"GIF89a").len() > 10);
        let mut huge = png(64, ColorType::Rgb, png::BitDepth::Eight, &[0; 64 * 64 * 3]);
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        refused(&huge);
    }

    #[test]
    fn damaged_chunks_that_draw_nothing_are_passed_over() {
        // A decoder that looks into them would fail: none of these is packed data.
        let plain = png(64, ColorType::Grayscale, png::BitDepth::Eight, &[9; 64 * 64]);
        for kind in [b"iCCP", b"zTXt", b"iTXt", b"tEXt"] {
            let file = with_chunk(&plain, kind, &[b'x', 0, 0, 0xff, 0xff]);
            let rows = Png::open(&file, 64..=64).unwrap_or_else(|error| panic!("{kind:?}: {error}")).grey().unwrap();
            assert_eq!(rows, [9; 64 * 64]);
        }
    }
}
