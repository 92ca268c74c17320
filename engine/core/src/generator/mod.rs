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

mod background;
mod behind;
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

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use background::{Backdrop, Background, UnknownBackground};
pub use frame::{GeneratorError, OutputFormat};

use crate::avatar::{AvatarFile, srgb_to_linear};
use crate::compute::{Bindings, Compute, ComputeError, Constant, Executor, PlanBuilder, PlanError, Program, Tensor};
use crate::drive::Drive;
use crate::face::{self, FaceModel, Light, Shading};
use crate::timing::Clock;
use frame::{FrameTensors, checked};
use geometric::{Behind, Parts};
use hef::{HefWeights, LearnedFrame, LearnedPortrait, LearnedPortraits, Person, Style};
use own::Own;
use setup::{Preparer, Setup};

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

    /// The same, before this background. Whoever knows no other than the person's own leaves this as it is.
    ///
    /// # Errors
    /// [`GeneratorError::Background`], and as [`Self::open`].
    fn open_before(&self, background: &Background) -> Result<Box<dyn Generator>, GeneratorError> {
        if *background == Background::Portrait { self.open() } else { Err(GeneratorError::ONE_BACKGROUND) }
    }
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

/// Frames before one kind of background: the portrait's own or none, or another.
#[derive(Debug)]
struct Scene {
    program: Program,
    tensors: GeneratorTensors,
    parts: Parts,
    learned: Option<(Shading, LearnedFrame)>,
    behind: Option<Behind>,
}

impl Scene {
    /// Records it; `another` is to be behind the person, or nothing that is like their own.
    fn record(
        compute: &Compute,
        model: &FaceModel,
        preparer: &Preparer,
        size: usize,
        format: OutputFormat,
        method: Method<'_>,
        another: bool,
    ) -> Result<Self, PlanError> {
        let mut plan = PlanBuilder::new("generator");
        let parts = geometric::record(&mut plan, model, size);
        let cut_out = another || format == OutputFormat::RgbaCutOut;
        let mut composite = |background, effects| parts.composite(&mut plan, &preparer.parts, background, effects);
        let linear = composite(!cut_out, !matches!(method, Method::WarpOnly));
        let mut learned = None;
        if let Method::Learned(weights) = method {
            // The network knows people before their background, also where they are to be cut out.
            let seen = if cut_out { composite(true, true) } else { linear };
            let shading = face::record_shading(&mut plan, &parts.face);
            let Parts { warp, paint, mask, pictures, .. } = parts;
            let frame = FrameTensors { linear: seen, rendered: shading.rendered, warp, paint, mask };
            let person = cut_out.then_some(Person { linear, pictures, outline: another });
            learned = Some((shading, LearnedFrame::record(&mut plan, weights, &frame, person)));
        }
        let behind = (another && format != OutputFormat::RgbaCutOut).then(|| Behind::record(&mut plan, linear));
        let picture = geometric::encode(&mut plan, linear, format);
        let style = learned.as_ref().map(|(_, frame)| frame.style);
        let tensors = GeneratorTensors { beta: parts.face.beta, motion: parts.face.motion, style, picture };
        Ok(Self { program: compute.program(plan.finish()?), tensors, parts, learned, behind })
    }

    /// Binds an avatar; what is behind them is bound later.
    fn bind(&self, model: &FaceModel, avatar: &AvatarFile, setup: &Setup, seen: Option<&LearnedPortrait>) -> Bindings {
        let mut bindings = Bindings::default();
        self.parts.bind(&mut bindings, model, avatar, setup);
        if let (Some((shading, frame)), Some(seen)) = (&self.learned, seen) {
            shading.bind(&mut bindings, model, &Light::of(avatar));
            frame.bind(&mut bindings, seen);
        }
        bindings
    }
}

/// A frame of one size, format and method, recorded and compiled once for any number of avatars of one face model. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Recorded>);

#[derive(Debug)]
struct Recorded {
    /// Before the portrait's own background, or cut out.
    own: Scene,
    /// Before another background, or cut out for one.
    other: Scene,
    preparer: Preparer,
    learned: Option<(LearnedPortraits, HefWeights)>,
    size: usize,
    format: OutputFormat,
}

impl Recorded {
    fn scene(&self, other: bool) -> &Scene {
        if other { &self.other } else { &self.own }
    }
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
        let scene = |another| Scene::record(compute, model, &preparer, size, format, method, another);
        let (own, other) = (scene(false)?, scene(true)?);
        let learned = match method {
            Method::Learned(weights) => {
                Some((LearnedPortraits::new(compute, model, &preparer, size, weights)?, weights.clone()))
            }
            Method::WarpOnly | Method::Geometric => None,
        };
        Ok(Self(Arc::new(Recorded { own, other, preparer, learned, size, format })))
    }

    /// Works an avatar out; takes a tenth of a second or two, with a network twice as much. `model` is the one that this was recorded for.
    ///
    /// # Errors
    /// The device was lost, or `model` has other sizes.
    pub fn prepare(&self, model: &FaceModel, avatar: &AvatarFile) -> Result<PreparedAvatar, GeneratorError> {
        let Recorded { own, other, preparer, learned, size, .. } = &*self.0;
        let setup = preparer.portrait(model, avatar)?;
        let (mut seen, mut style) = (None, None);
        if let Some((portraits, weights)) = learned {
            seen = Some(portraits.look(model, avatar, &setup, *size)?);
            style = Some(Style::of(model, avatar).for_network(weights));
        }
        let bind = |scene: &Scene| scene.bind(model, avatar, &setup, seen.as_ref());
        let person = Worked {
            own: bind(own),
            other: bind(other),
            pictures: setup.pictures.clone(),
            alone: OnceLock::new(),
            blur: OnceLock::new(),
        };
        let bindings = person.own.clone();
        let (person, recording) = (Arc::new(person), self.clone());
        Ok(PreparedAvatar { recording, person, bindings, other: false, style, own: None, clock: Clock::default() })
    }
}

/// What all backgrounds of an avatar share.
#[derive(Debug)]
struct Worked {
    /// For the recording's scenes.
    own: Bindings,
    other: Bindings,
    /// (2, S, S, 4): the person premultiplied by the matte, then the background.
    pictures: Constant,
    /// The same with the person's colours as if there were no background, when it was first asked for.
    alone: OnceLock<Constant>,
    /// (S, S, 4): the background out of focus, when it was first asked for.
    blur: OnceLock<Constant>,
}

impl Worked {
    fn layers(&self) -> (&[[f32; 4]], &[[f32; 4]]) {
        let pictures: &[[f32; 4]] = self.pictures.data().unwrap_or_default();
        pictures.split_at(pictures.len() / 2)
    }

    fn alone(&self, size: usize) -> Constant {
        let made = self.alone.get_or_init(|| {
            let (person, background) = self.layers();
            let mut pictures = behind::alone(person, background, size);
            pictures.extend_from_slice(background);
            Constant::new([2, size, size, 4], &pictures)
        });
        made.clone()
    }

    fn blur(&self, size: usize) -> Constant {
        let made = self.blur.get_or_init(|| {
            let (person, background) = self.layers();
            Constant::new([size, size, 4], &behind::blurred(person, background, size))
        });
        made.clone()
    }
}

/// An avatar worked out for a recording: resident tensors that all its generators share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PreparedAvatar {
    recording: Recording,
    person: Arc<Worked>,
    bindings: Bindings,
    /// Which of the recording's scenes `bindings` are for.
    other: bool,
    style: Option<Style>,
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

    /// The same person before another background; what that needs of the portrait is worked out when it is first asked for, within a tenth of a second.
    /// Cut-outs ([`OutputFormat::RgbaCutOut`]) may have [`Background::None`]: their edges lose what the portrait's background left in them.
    ///
    /// # Errors
    /// [`GeneratorError::Background`]: the format cannot have it.
    pub fn before(&self, background: &Background) -> Result<Self, GeneratorError> {
        let Self { recording, person, .. } = self;
        let Recorded { other, size, format, .. } = &*recording.0;
        let picture = match background {
            Background::Portrait => return Ok(Self { bindings: person.own.clone(), other: false, ..self.clone() }),
            Background::None => None,
            Background::Blur => Some(person.blur(*size)),
            Background::Colour(rgb) => {
                let [r, g, b] = rgb.map(srgb_to_linear);
                Some(Constant::new([*size, *size, 4], &vec![[r, g, b, 0.0]; size * size]))
            }
            Background::Picture(picture) => Some(Constant::new([*size, *size, 4], &picture.at(*size))),
        };
        let mut bindings = person.other.clone();
        // Before their own background, if out of focus, people stay as they are: what is wrong with the matte then shows least.
        let alone = *background != Background::Blur;
        if alone {
            bindings.tensor(other.parts.pictures, person.alone(*size));
        }
        match (&other.behind, picture) {
            (Some(behind), Some(picture)) => behind.bind(&mut bindings, picture, alone),
            (Some(_), None) => return Err(GeneratorError::NO_ALPHA),
            (None, Some(_)) => return Err(GeneratorError::CUT_OUT),
            (None, None) => debug_assert_eq!(*format, OutputFormat::RgbaCutOut),
        }
        Ok(Self { bindings, other: true, ..self.clone() })
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
        let Recorded { size, format, .. } = &*self.recording.0;
        let Scene { program, tensors, .. } = self.recording.0.scene(self.other);
        Ok(PortraitGenerator {
            executor: program.executor(&self.bindings)?.timed_by(self.clock),
            recording: self.recording.clone(),
            tensors: *tensors,
            other: self.other,
            style: self.style.clone(),
            own: self.own,
            clock: self.clock,
            size: *size,
            format: *format,
        })
    }
}

impl Prepared for PreparedAvatar {
    fn open(&self) -> Result<Box<dyn Generator>, GeneratorError> {
        Ok(Box::new(self.generator()?))
    }

    fn open_before(&self, background: &Background) -> Result<Box<dyn Generator>, GeneratorError> {
        Ok(Box::new(self.before(background)?.generator()?))
    }
}

/// Draws one avatar at a time, by the [`Method`] that it was prepared for.
#[derive(Debug)]
pub struct PortraitGenerator {
    executor: Executor,
    recording: Recording,
    tensors: GeneratorTensors,
    /// Which of the recording's scenes it draws.
    other: bool,
    style: Option<Style>,
    own: Option<Own>,
    clock: Clock,
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

    /// Draws another avatar from now on: binds what was prepared of it, and records and compiles nothing. From the portrait's own background to another, and back,
    /// it takes new memory.
    ///
    /// # Errors
    /// It was prepared for another recording.
    pub fn show(&mut self, avatar: &PreparedAvatar) -> Result<(), GeneratorError> {
        let (ours, theirs) = (&self.recording.0, &avatar.recording.0);
        if !Arc::ptr_eq(ours, theirs) {
            let [expected, got] = [ours, theirs].map(|r| format!("{0} × {0} {1:?}", r.size, r.format));
            return Err(GeneratorError::Recording { expected, got });
        }
        if self.other == avatar.other {
            self.executor.rebind(&avatar.bindings)?;
        } else {
            let Scene { program, tensors, .. } = ours.scene(avatar.other);
            self.executor = program.executor(&avatar.bindings)?.timed_by(self.clock);
            (self.tensors, self.other) = (*tensors, avatar.other);
        }
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
        if let (Some(tensor), Some(style)) = (self.tensors.style, &self.style) {
            self.executor.write(tensor, &style.words(drive))?;
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
