//! What all sessions share: the backend, the face model, the motion network, and every avatar that was asked for, worked out once.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, RgbImage};
use vultus::assets::Assets;
use vultus::compute::Compute;
use vultus::emotion::Emotion;
use vultus::face::FaceModel;
use vultus::generator::{OutputFormat, PreparedAvatar};
use vultus::motion::MotionNetwork;
use vultus::session::Session;

use super::ServeOptions;
use super::kept::Kept;
use crate::errors;
use crate::generator::Drawer;
use crate::graphics::Graphics;
use crate::setup::{EAC, FACE};

/// Side of the portraits that the page shows, pixels.
const THUMBNAIL: u32 = 256;
const THUMBNAIL_QUALITY: u8 = 88;

/// See the module's text.
pub(super) struct Studio {
    assets: Assets,
    compute: Compute,
    face: FaceModel,
    network: MotionNetwork,
    drawer: Drawer,
    size: usize,
    names: Vec<String>,
    /// The avatar that is used where none is named, as clients see it.
    default: String,
    /// Where that one is a file of the user's: its path, which no client sees.
    own: Option<String>,
    prepared: Kept<PreparedAvatar>,
    thumbnails: Kept<Arc<[u8]>>,
}

impl Studio {
    /// Loads everything but the avatars, and works out the one that is used where none is named.
    pub(super) fn open(weights: Option<&Path>, options: &ServeOptions) -> Result<Self> {
        let ServeOptions { backend, size, look_ahead, generator, .. } = *options;
        let avatar = options.avatar.as_str();
        let graphics = Graphics::ask(backend)?;
        let assets = Assets::locate(weights)?;
        let face = FaceModel::read(assets.weights(FACE)?)?;
        let drawer = Drawer::open(generator, &assets, &face)?;
        let compute = graphics.open()?;
        let network = MotionNetwork::load(&compute, assets.weights(EAC)?, look_ahead)?;
        let names = assets.avatars()?;
        let own = (!names.iter().any(|name| name == avatar)).then(|| avatar.to_owned());
        let stem = Path::new(avatar).file_stem().and_then(|stem| stem.to_str());
        let default = if own.is_some() { stem.unwrap_or("own") } else { avatar }.to_owned();
        let studio = Self {
            assets,
            compute,
            face,
            network,
            drawer,
            size,
            names,
            default: default.clone(),
            own,
            prepared: Kept::default(),
            thumbnails: Kept::default(),
        };
        studio.avatar(&default)?;
        Ok(studio)
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn backend(&self) -> String {
        format!("{} ({})", self.compute.name(), self.compute.adapter())
    }

    /// Names of the avatars, the default one marked.
    pub(super) fn avatars(&self) -> impl Iterator<Item = (&str, bool)> {
        // The user's own goes before one of the same name.
        let own = self.own.as_ref().map(|_| self.default.as_str());
        let built_in = self.names.iter().map(String::as_str).filter(move |name| Some(*name) != own);
        own.into_iter().chain(built_in).map(|name| (name, name == self.default))
    }

    /// What to load for a name that clients use.
    fn source<'a>(&'a self, name: &'a str) -> &'a str {
        self.own.as_deref().filter(|_| name == self.default).unwrap_or(name)
    }

    pub(super) fn default_avatar(&self) -> &str {
        &self.default
    }

    /// Whether a client may ask for this: names in the list only, never paths. If not, a sentence for the client.
    pub(super) fn knows(&self, avatar: &str) -> Result<(), String> {
        if self.avatars().any(|(name, _)| name == avatar) {
            return Ok(());
        }
        let known: Vec<&str> = self.avatars().map(|(name, _)| name).collect();
        Err(errors::unknown("avatar", avatar, &known, ""))
    }

    /// Works an avatar out, unless that has been done; takes a moment, for all who ask for it meanwhile.
    pub(super) fn avatar(&self, name: &str) -> Result<PreparedAvatar> {
        self.prepared.get(name, || {
            let file = self.assets.avatar(self.source(name)).map_err(errors::asset)?;
            let file = self.drawer.fitted(&self.compute, &self.face, file)?;
            let method = self.drawer.method();
            Ok(PreparedAvatar::new(&self.compute, &self.face, &file, self.size, OutputFormat::I420, method)?)
        })
    }

    /// A session of its own at time zero.
    pub(super) fn session(&self, avatar: &str, emotion: Emotion, intensity: f32, seed: u64) -> Result<Session> {
        let motion = self.network.stream(emotion, intensity, seed);
        let generator = self.avatar(avatar)?.generator();
        Ok(Session::new(Box::new(motion), Box::new(generator))?)
    }

    /// The avatar's portrait as a small JPEG.
    pub(super) fn thumbnail(&self, name: &str) -> Result<Arc<[u8]>> {
        self.thumbnails.get(name, || {
            let portrait = self.assets.avatar(self.source(name)).map_err(errors::asset)?.portrait;
            let side = u32::try_from(portrait.side).context("portrait")?;
            let picture = RgbImage::from_raw(side, side, portrait.rgb.into_iter().collect())
                .ok_or_else(|| anyhow!("the portrait of {name} is incomplete"))?;
            let small = imageops::resize(&picture, THUMBNAIL, THUMBNAIL, FilterType::Lanczos3);
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY)
                .encode(small.as_raw(), THUMBNAIL, THUMBNAIL, ExtendedColorType::Rgb8)
                .context("portrait")?;
            Ok(jpeg.into())
        })
    }
}
