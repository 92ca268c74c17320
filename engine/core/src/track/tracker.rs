//! A face from frame to frame.

use super::detector::{Detection, Detector};
use super::look::TrackError;
use super::mesh::{Face, Mesh};
use super::picture::Picture;
use super::roi::Roi;

/// Follows one face. While it is there, the mesh of a frame says where to look in the next; the detectors only run when there is none.
#[derive(Debug)]
pub struct Tracker {
    detectors: Vec<Detector>,
    mesh: Mesh,
    next: Option<Roi>,
}

impl Tracker {
    /// Finds by these detectors, the first that finds a face; then follows by `mesh`.
    pub fn new(detectors: Vec<Detector>, mesh: Mesh) -> Self {
        Self { detectors, mesh, next: None }
    }

    /// The face of the next frame, or of a single picture. `None` where there is none.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn next(&mut self, picture: &Picture<'_>) -> Result<Option<Face>, TrackError> {
        let mut face = match self.next.take() {
            Some(roi) => self.look(picture, roi)?,
            None => None,
        };
        for k in 0..self.detectors.len() {
            if face.is_some() {
                break;
            }
            let found = self.detectors[k].find(picture)?;
            if let Some(best) = found.iter().max_by(|a, b| a.weight().total_cmp(&b.weight())) {
                face = self.start(picture, best)?;
            }
        }
        self.next = face.as_ref().map(|face| Roi::of_points(&face.points));
        Ok(face)
    }

    /// Forgets the face, so that the next frame is searched for one.
    pub fn reset(&mut self) {
        self.next = None;
    }

    /// The face that a detector found: looked at twice, because the first mesh says better where it lies.
    fn start(&mut self, picture: &Picture<'_>, found: &Detection) -> Result<Option<Face>, TrackError> {
        match self.look(picture, Roi::of_detection(found))? {
            Some(face) => self.look(picture, Roi::of_points(&face.points)),
            None => Ok(None),
        }
    }

    fn look(&mut self, picture: &Picture<'_>, roi: Roi) -> Result<Option<Face>, TrackError> {
        if !roi.is_within(picture.width(), picture.height()) {
            return Ok(None);
        }
        let face = self.mesh.look(picture, roi)?;
        Ok(face.is_present().then_some(face))
    }
}
