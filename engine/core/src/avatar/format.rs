//! The `.avatar` file format, version 1.
//!
//! | tensor | type | shape | what |
//! |---|---|---|---|
//! | `portrait.png` | u8 | (N) | square sRGB picture, PNG bytes, 64 to 2048 pixels a side, not interlaced |
//! | `matte.png` | u8 | (N) | grey picture of the same size, 255 = person, PNG bytes |
//! | `alpha` | f32 | (80) | identity coefficients, unit variance |
//! | `beta` | f32 | (64) | expression shown in the portrait |
//! | `delta` | f32 | (80) | albedo coefficients, unit variance |
//! | `gamma` | f32 | (27) | spherical-harmonic light, `gamma[3·i + channel]` |
//! | `pose` | f32 | (6) | pitch, yaw, roll in radians; x, y, z in metres, camera space |
//! | `camera` | f32 | (3) | focal length, centre x, centre y, in units of the image's height |
//!
//! Metadata: `version` = "1", `name`, `title`, `licence`. Of files that were made of a photograph also what [`Origin`] says: `fit` = "mesh", `made_by`,
//! `consent` = "yes", `framing`. Files without these are read as ever, and so are these by programs that do not know them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use thiserror::Error;

use super::origin::Origin;
use super::picture::{Png, SIDE_MAX};
use crate::weights::{WeightError, WeightReader};

/// Number of identity coefficients.
pub const IDENTITY: usize = 80;
/// Number of expression coefficients.
pub const EXPRESSION: usize = 64;
/// Number of albedo coefficients.
pub const ALBEDO: usize = 80;
/// Number of light coefficients: nine spherical harmonics for each of red, green and blue.
pub const LIGHT: usize = 27;
/// Number of pose coefficients.
pub const POSE: usize = 6;

/// Coefficients that no fit of a face reaches; identity is in standard deviations.
const FARTHEST_ALPHA: f32 = 20.0;
const FARTHEST_BETA: f32 = 4.0;
/// Metres.
const FARTHEST_AWAY: f32 = -100.0;
/// Smallest and largest side of a portrait, pixels. The upper end bounds what a hostile file can make us allocate.
const SIDE_RANGE: std::ops::RangeInclusive<u32> = 64..=SIDE_MAX;

/// Why an `.avatar` file could not be used.
#[derive(Debug, Error)]
pub enum AvatarError {
    /// The container or a tensor in it is wrong.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// One of the two pictures cannot be used.
    #[error("{file}: {picture} {reason}")]
    Picture {
        /// File as the user knows it.
        file: String,
        /// Name of the tensor that holds the picture.
        picture: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The camera or pose could not have taken the portrait.
    #[error("{file}: {reason}")]
    Geometry {
        /// File as the user knows it.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// A square picture, 8-bit sRGB.
#[derive(Clone, PartialEq, Eq)]
pub struct Portrait {
    /// Width and height in pixels.
    pub side: usize,
    /// (side, side, 3) row-major.
    pub rgb: Vec<u8>,
}

/// How much of each pixel is person.
#[derive(Clone, PartialEq, Eq)]
pub struct Matte {
    /// Width and height in pixels.
    pub side: usize,
    /// (side, side) row-major; 255 is person, 0 is background.
    pub alpha: Vec<u8>,
}

impl std::fmt::Debug for Portrait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Portrait({0}×{0})", self.side)
    }
}

impl std::fmt::Debug for Matte {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matte({0}×{0})", self.side)
    }
}

/// The content of one `.avatar` file, checked: right shapes, finite numbers, pictures of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct AvatarFile {
    /// Short name, as given to `--avatar`.
    pub name: String,
    /// One line about who is shown.
    pub title: String,
    /// Licence of the portrait, SPDX.
    pub licence: String,
    /// The picture.
    pub portrait: Portrait,
    /// The picture's matte, same size.
    pub matte: Matte,
    /// Identity.
    pub alpha: [f32; IDENTITY],
    /// Expression shown in the portrait.
    pub beta: [f32; EXPRESSION],
    /// Albedo.
    pub delta: [f32; ALBEDO],
    /// Light.
    pub gamma: [f32; LIGHT],
    /// Where the bust stands in camera space.
    pub pose: [f32; POSE],
    /// Focal length and centre, in units of the image's height.
    pub camera: [f32; 3],
    /// How it came to be.
    pub origin: Origin,
}

impl AvatarFile {
    /// Reads and checks a file. `file` is the name that errors show.
    ///
    /// # Errors
    /// See [`AvatarError`]; arbitrary bytes never panic and never allocate more than a portrait of 2048² needs.
    pub fn parse(file: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, AvatarError> {
        let mut reader = WeightReader::new(file, bytes)?;
        let version = reader.metadata("version")?;
        if version != "1" {
            return Err(reader.metadata_error("version", format!("is {version:?}; this build reads version 1")).into());
        }
        let (name, title, licence) = (
            reader.metadata("name")?.to_owned(),
            reader.metadata("title")?.to_owned(),
            reader.metadata("licence")?.to_owned(),
        );
        let origin = Origin::read(&reader)?;
        let wrong = |picture| move |reason| AvatarError::Picture { file: file.into(), picture, reason };
        let (portrait, matte) = (take_bytes(&mut reader, "portrait.png")?, take_bytes(&mut reader, "matte.png")?);
        // Both headers come first: pictures that do not belong together are not worth unpacking.
        let portrait = Png::open(&portrait, SIDE_RANGE).map_err(wrong("portrait.png"))?;
        let matte = Png::open(&matte, SIDE_RANGE).map_err(wrong("matte.png"))?;
        let side = portrait.side();
        if matte.side() != side {
            let reason = format!("is {0}×{0}, but the portrait is {side}×{side}", matte.side());
            return Err(wrong("matte.png")(reason));
        }
        let avatar = Self {
            name,
            title,
            licence,
            portrait: Portrait { side, rgb: portrait.rgb().map_err(wrong("portrait.png"))? },
            matte: Matte { side, alpha: matte.grey().map_err(wrong("matte.png"))? },
            alpha: take_array(&mut reader, "alpha")?,
            beta: take_array(&mut reader, "beta")?,
            delta: take_array(&mut reader, "delta")?,
            gamma: take_array(&mut reader, "gamma")?,
            pose: take_array(&mut reader, "pose")?,
            camera: take_array(&mut reader, "camera")?,
            origin,
        };
        reader.finish()?;
        avatar.check_geometry(file)?;
        Ok(avatar)
    }

    /// The file's bytes; [`Self::parse`] gives the same avatar back.
    ///
    /// # Errors
    /// When a picture cannot be encoded: its buffer does not have `side`² pixels.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AvatarError> {
        let encode = |picture: &'static str, image: Option<DynamicImage>| -> Result<Vec<u8>, AvatarError> {
            let error = |reason: String| AvatarError::Picture { file: self.name.clone(), picture, reason };
            let image = image.ok_or_else(|| error("does not have side² pixels".into()))?;
            let mut png = Cursor::new(Vec::new());
            image.write_to(&mut png, ImageFormat::Png).map_err(|e| error(e.to_string()))?;
            Ok(png.into_inner())
        };
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (p, m) = (&self.portrait, &self.matte);
        let rgb = image::RgbImage::from_raw(side(p.side), side(p.side), p.rgb.clone());
        let grey = image::GrayImage::from_raw(side(m.side), side(m.side), m.alpha.clone());
        let portrait = encode("portrait.png", rgb.map(DynamicImage::from))?;
        let matte = encode("matte.png", grey.map(DynamicImage::from))?;
        let floats: [(&str, &[f32]); 6] = [
            ("alpha", &self.alpha),
            ("beta", &self.beta),
            ("delta", &self.delta),
            ("gamma", &self.gamma),
            ("pose", &self.pose),
            ("camera", &self.camera),
        ];
        let bytes: Vec<Vec<u8>> =
            floats.iter().map(|(_, v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let malformed =
            |e: safetensors::SafeTensorError| WeightError::Malformed { file: self.name.clone(), reason: e.to_string() };
        let mut tensors = vec![
            ("portrait.png", TensorView::new(Dtype::U8, vec![portrait.len()], &portrait).map_err(malformed)?),
            ("matte.png", TensorView::new(Dtype::U8, vec![matte.len()], &matte).map_err(malformed)?),
        ];
        for ((name, values), bytes) in floats.iter().zip(&bytes) {
            tensors.push((name, TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(malformed)?));
        }
        let metadata = [("version", "1"), ("name", &self.name), ("title", &self.title), ("licence", &self.licence)];
        let metadata: HashMap<String, String> = (metadata.into_iter().map(|(k, v)| (k, v.to_owned())))
            .chain(self.origin.metadata())
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        Ok(safetensors::serialize(tensors, Some(metadata)).map_err(malformed)?)
    }

    /// Whether camera and pose can have taken the portrait.
    pub(crate) fn check_geometry(&self, file: &str) -> Result<(), AvatarError> {
        let [focal, x, y] = self.camera;
        let largest = |v: &[f32]| v.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let (alpha, beta) = (largest(&self.alpha), largest(&self.beta));
        let wrong = if alpha > FARTHEST_ALPHA || beta > FARTHEST_BETA {
            format!(
                "its largest identity and expression coefficients are {alpha} and {beta}; no face is beyond {FARTHEST_ALPHA} and {FARTHEST_BETA}"
            )
        } else if !(0.1..=100.0).contains(&focal) {
            format!("camera focal length is {focal} image heights, expected 0.1 to 100")
        } else if !(-1.0..=2.0).contains(&x) || !(-1.0..=2.0).contains(&y) {
            format!("camera centre ({x}, {y}) is far outside the picture")
        } else if self.pose[5] > -0.05 {
            format!("the head stands at z = {} m, expected in front of the camera (below -0.05 m)", self.pose[5])
        } else if self.pose[5] < FARTHEST_AWAY {
            format!("the head stands at z = {} m, too far away to be seen (beyond {FARTHEST_AWAY} m)", self.pose[5])
        } else {
            return Ok(());
        };
        Err(AvatarError::Geometry { file: file.into(), reason: wrong })
    }
}

fn take_bytes(reader: &mut WeightReader, tensor: &str) -> Result<Vec<u8>, WeightError> {
    let len = reader.shape(tensor).map_or(0, |shape| shape.iter().product());
    reader.take_u8(tensor, [len])
}

fn take_array<const N: usize>(reader: &mut WeightReader, tensor: &str) -> Result<[f32; N], WeightError> {
    let values = reader.take(tensor, [N])?;
    Ok(std::array::from_fn(|i| values[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avatar::Framing;
    use proptest::prelude::*;

    fn avatar() -> AvatarFile {
        let side = 64;
        AvatarFile {
            name: "test".into(),
            title: "A test picture".into(),
            licence: "CC0-1.0".into(),
            portrait: Portrait { side, rgb: (0..side * side * 3).map(|i| (i % 251) as u8).collect() },
            matte: Matte { side, alpha: (0..side * side).map(|i| (i % 256) as u8).collect() },
            alpha: std::array::from_fn(|i| i as f32 * 0.1),
            beta: [0.0; EXPRESSION],
            delta: [0.5; ALBEDO],
            gamma: [0.2; LIGHT],
            pose: [0.1, 0.0, 0.0, 0.0, 0.0, -1.25],
            camera: [2.5, 0.5, 0.45],
            origin: Origin::default(),
        }
    }

    /// One word of the metadata in place of another, which is as long.
    fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("it is there");
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    }

    #[test]
    fn where_a_file_came_from_is_kept() {
        let mut made = avatar();
        let framing = Framing { left: -3, top: 40, side: 900, turns: 2 };
        made.origin = Origin { mesh_fit: true, made_by: "a test".into(), consent: true, framing: Some(framing) };
        let bytes = made.to_bytes().unwrap();
        assert_eq!(AvatarFile::parse("test.avatar", bytes.clone()).unwrap(), made);
        for (from, to) in [("\"-3 40 900 2\"", "\"-3 40 900 4\""), ("\"mesh\"", "\"mash\""), ("\"yes\"", "\"yet\"")] {
            let error = AvatarFile::parse("test.avatar", replaced(&bytes, from, to)).unwrap_err().to_string();
            assert!(error.contains("enrol the photo again"), "{error}");
        }
        let error = AvatarFile::parse("test.avatar", replaced(&bytes, "\"version\":\"1\"", "\"version\":\"2\""));
        assert!(error.unwrap_err().to_string().contains("this build reads version 1"));
    }

    #[test]
    fn written_avatars_read_back_equal() {
        let bytes = avatar().to_bytes().unwrap();
        assert_eq!(AvatarFile::parse("test.avatar", bytes).unwrap(), avatar());
    }

    #[test]
    fn impossible_cameras_and_faces_are_refused() {
        for change in [|a: &mut AvatarFile| a.alpha[79] = -1e30, |a: &mut AvatarFile| a.beta[3] = 5.0] {
            let mut wrong = avatar();
            change(&mut wrong);
            let error = AvatarFile::parse("test.avatar", wrong.to_bytes().unwrap()).unwrap_err();
            assert!(matches!(error, AvatarError::Geometry { .. }), "{error}");
        }
        for (focal, z) in [(0.0, -1.0), (2.5, 1.0), (2.5, -101.0), (1e9, -1.0)] {
            let mut wrong = avatar();
            wrong.camera[0] = focal;
            wrong.pose[5] = z;
            let error = AvatarFile::parse("test.avatar", wrong.to_bytes().unwrap()).unwrap_err();
            assert!(matches!(error, AvatarError::Geometry { .. }), "{error}");
        }
    }

    #[test]
    fn pictures_of_two_sizes_are_refused() {
        let mut wrong = avatar();
        wrong.matte = Matte { side: 65, alpha: vec![0; 65 * 65] };
        let error = AvatarFile::parse("test.avatar", wrong.to_bytes().unwrap()).unwrap_err();
        assert!(error.to_string().contains("matte.png is 65×65, but the portrait is 64×64"), "{error}");
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = avatar().to_bytes().unwrap();
        for len in (0..bytes.len()).step_by(97) {
            assert!(AvatarFile::parse("test.avatar", bytes[..len].to_vec()).is_err(), "{len}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(AvatarFile::parse("x.avatar", bytes).is_err());
        }

        #[test]
        fn damaged_files_never_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut bytes = avatar().to_bytes().unwrap();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = AvatarFile::parse("x.avatar", bytes);
        }
    }
}
