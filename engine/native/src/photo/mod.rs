//! Photographs as people have them: JPEG, PNG, WebP, GIF, BMP and TIFF, of any depth, turned as EXIF says, in sRGB.
//!
//! | bound | value | beyond it |
//! |---|---|---|
//! | a file | [`PHOTO_BYTES`] | refused before it is read |
//! | what a decoder holds, by the header | [`DECODED_BYTES`] | refused before anything is allocated |
//! | a JPEG | [`WHOLE_PIXELS`] as it is; beyond that it is decoded at a half, a quarter or an eighth | |
//! | what is kept | [`KEPT_PIXELS`] | averaged down by a whole number |
//! | a side | [`SIDE_MAX`] pixels | refused |

mod colours;
mod kind;

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{AnimationDecoder as _, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use thiserror::Error;
use vultus::track::Picture;

use crate::assets::{AssetError, read_file};
use kind::Kind;

/// Longest file that is read, bytes.
pub const PHOTO_BYTES: u64 = 96 << 20;
/// What a decoder may hold of a picture, bytes: 90 megapixels of 8-bit RGB.
pub const DECODED_BYTES: u64 = 270_000_000;
/// Pixels up to which a JPEG is decoded as it is.
pub const WHOLE_PIXELS: u64 = 25_000_000;
/// Pixels that are kept at most.
pub const KEPT_PIXELS: u64 = 25_000_000;
/// Longest side, pixels.
pub const SIDE_MAX: u32 = 65_535;
/// Shortest side, pixels: no face can be seen in less.
const SIDE_MIN: u32 = 32;
/// What shines through a picture that is transparent, sRGB: a light grey, which suits hair of any colour.
const BEHIND: u8 = 190;

/// Why there is no photograph. The sentence begins with the file's name.
#[derive(Debug, Error)]
pub enum PhotoError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] AssetError),
    /// It is no picture that is read here, too large, or damaged.
    #[error("{file} {reason}")]
    Picture {
        /// File as the user knows it.
        file: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// An upright photograph in 8-bit sRGB.
#[derive(Clone)]
pub struct Photo {
    rgb: Vec<u8>,
    width: usize,
    height: usize,
    shrunk: u32,
    notes: Vec<&'static str>,
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({}×{})", self.width, self.height)
    }
}

impl Photo {
    /// Reads a file.
    ///
    /// # Errors
    /// [`PhotoError`].
    pub fn open(file: &Path) -> Result<Self, PhotoError> {
        Self::decode(&file.display().to_string(), &read_file(file, PHOTO_BYTES)?)
    }

    /// Decodes the bytes of a file. `file` is the name that errors show.
    ///
    /// # Errors
    /// [`PhotoError`]: one sentence, whatever the bytes are.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self, PhotoError> {
        // A panic in somebody else's decoder is a damaged file here.
        let done = catch_unwind(AssertUnwindSafe(|| decode(file, bytes)));
        done.unwrap_or_else(|_| Err("is damaged; open it in a picture program and save it again".into()))
            .map_err(|reason| PhotoError::Picture { file: file.into(), reason })
    }

    /// Of pixels: (height, width, 3).
    ///
    /// # Panics
    /// `rgb` has another length, or a side is 0.
    pub fn from_rgb(rgb: Vec<u8>, width: usize, height: usize) -> Self {
        assert!(width > 0 && height > 0 && rgb.len() == 3 * width * height, "a photo of {width}×{height}");
        Self { rgb, width, height, shrunk: 1, notes: Vec::new() }
    }

    /// As the networks see it.
    pub fn picture(&self) -> Picture<'_> {
        Picture::new(&self.rgb, self.width, self.height)
    }

    /// Its pixels: (height, width, 3).
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels of the file along each side of one of these: 1 but for very large photographs.
    pub fn shrunk(&self) -> u32 {
        self.shrunk
    }

    /// What the user should know of how it was read.
    pub fn notes(&self) -> &[&'static str] {
        &self.notes
    }
}

/// What a decoder gave.
struct Decoded {
    image: DynamicImage,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
    /// Pixels of the file along a side of one of these.
    shrunk: u32,
}

fn decode(file: &str, bytes: &[u8]) -> Result<Photo, String> {
    let kind = Kind::of(bytes, file)?;
    let mut notes = Vec::new();
    let decoded = match kind {
        Kind::Jpeg => jpeg(bytes)?,
        Kind::Gif => gif(bytes, &mut notes)?,
        Kind::WebP => {
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|e| wrong(kind, e))?;
            if decoder.has_animation() {
                notes.push("it moves; the first picture is used");
            }
            whole(kind, decoder)?
        }
        Kind::Png => {
            let decoder = image::codecs::png::PngDecoder::with_limits(Cursor::new(bytes), limits())
                .map_err(|e| wrong(kind, e))?;
            whole(kind, decoder)?
        }
        Kind::Bmp => whole(kind, image::codecs::bmp::BmpDecoder::new(Cursor::new(bytes)).map_err(|e| wrong(kind, e))?)?,
        Kind::Tiff => {
            whole(kind, image::codecs::tiff::TiffDecoder::new(Cursor::new(bytes)).map_err(|e| wrong(kind, e))?)?
        }
    };
    let Decoded { image, orientation, profile, shrunk } = decoded;
    if is_clear(&image) {
        notes.push("it is transparent; a light grey is put behind it");
    }
    let (mut rgb, by) = small(image);
    if let Some(profile) = profile {
        colours::to_srgb(&mut rgb, &profile);
    }
    let mut upright = DynamicImage::ImageRgb8(rgb);
    upright.apply_orientation(orientation);
    let upright = upright.into_rgb8();
    if shrunk * by > 1 {
        notes.push("it is very large, and is used smaller than it is");
    }
    let (width, height) = (upright.width() as usize, upright.height() as usize);
    Ok(Photo { rgb: upright.into_raw(), width, height, shrunk: shrunk * by, notes })
}

/// One sentence for what a decoder says.
fn wrong(kind: Kind, error: ImageError) -> String {
    let name = kind.name();
    match error {
        ImageError::Limits(_) => format!("is a {name} that needs more memory than a photo may; make it smaller"),
        ImageError::Unsupported(what) => {
            format!("is a {name} of a kind that is not read here ({}); save it as JPEG or PNG", short(&what))
        }
        error => format!(
            "is a damaged {name} ({}); copy it again, or open it in a picture program and save it",
            short(&error)
        ),
    }
}

/// A library's words, which may be long or of several lines.
fn short(error: &dyn fmt::Display) -> String {
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(120).collect()
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODED_BYTES);
    limits
}

/// Whether a picture of this size may be decoded to so many bytes.
fn checked(width: u32, height: u32, bytes: u64) -> Result<(), String> {
    if width.min(height) < SIDE_MIN {
        return Err(format!("has {width}×{height} pixels; no face can be seen in less than {SIDE_MIN}"));
    }
    if width.max(height) > SIDE_MAX || bytes > DECODED_BYTES {
        let mega = f64::from(width) * f64::from(height) / 1e6;
        return Err(format!(
            "has {width}×{height} pixels ({mega:.0} million), and needs more memory than a photo may; make it smaller, 4000 pixels a side are plenty"
        ));
    }
    Ok(())
}

/// All of a picture, in its own depth.
fn whole(kind: Kind, mut decoder: impl ImageDecoder) -> Result<Decoded, String> {
    let (width, height) = decoder.dimensions();
    checked(width, height, decoder.total_bytes())?;
    decoder.set_limits(limits()).map_err(|e| wrong(kind, e))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(|e| wrong(kind, e))?;
    Ok(Decoded { image, orientation, profile, shrunk: 1 })
}

/// The first picture of a GIF.
fn gif(bytes: &[u8], notes: &mut Vec<&'static str>) -> Result<Decoded, String> {
    let open = || {
        let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(|e| wrong(Kind::Gif, e))?;
        let (width, height) = decoder.dimensions();
        // Two pictures at once: the one that is shown, and what the next one changes.
        checked(width, height, 3 * decoder.total_bytes())?;
        decoder.set_limits(limits()).map_err(|e| wrong(Kind::Gif, e))?;
        Ok::<_, String>(decoder)
    };
    let mut frames = open()?.into_frames();
    let first = frames.next().ok_or("is a GIF without a picture; give another")?.map_err(|e| wrong(Kind::Gif, e))?;
    let image = DynamicImage::ImageRgba8(first.into_buffer());
    if frames.next().is_some_and(|next| next.is_ok()) {
        notes.push("it moves; the first picture is used");
    }
    Ok(Decoded { image, orientation: Orientation::NoTransforms, profile: None, shrunk: 1 })
}

/// A JPEG; at a fraction of its size where it is very large.
fn jpeg(bytes: &[u8]) -> Result<Decoded, String> {
    if !is_complete(bytes) {
        return Err("is a JPEG that ends before its picture does; copy it again".into());
    }
    let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    let mut decoder = reader.into_decoder().map_err(|e| wrong(Kind::Jpeg, e))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels <= WHOLE_PIXELS {
        return whole(Kind::Jpeg, decoder);
    }
    let (orientation, profile) =
        (decoder.orientation().unwrap_or(Orientation::NoTransforms), decoder.icc_profile().ok().flatten());
    drop(decoder);
    scaled_jpeg(bytes, [width, height], orientation, profile)
}

/// By the low frequencies of its blocks alone.
fn scaled_jpeg(
    bytes: &[u8],
    [width, height]: [u32; 2],
    orientation: Orientation,
    profile: Option<Vec<u8>>,
) -> Result<Decoded, String> {
    use jpeg_decoder::{CodingProcess, Decoder, PixelFormat};
    let wrong = |e: jpeg_decoder::Error| {
        format!("is a damaged JPEG ({}); copy it again, or open it in a picture program and save it", short(&e))
    };
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.read_info().map_err(wrong)?;
    let info = decoder.info().ok_or("is a JPEG without a picture; copy it again")?;
    let pixels = u64::from(width) * u64::from(height);
    // The one that is wanted: whole numbers of samples of a block of eight.
    let shrunk = [2u32, 4, 8].into_iter().find(|by| pixels / u64::from(by * by) <= WHOLE_PIXELS).unwrap_or(8);
    let channels = info.pixel_format.pixel_bytes() as u64;
    let sized = |v: u32| v.div_ceil(shrunk);
    let picture = u64::from(sized(width)) * u64::from(sized(height)) * channels;
    // A progressive one is only complete with its last scan: all coefficients wait, two bytes each.
    let waiting = if info.coding_process == CodingProcess::DctProgressive { 2 * pixels * channels } else { 0 };
    checked(width, height, 2 * picture + waiting)?;
    let (w, h) = decoder.scale(sized(width) as u16, sized(height) as u16).map_err(wrong)?;
    let data = decoder.decode().map_err(wrong)?;
    let (w, h) = (u32::from(w), u32::from(h));
    let image = match info.pixel_format {
        PixelFormat::L8 => image::GrayImage::from_raw(w, h, data).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(w, h, data).map(DynamicImage::ImageRgb8),
        PixelFormat::CMYK32 => {
            // Ink, whichever way round the file has it: the library takes it for Adobe's, upside down.
            let left = |c: u8, k: u8| (u32::from(255 - c) * u32::from(255 - k) / 255) as u8;
            let rgb = data.as_chunks().0.iter().flat_map(|[c, m, y, k]| [left(*c, *k), left(*m, *k), left(*y, *k)]);
            RgbImage::from_raw(w, h, rgb.collect()).map(DynamicImage::ImageRgb8)
        }
        PixelFormat::L16 => return Err("is a JPEG of 16 bits, which is not read here; save it as PNG".into()),
    };
    let image = image.ok_or("is a damaged JPEG; copy it again")?;
    Ok(Decoded { image, orientation, profile, shrunk: width.div_ceil(w.max(1)) })
}

/// Whether a JPEG has an end of its picture. Decoders fill what is missing with grey.
fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Marker by marker to the picture's data: a preview in front of it has an end of its own.
    while let Some([0xff, marker, rest @ ..]) = bytes.get(at..) {
        match marker {
            0xff => at += 1,
            0xda => return rest.windows(2).any(|pair| pair == [0xff, 0xd9]),
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(length) = rest.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length))) else {
                    return false;
                };
                at += 2 + length.max(2);
            }
        }
    }
    // Whatever it is, the decoder has words for it.
    at < bytes.len()
}

/// Whether something would shine through.
fn is_clear(image: &DynamicImage) -> bool {
    use image::GenericImageView as _;
    match image {
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel.0[3] < 255),
        image => image.color().has_alpha() && image.pixels().any(|(_, _, pixel)| pixel.0[3] < 255),
    }
}

/// 8-bit RGB of at most [`KEPT_PIXELS`], on a light grey where it is transparent, and by how much each side is shorter.
fn small(image: DynamicImage) -> (RgbImage, u32) {
    let (width, height) = (image.width(), image.height());
    let pixels = u64::from(width) * u64::from(height);
    let by = (1..).find(|by| pixels / u64::from(by * by) <= KEPT_PIXELS).unwrap_or(1);
    if by == 1 && !image.color().has_alpha() {
        return (image.into_rgb8(), 1);
    }
    let count = by * by;
    let opaque = |pixel: [u8; 4]| {
        let [r, g, b, a] = pixel.map(u32::from);
        [r, g, b].map(|v| (v * a + u32::from(BEHIND) * (255 - a) + 127) / 255)
    };
    let mean = |at: &dyn Fn(u32, u32) -> [u32; 3]| {
        RgbImage::from_fn(width / by, height / by, |x, y| {
            let mut sum = [count / 2; 3];
            for k in 0..count {
                let pixel = at(x * by + k % by, y * by + k / by);
                (0..3).for_each(|c| sum[c] += pixel[c]);
            }
            image::Rgb(sum.map(|v| (v / count) as u8))
        })
    };
    let rgb = match &image {
        DynamicImage::ImageRgb8(image) => mean(&|x, y| image.get_pixel(x, y).0.map(u32::from)),
        DynamicImage::ImageRgba8(image) => mean(&|x, y| opaque(image.get_pixel(x, y).0)),
        DynamicImage::ImageLuma8(image) => mean(&|x, y| [u32::from(image.get_pixel(x, y).0[0]); 3]),
        image => {
            use image::GenericImageView as _;
            mean(&|x, y| opaque(image.get_pixel(x, y).0))
        }
    };
    (rgb, by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, ImageBuffer, ImageEncoder as _, Rgba};

    /// Red at the left, blue at the right, darker below.
    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            let v = 250 - 3 * y as u8;
            image::Rgb(if x < 32 { [v, 20, 20] } else { [20, 20, v] })
        })
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn near(photo: &Photo, x: usize, y: usize, rgb: [u8; 3]) {
        let at = &photo.rgb[3 * (y * photo.width + x)..][..3];
        assert!(at.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 12), "{at:?}, not {rgb:?} at {x},{y} of {photo:?}");
    }

    #[test]
    fn every_format_gives_the_picture() {
        let image = DynamicImage::ImageRgb8(picture());
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Gif,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
        ] {
            let photo = Photo::decode("x", &encoded(&image, format)).unwrap_or_else(|e| panic!("{format:?}: {e}"));
            assert_eq!((photo.width, photo.height), (64, 48));
            near(&photo, 8, 8, [226, 20, 20]);
            near(&photo, 55, 40, [20, 20, 130]);
        }
    }

    #[test]
    fn depths_and_transparency() {
        let deep = ImageBuffer::from_fn(64, 48, |x, _| image::Rgb([if x < 32 { 60_000u16 } else { 0 }, 30_000, 0]));
        let photo = Photo::decode("x", &encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
        near(&photo, 3, 3, [233, 117, 0]);
        let clear = ImageBuffer::from_fn(64, 48, |x, _| Rgba([200u8, 0, 0, if x < 32 { 0 } else { 255 }]));
        let photo = Photo::decode("x", &encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png)).unwrap();
        near(&photo, 3, 3, [BEHIND; 3]);
        near(&photo, 60, 3, [200, 0, 0]);
        assert_eq!(photo.notes(), ["it is transparent; a light grey is put behind it"]);
    }

    /// A JPEG with an EXIF orientation.
    fn turned(orientation: u8) -> Vec<u8> {
        let plain = encoded(&DynamicImage::ImageRgb8(picture()), ImageFormat::Jpeg);
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&plain[..2], &[0xff, 0xe1], &length, &exif, &plain[2..]].concat()
    }

    /// A JPEG of one colour in Adobe's CMYK, 64 × 64: `light` is what is stored, 255 less the ink. Each value is below 65 or above 191.
    fn cmyk(light: [u8; 4]) -> Vec<u8> {
        let segment =
            |marker: u8, data: &[u8]| [&[0xff, marker], &(data.len() as u16 + 2).to_be_bytes()[..], data].concat();
        // A coefficient's DC is a level less 128 where the step is 8. Codes: 0 is no change, 10 is one of seven bits; in AC 0 is the block's end.
        let dc = [&[0, 1, 1][..], &[0; 14], &[0, 7]].concat();
        let ac = [&[0x10, 1][..], &[0; 15], &[0]].concat();
        let frame: Vec<u8> = [&[8, 0, 64, 0, 64, 4][..], &[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]].concat();
        let mut bits = String::new();
        for v in light {
            let level = i32::from(v) - 128;
            bits += &format!("10{:07b}0", if level > 0 { level } else { level + 127 });
        }
        bits += &"00".repeat(4 * 63);
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let bytes = bits.as_bytes().chunks(8).map(|byte| byte.iter().fold(0, |b, bit| b << 1 | (bit - b'0')));
        let scan: Vec<u8> = bytes.flat_map(|b| if b == 255 { vec![255, 0] } else { vec![b] }).collect();
        [
            vec![0xff, 0xd8],
            segment(0xee, b"Adobe\0\x64\0\0\0\0\0"),
            segment(0xdb, &[&[0][..], &[8; 64]].concat()),
            segment(0xc0, &frame),
            segment(0xc4, &dc),
            segment(0xc4, &ac),
            segment(0xda, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]),
            scan,
            vec![0xff, 0xd9],
        ]
        .concat()
    }

    #[test]
    fn inks_become_colours() {
        let bytes = cmyk([200, 60, 230, 250]);
        near(&Photo::decode("x", &bytes).unwrap(), 9, 9, [196, 59, 225]);
        // As very large ones are.
        let decoded = scaled_jpeg(&bytes, [64, 64], Orientation::NoTransforms, None).unwrap();
        let rgb = decoded.image.into_rgb8();
        assert_eq!((rgb.width(), decoded.shrunk), (32, 2));
        assert!(rgb[(9, 9)].0.iter().zip([196, 59, 225]).all(|(a, b)| a.abs_diff(b) <= 3), "{:?}", rgb[(9, 9)]);
    }

    #[test]
    fn photos_stand_as_exif_says() {
        // 6: the picture has to be turned clockwise, so that its left is above.
        let photo = Photo::decode("x", &turned(6)).unwrap();
        assert_eq!((photo.width, photo.height), (48, 64));
        near(&photo, 40, 8, [226, 20, 20]);
        let photo = Photo::decode("x", &turned(3)).unwrap();
        near(&photo, 55, 40, [226, 20, 20]);
        assert_eq!(Photo::decode("x", &turned(77)).unwrap().width, 64, "no such orientation");
    }

    #[test]
    fn of_what_moves_the_first_picture_is_used() {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shade in [200u8, 20] {
            let frame = ImageBuffer::from_pixel(64, 48, Rgba([shade, shade, shade, 255]));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
        drop(encoder);
        let photo = Photo::decode("x", &bytes).unwrap();
        near(&photo, 9, 9, [200; 3]);
        assert_eq!(photo.notes(), ["it moves; the first picture is used"]);
    }

    #[test]
    fn very_large_ones_are_kept_smaller() {
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(7000, 5000, |x, _| {
            image::Rgb([if x < 3500 { 200 } else { 50 }, 9, 90])
        }));
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let photo = Photo::decode("x", &encoded(&image, format)).unwrap();
            assert_eq!((photo.width, photo.height, photo.shrunk), (3500, 2500, 2), "{format:?}");
            near(&photo, 100, 100, [200, 9, 90]);
            near(&photo, 3400, 2400, [50, 9, 90]);
        }
    }

    fn refusal(bytes: &[u8]) -> String {
        Photo::decode("me.jpg", bytes).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_damaged_or_too_large_is_one_sentence() {
        let jpeg = turned(1);
        assert!(refusal(&jpeg[..jpeg.len() * 2 / 3]).contains("ends before its picture does"));
        let png = encoded(&DynamicImage::ImageRgb8(picture()), ImageFormat::Png);
        assert!(refusal(&png[..png.len() / 2]).contains("damaged PNG"));
        for bytes in [&jpeg, &png] {
            for at in (0..bytes.len()).step_by(7) {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x5a;
                if let Err(error) = Photo::decode("me.jpg", &bytes) {
                    assert!(error.to_string().lines().count() == 1, "{error}");
                }
                let _ = Photo::decode("me.jpg", &bytes[..at]);
            }
        }
        // A bomb: a header of 60,000 × 60,000 with nothing behind it.
        let mut bomb = png.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let mut crc = 0xffff_ffffu32;
        for byte in &bomb[12..29] {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 });
        }
        bomb[29..33].copy_from_slice(&(!crc).to_be_bytes());
        let text = refusal(&bomb);
        assert!(text.contains("60000×60000 pixels (3600 million)") && text.contains("make it smaller"), "{text}");
        let mut gif = encoded(&DynamicImage::ImageRgb8(picture()), ImageFormat::Gif);
        gif[6..10].copy_from_slice(&[0xff; 4]);
        assert!(refusal(&gif).contains("make it smaller"));
        let mut tiny = Vec::new();
        image::codecs::png::PngEncoder::new(&mut tiny).write_image(&[9; 48], 4, 4, ExtendedColorType::Rgb8).unwrap();
        assert!(refusal(&tiny).contains("has 4×4 pixels"));
    }
}
