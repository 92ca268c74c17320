//! Pictures that somebody sends live, decoded: H.264 up to High, 8 bits, without pictures that are shown in another order than they are sent in.

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig};
use openh264::formats::YUVSource as _;

/// See the module's text.
pub struct H264Receiver {
    decoder: Decoder,
    size: [usize; 2],
    rgb: Vec<u8>,
}

/// What became of an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// There is a picture.
    Picture,
    /// It held none: parameters, or nothing that can be shown yet.
    Nothing,
    /// It is damaged; what follows needs a key frame.
    Damaged,
    /// Its picture has more than the most pixels a side.
    TooLarge([usize; 2]),
}

impl H264Receiver {
    /// # Errors
    /// When OpenH264 does not start.
    pub fn new() -> Result<Self, openh264::Error> {
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new())?;
        Ok(Self { decoder, size: [0; 2], rgb: Vec::new() })
    }

    /// Decodes an access unit with start codes, whose picture may have `most` pixels a side.
    pub fn push(&mut self, unit: &[u8], most: usize) -> Received {
        let picture = match self.decoder.decode(unit) {
            Ok(Some(picture)) => picture,
            Ok(None) => return Received::Nothing,
            Err(_) => return Received::Damaged,
        };
        match to_rgb(&picture, most, &mut self.rgb) {
            Ok(size) => {
                self.size = size;
                Received::Picture
            }
            Err(size) => Received::TooLarge(size),
        }
    }

    /// The last picture: (height, width, 3), row-major, sRGB, and its width and height.
    pub fn picture(&self) -> (&[u8], [usize; 2]) {
        (&self.rgb, self.size)
    }
}

/// Writes a decoded picture as (height, width, 3) sRGB, and gives its width and height.
///
/// # Errors
/// Width and height, where one is more than `most`.
pub(crate) fn to_rgb(picture: &DecodedYUV<'_>, most: usize, rgb: &mut Vec<u8>) -> Result<[usize; 2], [usize; 2]> {
    let (width, height) = picture.dimensions();
    if width.max(height) > most {
        return Err([width, height]);
    }
    rgb.resize(3 * width * height, 0);
    picture.write_rgb8(rgb);
    Ok([width, height])
}
