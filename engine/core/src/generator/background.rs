//! What is behind the person.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::picture::resample;
use crate::avatar::{SIDE_MAX, srgb_to_linear};

/// What is behind the person.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Background {
    /// The portrait's own, filled in where the person moves away.
    #[default]
    Portrait,
    /// The portrait's own, out of focus.
    Blur,
    /// One colour, sRGB.
    Colour([u8; 3]),
    /// A picture.
    Picture(Backdrop),
    /// Nothing: the person is cut out. Only [`super::OutputFormat::RgbaCutOut`] can show that.
    None,
}

/// A text that says no background.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no background {0:?}; give portrait, blur, none or a colour such as #00ff00")]
pub struct UnknownBackground(pub String);

impl FromStr for Background {
    type Err = UnknownBackground;

    /// `portrait`, `blur`, `none`, or a colour, `#rrggbb`; its `#` may be left out, since addresses have another use for it. Pictures have no name.
    fn from_str(text: &str) -> Result<Self, UnknownBackground> {
        match text {
            "portrait" => Ok(Self::Portrait),
            "blur" => Ok(Self::Blur),
            "none" => Ok(Self::None),
            colour => {
                let digits = colour.strip_prefix('#').unwrap_or(colour);
                let is_one = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let number = is_one.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
                let [_, rgb @ ..] = number.ok_or_else(|| UnknownBackground(text.to_owned()))?.to_be_bytes();
                Ok(Self::Colour(rgb))
            }
        }
    }
}

impl fmt::Display for Background {
    /// As [`Self::from_str`] reads it; a picture is `picture`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portrait => f.write_str("portrait"),
            Self::Blur => f.write_str("blur"),
            Self::Colour([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
            Self::Picture(_) => f.write_str("picture"),
            Self::None => f.write_str("none"),
        }
    }
}

/// A square picture to stand behind people. Cheap to clone; two are the same where one is a clone of the other.
#[derive(Clone)]
pub struct Backdrop(Arc<Square>);

struct Square {
    side: usize,
    /// (side, side, 3) sRGB.
    rgb: Vec<u8>,
}

impl fmt::Debug for Backdrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backdrop({0}×{0})", self.0.side)
    }
}

impl PartialEq for Backdrop {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Backdrop {
    /// The middle square of a picture (height, width, 3) in sRGB, averaged down by a whole number where it is larger than any frame.
    ///
    /// # Panics
    /// `rgb` has another length, or a side is 0.
    pub fn cover(rgb: &[u8], width: usize, height: usize) -> Self {
        assert!(width > 0 && height > 0 && rgb.len() == 3 * width * height, "a picture of {width}×{height}");
        let all = width.min(height);
        let by = all.div_ceil(SIDE_MAX as usize);
        let side = all / by;
        let (left, top) = ((width - side * by) / 2, (height - side * by) / 2);
        let mut out = Vec::with_capacity(3 * side * side);
        for k in 0..side * side {
            let (x, y) = (left + k % side * by, top + k / side * by);
            let mut sum = [0; 3];
            for j in 0..by * by {
                let at = 3 * ((y + j / by) * width + x + j % by);
                sum.iter_mut().zip(&rgb[at..]).for_each(|(sum, value)| *sum += usize::from(*value));
            }
            out.extend(sum.map(|sum| ((sum + by * by / 2) / (by * by)) as u8));
        }
        Self(Arc::new(Square { side, rgb: out }))
    }

    /// (size, size) in linear light; the fourth word is 0.
    pub(super) fn at(&self, size: usize) -> Vec<[f32; 4]> {
        let linear: Vec<f32> = (0..=255u8).map(srgb_to_linear).collect();
        let colour = |rgb: &[u8; 3]| rgb.map(|v| linear[usize::from(v)]);
        let pixels: Vec<[f32; 4]> =
            self.0.rgb.as_chunks().0.iter().map(colour).map(|[r, g, b]| [r, g, b, 0.0]).collect();
        resample(&pixels, self.0.side, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_colours_are_read_and_written() {
        for (text, want) in [
            ("portrait", Background::Portrait),
            ("blur", Background::Blur),
            ("none", Background::None),
            ("#00Ff7f", Background::Colour([0, 255, 127])),
            ("00ff7f", Background::Colour([0, 255, 127])),
        ] {
            let read: Background = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read, want, "{text}");
            assert_eq!(read.to_string().parse(), Ok(want), "{text}");
        }
        for text in ["", "#", "green", "#0f0", "#00ff0g", "+0ff00", "#00ff00ff", "##0ff00", "Blur", "ä€"] {
            let error = text.parse::<Background>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("{text:?}; give portrait, blur, none or a colour such as #00ff00")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_picture_covers_the_square_from_its_middle() {
        // A column of three colours, a pixel wide each, in a wide picture.
        let wide: Vec<u8> = [[9; 3], [10, 20, 30], [9; 3]].concat();
        assert_eq!(Backdrop::cover(&wide, 3, 1).0.rgb, [10, 20, 30]);
        let huge = Backdrop::cover(&vec![77; 3 * 4100 * 4099], 4100, 4099);
        assert_eq!((huge.0.side, huge.0.rgb.iter().all(|v| *v == 77)), (1366, true));
        let linear = srgb_to_linear(77);
        assert!(huge.at(64).iter().all(|p| p[..3].iter().all(|v| (v - linear).abs() < 1e-5)));
        assert_eq!(huge.at(64).len(), 64 * 64);
    }
}
