//! From a photograph to an avatar, with everything that it takes ([`vultus::enrol`]).

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use vultus::compute::Compute;
use vultus::enrol;
use vultus::face::FaceModel;
use vultus::fit::FitError;
use vultus::track::TrackError;

use crate::assets::{AssetError, Assets, FACE};
use crate::photo::{Photo, PhotoError};

pub use vultus::enrol::{Doubt, Enrolled, FRAMES, Found, Landmarks, NAMED, Options, Square};

/// Why there is no avatar.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The file is no photograph.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// The photograph shows no face that can be used.
    #[error(transparent)]
    Face(#[from] enrol::EnrolError),
    /// A file could not be had.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A network is of no use, or cannot look.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// The fit's file is of no use.
    #[error(transparent)]
    Fit(#[from] FitError),
}

impl From<vultus::weights::WeightError> for EnrolError {
    fn from(error: vultus::weights::WeightError) -> Self {
        Self::Asset(error.into())
    }
}

/// The face model and the networks, ready for any number of photographs. One at a time: it takes all threads of rayon's pool.
#[derive(Debug)]
pub struct Enroller {
    model: Arc<FaceModel>,
    inner: enrol::Enroller,
}

impl Enroller {
    /// Reads the weights.
    ///
    /// # Errors
    /// A file is not there, or no good.
    pub fn new(compute: &Compute, assets: &Assets) -> Result<Self, EnrolError> {
        let model = Arc::new(FaceModel::read(assets.weights(FACE)?)?);
        Self::with(compute, assets, model)
    }

    /// With a face model that somebody has read.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(compute: &Compute, assets: &Assets, model: Arc<FaceModel>) -> Result<Self, EnrolError> {
        let inner = enrol::Enroller::new(compute, &model, |file| Ok::<_, EnrolError>(assets.weights(file)?))?;
        Ok(Self { model, inner })
    }

    /// The face model.
    pub fn model(&self) -> &Arc<FaceModel> {
        &self.model
    }

    /// All faces of a photograph, from left to right.
    ///
    /// # Errors
    /// The device was lost.
    pub fn faces(&mut self, photo: &Photo) -> Result<Vec<Found>, EnrolError> {
        Ok(self.inner.faces(&photo.picture())?)
    }

    /// The avatar of a face. Places are pixels of the photograph's file, in `options` and in the answer.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn enrol(&mut self, photo: &Photo, options: &Options) -> Result<Enrolled, EnrolError> {
        let by = photo.shrunk();
        if by == 1 {
            return Ok(self.inner.enrol(&self.model, &photo.picture(), options)?);
        }
        let mut options = options.clone();
        options.landmarks = options.landmarks.shrunk(by.into());
        options.crop = options.crop.map(|it| Square { left: it.left / by, top: it.top / by, side: it.side / by });
        let mut enrolled = self.inner.enrol(&self.model, &photo.picture(), &options)?;
        let larger = |at: &mut [f64; 2]| *at = at.map(|v| v * f64::from(by));
        enrolled.points.iter_mut().for_each(larger);
        enrolled.outline.iter_mut().flatten().for_each(larger);
        enrolled.faces.iter_mut().for_each(|face| face.bounds = face.bounds.map(|v| v * by as f32));
        if let Some(framing) = &mut enrolled.avatar.origin.framing {
            (framing.left, framing.top) = (framing.left * by as i32, framing.top * by as i32);
            framing.side *= by;
        }
        Ok(enrolled)
    }
}

/// A name for the avatar of a file: what stands before its ending, in a form that options and lists can show.
pub fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let name: String = stem.chars().filter(|c| !c.is_control()).take(60).collect();
    if name.trim().is_empty() { "avatar".into() } else { name }
}
