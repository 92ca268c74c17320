//! What is asked of a generator, and what lies between its parts.

use crate::compute::{ComputeError, PlanError, Tensor};

/// What a generator gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Four bytes a pixel, sRGB, alpha 255.
    Rgba,
    /// Four bytes a pixel, sRGB, the person cut out: straight alpha.
    RgbaCutOut,
    /// Planes Y (S × S), U and V (S/2 × S/2), BT.709 limited range.
    I420,
}

impl OutputFormat {
    /// Bytes of a picture of side `size`.
    pub fn bytes(self, size: usize) -> usize {
        match self {
            Self::Rgba | Self::RgbaCutOut => size * size * 4,
            Self::I420 => size * size * 3 / 2,
        }
    }
}

/// Why a generator could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeneratorError {
    /// The size is not one that the kernels take.
    #[error("the picture's side is {0} pixels; use a multiple of 8 from 64 to 2048 (usual: 256 or 512)")]
    Size(usize),
    /// An avatar was given to a generator of another recording.
    #[error(
        "the avatar was prepared for {got}, expected one that this generator's own recording prepared, for {expected}"
    )]
    Recording {
        /// Size and format of the generator.
        expected: String,
        /// Size and format of the avatar.
        got: String,
    },
    /// The pictures, or who draws them, cannot have this background.
    #[error("{0}")]
    Background(&'static str),
    /// The device was lost while the portrait was worked out.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl GeneratorError {
    /// Nothing is to be behind the person, and the format cannot say so.
    pub const NO_ALPHA: Self = Self::Background(
        "these pictures have no alpha, so nobody can be cut out of them; ask for OutputFormat::RgbaCutOut, or for one colour that is keyed out later, such as #00ff00",
    );
    /// Something is to be behind a person who is cut out.
    pub const CUT_OUT: Self =
        Self::Background("a person who is cut out has no background; ask for OutputFormat::Rgba or I420");
    /// Whoever draws this knows one background.
    pub const ONE_BACKGROUND: Self =
        Self::Background("who draws this face knows its own background only; ask for portrait");
}

impl From<PlanError> for GeneratorError {
    fn from(error: PlanError) -> Self {
        Self::Compute(error.into())
    }
}

/// A side that the kernels take.
pub(super) fn checked(size: usize) -> Result<usize, GeneratorError> {
    if (64..=2048).contains(&size) && size.is_multiple_of(8) { Ok(size) } else { Err(GeneratorError::Size(size)) }
}

/// What the geometric generator leaves of a frame of S × S pixels.
#[derive(Clone, Copy, Debug)]
pub struct FrameTensors {
    /// (S, S, 4): the composite in linear light, alpha.
    pub linear: Tensor,
    /// (S, S, 4): the lit mesh in linear light, and its mask.
    pub rendered: Tensor,
    /// (S, S, 4): where in the portrait each pixel looks (px), gain, share of paint behind the person.
    pub warp: Tensor,
    /// (S, S, 4): what is laid over it, and its share.
    pub paint: Tensor,
    /// (S/2, S/2, 2): blurred shares of mouth and eyeball.
    pub mask: Tensor,
}
