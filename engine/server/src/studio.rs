//! What all sessions share: the backend, the face model, the motion model, and every avatar that was asked for, worked out once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow};
use axum::http::StatusCode;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageBuffer, Rgb};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::emotion::{Blend, EASE, Mood, MoodError};
use vultus::face::FaceModel;
use vultus::generator::{Background, Generator, OutputFormat, Prepared};
use vultus::motion::MotionSource;
use vultus::session::Session;
use vultus_native::assets::{Assets, DEFAULT_AVATAR, FACE};
use vultus_native::compute::{Backend, clock};
use vultus_native::enrol::Enroller;
use vultus_native::graphics::{Graphics, TrialCommand};
use vultus_native::registry::{Drawer, Easel, MOTION, Registry, live_generator};
use vultus_native::seeing::{Looker, Sight};
use vultus_native::{Notices, backdrop, names};

use crate::kept::Kept;
use crate::own::{GONE, Own, OwnAvatar, Shown};
use crate::refusal::Refusal;

/// Side of the portraits that the page shows, pixels.
const THUMBNAIL: u32 = 256;
const THUMBNAIL_QUALITY: u8 = 88;

/// With what faces are drawn, and which.
#[derive(Clone, Debug)]
pub struct StudioOptions {
    /// Folder with weights and avatars, instead of the built-in ones.
    pub weights: Option<PathBuf>,
    /// Where networks and pictures are computed.
    pub backend: Backend,
    /// How graphics drivers are tried before they are let into this process; where there is no way, they are not.
    pub trial: Option<TrialCommand>,
    /// What the two names below stand for.
    pub registry: Registry,
    /// Who draws the pictures.
    pub generator: String,
    /// What moves the faces.
    pub motion: String,
    /// Their width and height, pixels.
    pub size: usize,
    /// Frames of 40 ms that the motion model hears ahead of the one it decides, from 0 to [`vultus::motion::LOOK_AHEAD_MAX`].
    pub look_ahead: usize,
    /// The avatar that is used where none is named: a name, or an `.avatar` file.
    pub avatar: String,
    /// What is behind the face where nothing is said. Clients may ask for it as well: a picture is called `picture`.
    pub background: Background,
    /// How long a change of emotion takes where a client does not say.
    pub ease: Duration,
}

impl Default for StudioOptions {
    fn default() -> Self {
        Self {
            weights: None,
            backend: Backend::Auto,
            trial: None,
            registry: Registry::default(),
            generator: live_generator().to_owned(),
            motion: MOTION.to_owned(),
            size: 512,
            look_ahead: 2,
            avatar: DEFAULT_AVATAR.to_owned(),
            background: Background::Portrait,
            ease: EASE,
        }
    }
}

/// Cameras at one time.
const CAMERAS: usize = 4;

/// An avatar, worked out.
pub(crate) type Face = Arc<dyn Prepared>;
/// One that a client made.
pub(crate) type OwnFace = OwnAvatar<Face>;

/// See the module's text.
pub struct Studio {
    notices: Notices,
    assets: Assets,
    compute: Compute,
    face: Arc<FaceModel>,
    motion: Box<dyn MotionSource>,
    drawer: Box<dyn Drawer>,
    size: usize,
    ease: Duration,
    names: Vec<String>,
    /// The avatar that is used where none is named, as clients see it.
    default: String,
    /// Where that one is a file of the user's: its path, which no client sees.
    default_file: Option<String>,
    /// What is behind the face where nothing is said.
    background: Background,
    own: Own<Face>,
    prepared: Kept<Arc<dyn Prepared>>,
    thumbnails: Kept<Arc<[u8]>>,
    /// What cameras need, read for the first.
    sight: Mutex<Option<Arc<Sight>>>,
    cameras: Arc<Semaphore>,
}

impl Studio {
    /// Loads everything but the avatars, and works out the one that is used where none is named. `notices` hear of drivers that do not work, and of
    /// whatever fails later and is not told to clients. Blocks for a second or more.
    ///
    /// # Errors
    /// One sentence about what is not there, or no good.
    pub fn open(options: &StudioOptions, notices: Notices) -> Result<Self> {
        let StudioOptions { backend, size, look_ahead, ease, .. } = *options;
        let generator = options.registry.generator(&options.generator).map_err(Error::msg)?;
        let motion = options.registry.motion(&options.motion).map_err(Error::msg)?;
        let avatar = options.avatar.as_str();
        let graphics = Graphics::ask(backend, options.trial.as_ref())?;
        let assets = Assets::locate(options.weights.as_deref())?;
        let face = Arc::new(FaceModel::read(assets.weights(FACE)?)?);
        let compute = graphics.open(&notices)?;
        let drawer = (generator.open)(&Easel {
            assets: &assets,
            face: &face,
            compute: &compute,
            size,
            format: OutputFormat::I420,
            notices: &notices,
        })?;
        let motion = (motion.open)(&assets, &compute, look_ahead)?;
        let names = assets.avatars()?;
        let default_file = (!names.iter().any(|name| name == avatar)).then(|| avatar.to_owned());
        let stem = Path::new(avatar).file_stem().and_then(|stem| stem.to_str());
        let default = if default_file.is_some() { stem.unwrap_or("own") } else { avatar }.to_owned();
        let studio = Self {
            notices,
            assets,
            compute,
            face,
            motion,
            drawer,
            size,
            ease,
            names,
            default: default.clone(),
            default_file,
            background: options.background.clone(),
            own: Own::default(),
            prepared: Kept::default(),
            thumbnails: Kept::default(),
            sight: Mutex::default(),
            cameras: Arc::new(Semaphore::new(CAMERAS)),
        };
        let avatar = studio.avatar(&default)?;
        if studio.background != Background::Portrait {
            // What cannot be drawn is an error now, and what it needs of the avatar is there for the first session.
            avatar.open_before(&studio.background)?;
        }
        Ok(studio)
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Width and height of all pictures.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How long a change of emotion takes where a client does not say.
    pub fn ease(&self) -> Duration {
        self.ease
    }

    /// What somebody feels who feels `emotion` as strongly as `mu`.
    ///
    /// # Errors
    /// `mu` is out of range.
    pub fn mood(&self, emotion: Blend, mu: f32) -> Result<Mood, MoodError> {
        self.motion.emotions().mood(emotion, mu)
    }

    /// The backend, and on what it runs.
    pub fn backend(&self) -> String {
        format!("{} ({})", self.compute.name(), self.compute.adapter())
    }

    /// Names of the avatars that all may know of, the default one marked.
    pub fn avatars(&self) -> impl Iterator<Item = (&str, bool)> {
        // The user's own goes before one of the same name.
        let file = self.default_file.as_ref().map(|_| self.default.as_str());
        let built_in = self.names.iter().map(String::as_str).filter(move |name| Some(*name) != file);
        file.into_iter().chain(built_in).map(|name| (name, name == self.default))
    }

    /// What to load for a name that clients use.
    fn source<'a>(&'a self, name: &'a str) -> &'a str {
        self.default_file.as_deref().filter(|_| name == self.default).unwrap_or(name)
    }

    /// Names of the 64 coefficients.
    pub fn expressions(&self) -> &[String] {
        &self.face.expression_names
    }

    /// The avatar that is used where none is named.
    pub fn default_avatar(&self) -> &str {
        &self.default
    }

    /// What is behind the face where nothing is said.
    pub fn default_background(&self) -> &Background {
        &self.background
    }

    /// The background that a client names; of pictures there is the server's own.
    ///
    /// # Errors
    /// There is none, and what there is: a sentence for the client.
    pub fn background(&self, text: &str) -> Result<Background, String> {
        let Background::Picture(picture) = &self.background else { return backdrop::background(text, None) };
        backdrop::background(text, Some(picture))
    }

    /// Those that clients made.
    pub(crate) fn own(&self) -> &Own<Face> {
        &self.own
    }

    /// What anybody may hear of an avatar's name: of one that a client made, that it is one.
    pub(crate) fn public_name(name: &str) -> &str {
        if Own::<Face>::is_one(name) { "own" } else { name }
    }

    /// While a session shows this avatar, it stays.
    pub(crate) fn shown(&self, name: &str) -> Option<Shown<Face>> {
        self.own.show(Instant::now(), name)
    }

    /// What makes avatars of pictures, on the CPU: a GPU is for those who watch.
    ///
    /// # Errors
    /// Its weights are not there, or no good.
    pub(crate) fn enroller(&self) -> Result<Enroller> {
        Ok(Enroller::with(&Compute::Cpu, &self.assets, Arc::clone(&self.face))?)
    }

    /// Whether a client may ask for this: names in the list, and of avatars that clients made, never paths.
    ///
    /// # Errors
    /// If not, a sentence for the client.
    pub fn knows(&self, avatar: &str) -> Result<(), String> {
        if Own::<Face>::is_one(avatar) {
            return self.own.find(Instant::now(), avatar).map(drop).ok_or_else(|| GONE.to_owned());
        }
        if self.avatars().any(|(name, _)| name == avatar) {
            return Ok(());
        }
        let known: Vec<&str> = self.avatars().map(|(name, _)| name).collect();
        Err(names::unknown("avatar", avatar, &known, ""))
    }

    /// Works an avatar out, unless that has been done; takes a moment, for all who ask for it meanwhile.
    ///
    /// # Errors
    /// Its file is not there or no good, or the device was lost.
    pub fn avatar(&self, name: &str) -> Result<Arc<dyn Prepared>> {
        if Own::<Face>::is_one(name) {
            let own = self.own.find(Instant::now(), name).ok_or_else(|| anyhow!(GONE))?;
            return own.prepared(|file| Ok(self.drawer.prepare(file.clone())?));
        }
        self.prepared.get(name, || Ok(self.drawer.prepare(self.assets.avatar(self.source(name))?)?))
    }

    /// A generator that draws it before this background.
    ///
    /// # Errors
    /// As [`Studio::avatar`].
    pub(crate) fn generator(&self, name: &str, background: &Background) -> Result<Box<dyn Generator>> {
        Ok(self.avatar(name)?.open_before(background)?)
    }

    /// A session of its own at time zero.
    ///
    /// # Errors
    /// As [`Studio::avatar`].
    pub fn session(&self, avatar: &str, background: &Background, mood: &Mood, seed: u64) -> Result<Session> {
        let (motion, generator) = (self.motion.open(mood, seed)?, self.generator(avatar, background)?);
        Ok(Session::new(motion, generator)?.timed_by(clock()))
    }

    /// A camera's place, and who follows the face in its pictures.
    ///
    /// # Errors
    /// All places are taken (503), or the networks are not there or no good (500).
    pub(crate) async fn camera(self: &Arc<Self>) -> Result<(OwnedSemaphorePermit, Looker), Refusal> {
        let place = Arc::clone(&self.cameras).try_acquire_owned().map_err(|_| {
            let sentence = format!("{CAMERAS} cameras are on already; try again later");
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 10)
        })?;
        let studio = Arc::clone(self);
        let failed = |error: anyhow::Error| Refusal::internal(self.notices(), "opening a camera", error);
        let looker = tokio::task::spawn_blocking(move || studio.looker()).await;
        Ok((place, looker.map_err(|error| failed(error.into()))?.map_err(failed)?))
    }

    /// Who follows a face in a camera's pictures. Blocks for a moment at the first time.
    ///
    /// # Errors
    /// The networks are not there, or no good.
    fn looker(&self) -> Result<Looker> {
        let mut sight = self.sight.lock().unwrap_or_else(PoisonError::into_inner);
        let sight = match &mut *sight {
            Some(sight) => sight,
            none => none.insert(Arc::new(Sight::load(&self.compute, &self.assets, &self.face)?)),
        };
        Ok(sight.looker()?)
    }

    /// The avatar's portrait as a small JPEG.
    pub(crate) fn thumbnail(&self, name: &str) -> Result<Arc<[u8]>> {
        if let Some(own) = self.own.find(Instant::now(), name) {
            return Ok(own.made().thumbnail);
        }
        self.thumbnails.get(name, || Self::thumbnail_of(&self.assets.avatar(self.source(name))?))
    }

    pub(crate) fn thumbnail_of(avatar: &AvatarFile) -> Result<Arc<[u8]>> {
        let portrait = &avatar.portrait;
        let side = u32::try_from(portrait.side).context("portrait")?;
        let picture: ImageBuffer<Rgb<u8>, &[u8]> = ImageBuffer::from_raw(side, side, &portrait.rgb[..])
            .ok_or_else(|| anyhow!("the portrait of {} is incomplete", avatar.name))?;
        let small = imageops::resize(&picture, THUMBNAIL, THUMBNAIL, FilterType::Lanczos3);
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY)
            .encode(small.as_raw(), THUMBNAIL, THUMBNAIL, ExtendedColorType::Rgb8)
            .context("portrait")?;
        Ok(jpeg.into())
    }
}
