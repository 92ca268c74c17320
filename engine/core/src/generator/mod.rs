//! Generator: a portrait and the face's motion in, a picture out.
//!
//! The geometric generator warps the portrait by the driven mesh: the mesh says for each pixel of face and neck where in the portrait that
//! surface lies; hair, ears and clothes follow the head's rigid motion and, smoothly, the mesh beside them; what the portrait does not show
//! (lids, the inside of the mouth, the turned eye) is painted and lit to match. Pixels that the motion leaves alone stay as they were.
//!
//! HEF ([`hef`]) draws over what it makes, around the head and only where there is need; [`Method`] says who draws.
//!
//! Colours are linear inside; S is the side of the square picture. A frame is one replay of a plan that is recorded once ([`Recording`]) for all avatars. What depends
//! on the portrait alone is worked out once ([`PreparedAvatar`]) and bound to it.

mod chroma;
mod eyes;
mod frame;
mod geometric;
pub mod hef;
mod lids;
mod light;
mod lips;
mod own;
mod paint;
mod picture;
mod seen;
mod setup;
#[cfg(test)]
mod tests;
mod zones;

use std::sync::Arc;
use std::time::Duration;

pub use frame::{GeneratorError, OutputFormat};

use crate::avatar::AvatarFile;
use crate::compute::{Bindings, Compute, ComputeError, Executor, PlanBuilder, PlanError, Program, Tensor};
use crate::drive::Drive;
use crate::face::{self, FaceModel, Light, Shading};
use crate::timing::Clock;
use frame::{FrameTensors, checked};
use geometric::Parts;
use hef::{HefWeights, LearnedFrame, LearnedPortraits, Person, Style};
use own::Own;
use setup::Preparer;

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
    /// The picture of the person who does this.
    ///
    /// # Errors
    /// The device was lost.
    fn frame(&mut self, drive: &Drive) -> Result<Frame<'_>, ComputeError>;
}

/// A person, worked out: any number of generators share it.
pub trait Prepared: Send + Sync {
    /// A generator with state of its own.
    ///
    /// # Errors
    /// A mistake in the recording.
    fn open(&self) -> Result<Box<dyn Generator>, GeneratorError>;
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

/// What a frame is written to and read from.
#[derive(Clone, Copy, Debug)]
struct GeneratorTensors {
    /// Input (64): expression β.
    beta: Tensor,
    /// Input (8): see [`face::MOTION`].
    motion: Tensor,
    /// Input (1, 260), where the network draws: see [`hef::Style`].
    style: Option<Tensor>,
    /// Output: the picture's bytes in the format asked for.
    picture: Tensor,
}

/// The network's part of a recording.
#[derive(Debug)]
struct Learned {
    shading: Shading,
    frame: LearnedFrame,
    portraits: LearnedPortraits,
    weights: HefWeights,
}

/// A frame of one size, format and method, recorded and compiled once for any number of avatars of one face model. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Recorded>);

#[derive(Debug)]
struct Recorded {
    program: Program,
    tensors: GeneratorTensors,
    preparer: Preparer,
    parts: Parts,
    learned: Option<Learned>,
    size: usize,
    format: OutputFormat,
}

impl Recording {
    /// Records frames of `size` × `size`.
    ///
    /// # Errors
    /// [`GeneratorError`].
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        size: usize,
        format: OutputFormat,
        method: Method<'_>,
    ) -> Result<Self, GeneratorError> {
        let preparer = Preparer::new(model, checked(size)?)?;
        let mut plan = PlanBuilder::new("generator");
        let parts = geometric::record(&mut plan, model, size);
        let cut_out = format == OutputFormat::RgbaCutOut;
        let mut composite = |background, effects| parts.composite(&mut plan, &preparer.parts, background, effects);
        let linear = composite(!cut_out, !matches!(method, Method::WarpOnly));
        let mut learned = None;
        if let Method::Learned(weights) = method {
            // The network knows people before their background, also where they are to be cut out.
            let seen = if cut_out { composite(true, true) } else { linear };
            let shading = face::record_shading(&mut plan, &parts.face);
            let Parts { warp, paint, mask, pictures, .. } = parts;
            let frame = FrameTensors { linear: seen, rendered: shading.rendered, warp, paint, mask };
            let person = cut_out.then_some(Person { linear, pictures });
            learned = Some(Learned {
                shading,
                frame: LearnedFrame::record(&mut plan, weights, &frame, person),
                portraits: LearnedPortraits::new(compute, model, &preparer, size, weights)?,
                weights: weights.clone(),
            });
        }
        let picture = geometric::encode(&mut plan, linear, format);
        let style = learned.as_ref().map(|learned| learned.frame.style);
        let tensors = GeneratorTensors { beta: parts.face.beta, motion: parts.face.motion, style, picture };
        let program = compute.program(plan.finish()?);
        Ok(Self(Arc::new(Recorded { program, tensors, preparer, parts, learned, size, format })))
    }

    /// Works an avatar out; takes a tenth of a second or two, with a network twice as much. `model` is the one that this was recorded for.
    ///
    /// # Errors
    /// The device was lost, or `model` has other sizes.
    pub fn prepare(&self, model: &FaceModel, avatar: &AvatarFile) -> Result<PreparedAvatar, GeneratorError> {
        let Recorded { tensors, preparer, parts, learned, size, .. } = &*self.0;
        let setup = preparer.portrait(model, avatar)?;
        let mut bindings = Bindings::default();
        parts.bind(&mut bindings, model, avatar, &setup);
        let mut style = None;
        if let Some(Learned { shading, frame, portraits, weights }) = learned {
            shading.bind(&mut bindings, model, &Light::of(avatar));
            frame.bind(&mut bindings, &portraits.look(model, avatar, &setup, *size)?);
            style = tensors.style.map(|tensor| (tensor, Style::of(model, avatar).for_network(weights)));
        }
        Ok(PreparedAvatar { recording: self.clone(), bindings, style, own: None, clock: Clock::default() })
    }
}

/// An avatar worked out for a recording: resident tensors that all its generators share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PreparedAvatar {
    recording: Recording,
    bindings: Bindings,
    style: Option<(Tensor, Style)>,
    own: Option<Own>,
    clock: Clock,
}

impl PreparedAvatar {
    /// Works `avatar` out for pictures of `size` × `size` and a recording of its own. Who has several avatars makes the [`Recording`] first.
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
        Recording::new(compute, model, size, format, method)?.prepare(model, avatar)
    }

    /// Who tells the time, for [`Frame::face_time`].
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps part of the portrait's own expression: its brows, narrowed eyes, what is lopsided about the mouth, and most of its gaze are added to what is driven.
    /// Without this a drive's coefficients are drawn as they are. Portraits with an even face that looks ahead change nothing.
    pub fn keeping_expression(mut self, model: &FaceModel, avatar: &AvatarFile) -> Self {
        self.own = Some(Own::of(model, &avatar.beta));
        self
    }

    /// Bytes that are resident for this avatar alone.
    pub fn bytes(&self) -> usize {
        self.bindings.bytes()
    }

    /// A generator with state of its own.
    ///
    /// # Errors
    /// A mistake in the recording.
    pub fn generator(&self) -> Result<PortraitGenerator, GeneratorError> {
        let Recorded { program, tensors, size, format, .. } = &*self.recording.0;
        Ok(PortraitGenerator {
            executor: program.executor(&self.bindings)?.timed_by(self.clock),
            recording: self.recording.clone(),
            tensors: *tensors,
            style: self.style.clone(),
            own: self.own,
            size: *size,
            format: *format,
        })
    }
}

impl Prepared for PreparedAvatar {
    fn open(&self) -> Result<Box<dyn Generator>, GeneratorError> {
        Ok(Box::new(self.generator()?))
    }
}

/// Draws one avatar at a time, by the [`Method`] that it was prepared for.
#[derive(Debug)]
pub struct PortraitGenerator {
    executor: Executor,
    recording: Recording,
    tensors: GeneratorTensors,
    style: Option<(Tensor, Style)>,
    own: Option<Own>,
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
        PreparedAvatar::new(compute, model, avatar, size, format, method)?.generator()
    }

    /// Draws another avatar from now on: binds what was prepared of it, and records and compiles nothing.
    ///
    /// # Errors
    /// It was prepared for another recording.
    pub fn show(&mut self, avatar: &PreparedAvatar) -> Result<(), GeneratorError> {
        let (ours, theirs) = (&self.recording.0, &avatar.recording.0);
        if !Arc::ptr_eq(ours, theirs) {
            let [expected, got] = [ours, theirs].map(|r| format!("{0} × {0} {1:?}", r.size, r.format));
            return Err(GeneratorError::Recording { expected, got });
        }
        self.executor.rebind(&avatar.bindings)?;
        self.style = avatar.style.clone();
        self.own = avatar.own;
        Ok(())
    }

    fn write(&mut self, drive: &Drive) -> Result<(), PlanError> {
        let own = self.own.map(|own| own.on(drive));
        let drive = own.as_ref().unwrap_or(drive);
        let [pitch, yaw, roll, x, y, z] = drive.pose;
        self.executor.write(self.tensors.beta, &drive.beta)?;
        self.executor.write(self.tensors.motion, &[pitch, yaw, roll, x, y, z, 0.0, 0.0])?;
        if let Some((tensor, style)) = &self.style {
            self.executor.write(*tensor, &style.words(drive))?;
        }
        Ok(())
    }

    /// As [`Generator::frame`], with the time of every kernel instead of the picture.
    ///
    /// # Errors
    /// The device was lost.
    pub fn frame_timed(&mut self, drive: &Drive, clock: Clock) -> Result<Vec<(&'static str, Duration)>, ComputeError> {
        self.write(drive)?;
        self.executor.run_timed(clock)
    }
}

impl Generator for PortraitGenerator {
    fn frame(&mut self, drive: &Drive) -> Result<Frame<'_>, ComputeError> {
        self.write(drive)?;
        self.executor.run()?;
        Ok(Frame {
            size: self.size,
            format: self.format,
            bytes: self.executor.read(self.tensors.picture)?,
            face_time: self.executor.lap(),
        })
    }
}
