//! Generator: a portrait and the face's motion in, a picture out.
//!
//! [`GeometricGenerator`] warps the portrait by the driven mesh: the mesh says for each pixel of face and neck where in the portrait that
//! surface lies; hair, ears and clothes follow the head's rigid motion and, smoothly, the mesh beside them; what the portrait does not show
//! (lids, the inside of the mouth, the turned eye) is painted and lit to match. Pixels that the motion leaves alone stay as they were.
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

pub use record::{GeneratorTensors, record};
pub use setup::Setup;

use crate::avatar::{AvatarFile, EXPRESSION, POSE};
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder, Program};
use crate::face::FaceModel;

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
    size: usize,
    format: OutputFormat,
}

impl PreparedAvatar {
    /// Works `avatar` out for pictures of `size` × `size`; takes a tenth of a second or two.
    ///
    /// # Errors
    /// [`GeneratorError::Size`].
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
    ) -> Result<Self, GeneratorError> {
        Self::build(compute, model, avatar, size, format, false)
    }

    fn build(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
        warp_only: bool,
    ) -> Result<Self, GeneratorError> {
        let setup = Setup::new(model, avatar, checked(size)?);
        let mut plan = PlanBuilder::new("geometric generator");
        let tensors = record(&mut plan, model, avatar, &setup, format, warp_only);
        Ok(Self { program: compute.program(plan.finish()), tensors, size, format })
    }

    /// A generator with state of its own.
    pub fn generator(&self) -> GeometricGenerator {
        let Self { program, tensors, size, format } = self;
        GeometricGenerator { executor: program.executor(), tensors: *tensors, size: *size, format: *format }
    }
}

/// The generator that needs no network: see the module's text.
#[derive(Debug)]
pub struct GeometricGenerator {
    executor: Executor,
    tensors: GeneratorTensors,
    size: usize,
    format: OutputFormat,
}

impl GeometricGenerator {
    /// Prepares `avatar` for pictures of `size` × `size`.
    ///
    /// # Errors
    /// [`GeneratorError::Size`].
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
    ) -> Result<Self, GeneratorError> {
        Ok(PreparedAvatar::new(compute, model, avatar, size, format)?.generator())
    }

    /// The plain warp by the mesh, without paint and light, to compare with.
    ///
    /// # Errors
    /// [`GeneratorError::Size`].
    pub fn warp_only(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        format: OutputFormat,
    ) -> Result<Self, GeneratorError> {
        Ok(PreparedAvatar::build(compute, model, avatar, size, format, true)?.generator())
    }

    fn write(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) {
        let [pitch, yaw, roll, x, y, z] = *motion;
        self.executor.write(self.tensors.beta, beta);
        self.executor.write(self.tensors.motion, &[pitch, yaw, roll, x, y, z, 0.0, 0.0]);
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

impl Generator for GeometricGenerator {
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
