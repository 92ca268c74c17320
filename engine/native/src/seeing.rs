//! From a camera's or a film's pictures to what the face in them does.

use std::io::Cursor;
use std::sync::Arc;

use image::{ImageFormat, ImageReader, Limits};
use thiserror::Error;
use vultus::compute::{Compute, PlanError};
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::fit::{FitError, Fitter, Follower};
use vultus::track::{Detector, Mesh, Picture, Range, TrackError, Tracker};

use crate::assets::{AssetError, Assets};

/// Longest side of a live camera's pictures, pixels.
pub const SIDE: usize = 1920;

/// Why nothing can be seen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SeeError {
    /// A network is not there, or no good.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A network is no good, or the device was lost.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// The correspondences are no good.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A picture that cannot be decoded.
    #[error("a picture is no JPEG that can be decoded: {0}")]
    Picture(#[from] image::ImageError),
    /// A picture that is too large.
    #[error("a picture has {width} × {height} pixels; send at most {SIDE} a side")]
    Size {
        /// Its width in pixels.
        width: u32,
        /// Its height.
        height: u32,
    },
}

impl From<PlanError> for SeeError {
    fn from(mistake: PlanError) -> Self {
        Self::Track(mistake.into())
    }
}

/// What seeing needs, loaded once for any number of cameras.
#[derive(Debug)]
pub struct Sight {
    detectors: [Detector; 2],
    mesh: Mesh,
    fitter: Arc<Fitter>,
    face: Arc<FaceModel>,
}

impl Sight {
    /// Reads the networks.
    ///
    /// # Errors
    /// One is not there, or no good.
    pub fn load(compute: &Compute, assets: &Assets, face: &Arc<FaceModel>) -> Result<Self, SeeError> {
        let detector = |range: Range| -> Result<Detector, SeeError> {
            Ok(Detector::new(compute, range, assets.weights(range.file())?)?)
        };
        Ok(Self {
            detectors: [detector(Range::Short)?, detector(Range::Full)?],
            mesh: Mesh::new(compute, assets.weights(Mesh::FILE)?)?,
            fitter: Arc::new(Fitter::new(face, assets.weights(Fitter::FILE)?)?),
            face: Arc::clone(face),
        })
    }

    /// Follows one face; shares what was loaded.
    ///
    /// # Errors
    /// A mistake in a recording.
    pub fn looker(&self) -> Result<Looker, SeeError> {
        let detectors = self.detectors.iter().map(Detector::another).collect::<Result<_, _>>()?;
        let tracker = Tracker::new(detectors, self.mesh.another()?);
        Ok(Looker { tracker, follower: Follower::new(Arc::clone(&self.fitter), &self.face)? })
    }
}

/// What is seen of a face.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it does.
    pub drive: Drive,
    /// The box that holds it: left, top, right and bottom as shares of the picture's width and height.
    pub frame: [f32; 4],
    /// How much of what makes its rest has been seen, 0 to 1.
    pub calibrated: f32,
}

/// Follows one face from picture to picture.
#[derive(Debug)]
pub struct Looker {
    tracker: Tracker,
    follower: Follower,
}

impl Looker {
    /// How much of what makes the rest has been seen, 0 to 1.
    pub fn calibrated(&self) -> f32 {
        self.follower.calibrated()
    }

    /// What is seen from now on is the face at rest, which looks straight ahead.
    pub fn calibrate(&mut self) {
        self.follower.calibrate();
    }

    /// Takes the rest from what has been seen so far, and looks for the face anew: the film begins again.
    pub fn again(&mut self) {
        // Where no face explains what was seen, the first picture is the rest, as it is at the start.
        let _ = self.follower.settle();
        self.tracker.reset();
    }

    /// The face of the next picture; `None` where there is none.
    ///
    /// # Errors
    /// The device was lost.
    pub fn look(&mut self, picture: &Picture<'_>) -> Result<Option<Seen>, SeeError> {
        let Some(face) = self.tracker.next(picture)? else { return Ok(None) };
        let (width, height) = (picture.width(), picture.height());
        let Ok(drive) = self.follower.next(&face.points, width, height) else {
            // Points that no face explains are none: the next picture is searched anew.
            self.tracker.reset();
            return Ok(None);
        };
        let mut frame = [1.0f32, 1.0, 0.0, 0.0];
        for [x, y, _] in &face.points {
            let [x, y] = [x / width as f32, y / height as f32].map(|share| share.clamp(0.0, 1.0));
            frame = [frame[0].min(x), frame[1].min(y), frame[2].max(x), frame[3].max(y)];
        }
        Ok(Some(Seen { drive, frame, calibrated: self.follower.calibrated() }))
    }

    /// The same of a JPEG whose sides have [`SIDE`] pixels at most.
    ///
    /// # Errors
    /// It is none, or too large; the device was lost.
    pub fn jpeg(&mut self, bytes: &[u8]) -> Result<Option<Seen>, SeeError> {
        let reader = || ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
        let (width, height) = reader().into_dimensions()?;
        if width.max(height) as usize > SIDE {
            return Err(SeeError::Size { width, height });
        }
        let mut reader = reader();
        let mut limits = Limits::default();
        limits.max_alloc = Some(16 * (SIDE * SIDE) as u64);
        reader.limits(limits);
        let picture = reader.decode()?.into_rgb8();
        self.look(&Picture::new(picture.as_raw(), width as usize, height as usize))
    }
}
