//! Generator: a portrait and the face's motion in, a picture out.
//!
//! The geometric generator warps the portrait by the driven mesh: the mesh says for each pixel of face and neck where in the portrait that
//! surface lies; hair, ears and clothes follow the head's rigid motion and, smoothly, the mesh beside them; what the portrait does not show
//! (lids, the inside of the mouth, the turned eye) is painted and lit to match. Pixels that the motion leaves alone stay as they were.
//!
//! HEF ([`hef`]) draws over what it makes, around the head and only where there is need; [`Method`] says who draws.
//!
//! Colours are linear inside; S is the side of the square picture. Everything that depends on the portrait alone is worked out once
//! ([`Setup`]); a frame is one replay of a plan.

mod eyes;
pub mod hef;
mod light;
mod paint;
mod picture;
mod record;
mod seen;
mod setup;
mod zones;

use std::time::Duration;

pub use record::{GeneratorTensors, Recorded, record};
pub use setup::Setup;

use crate::avatar::{AvatarFile, EXPRESSION, POSE};
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder, Program, Tensor};
use crate::face::FaceModel;
use hef::{HefWeights, LearnedPortrait, Style};

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

/// One picture.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Side in pixels.
    pub size: usize,
    /// How the bytes are laid out.
    pub format: OutputFormat,
    /// The picture.
    pub bytes: &'a [u8],
    /// How much of the time went to the face's mesh and raster, where that can be told apart.
    pub face_time: Option<Duration>,
}

/// Anything that turns motion into pictures of one person.
pub trait Generator: Send {
    /// The picture for expression β and the head's motion against the bust (pitch, yaw, roll in radians, x, y, z in metres).
    ///
    /// # Errors
    /// The device was lost.
    fn frame(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) -> Result<Frame<'_>, ComputeError>;
}

/// Why a generator could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeneratorError {
    /// The size is not one that the kernels take.
    #[error("the picture's side is {0} pixels; use a multiple of 8 from 64 to 2048 (usual: 256 or 512)")]
    Size(usize),
    /// The device was lost while the portrait was worked out.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// Who draws.
#[derive(Clone, Copy, Debug)]
pub enum Method<'a> {
    /// The plain mesh warp, without paint and light: to compare with.
    WarpOnly,
    /// The geometric generator.
    Geometric,
    /// HEF over the geometric generator.
    Learned(&'a HefWeights),
}

/// A side that the kernels take.
fn checked(size: usize) -> Result<usize, GeneratorError> {
    if (64..=2048).contains(&size) && size.is_multiple_of(8) { Ok(size) } else { Err(GeneratorError::Size(size)) }
}

/// An avatar worked out for pictures of one size and format. Cheap to clone; any number of generators share it.
#[derive(Clone, Debug)]
pub struct PreparedAvatar {
    program: Program,
    tensors: GeneratorTensors,
    style: Option<(Tensor, Style)>,
    size: usize,
    format: OutputFormat,
}

impl PreparedAvatar {
    /// Works `avatar` out for pictures of `size` × `size`; takes a tenth of a second or two, with a network three times as much.
    ///
    /// # Errors
    /// [`GeneratorError`].
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
        method: Method<'_>,
    ) -> Result<Self, GeneratorError> {
        let setup = Setup::new(model, avatar, checked(size)?);
        let range = if let Method::Learned(weights) = method { weights.style_range() } else { None };
        let learned = match method {
            Method::Learned(weights) => Some(LearnedPortrait::new(compute, model, avatar, size, weights)?),
            Method::WarpOnly | Method::Geometric => None,
        };
        let method = match (&learned, method) {
            (Some(portrait), _) => Recorded::Learned(portrait),
            (None, Method::WarpOnly) => Recorded::WarpOnly,
            (None, _) => Recorded::Geometric,
        };
        let mut plan = PlanBuilder::new("generator");
        let tensors = record(&mut plan, model, avatar, &setup, format, &method);
        let style = tensors.style.map(|tensor| (tensor, Style::of(model, avatar).held(range)));
        Ok(Self { program: compute.program(plan.finish()), tensors, style, size, format })
    }

    /// A generator with state of its own.
    pub fn generator(&self) -> PortraitGenerator {
        let Self { program, tensors, style, size, format } = self;
        PortraitGenerator {
            executor: program.executor(),
            tensors: *tensors,
            style: style.clone(),
            size: *size,
            format: *format,
        }
    }
}

/// Draws one avatar, by the [`Method`] that it was prepared for.
#[derive(Debug)]
pub struct PortraitGenerator {
    executor: Executor,
    tensors: GeneratorTensors,
    style: Option<(Tensor, Style)>,
    size: usize,
    format: OutputFormat,
}

impl PortraitGenerator {
    /// Prepares `avatar`: see [`PreparedAvatar::new`].
    ///
    /// # Errors
    /// [`GeneratorError`].
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
        method: Method<'_>,
    ) -> Result<Self, GeneratorError> {
        Ok(PreparedAvatar::new(compute, model, avatar, size, format, method)?.generator())
    }

    fn write(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) {
        let [pitch, yaw, roll, x, y, z] = *motion;
        self.executor.write(self.tensors.beta, beta);
        self.executor.write(self.tensors.motion, &[pitch, yaw, roll, x, y, z, 0.0, 0.0]);
        if let Some((tensor, style)) = &self.style {
            // σ̂ was 0 in training, too.
            self.executor.write(*tensor, &style.words(beta, motion, 0.0));
        }
    }

    /// As [`Generator::frame`], with the time of every kernel instead of the picture.
    ///
    /// # Errors
    /// The device was lost.
    pub fn frame_timed(
        &mut self,
        beta: &[f32; EXPRESSION],
        motion: &[f32; POSE],
    ) -> Result<Vec<(&'static str, Duration)>, ComputeError> {
        self.write(beta, motion);
        self.executor.run_timed()
    }
}

impl Generator for PortraitGenerator {
    fn frame(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) -> Result<Frame<'_>, ComputeError> {
        self.write(beta, motion);
        self.executor.run()?;
        Ok(Frame {
            size: self.size,
            format: self.format,
            bytes: self.executor.read(self.tensors.picture),
            face_time: self.executor.lap(),
        })
    }
}
