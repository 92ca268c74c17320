//! The faces of a photograph: near ones, far ones, small ones in large pictures, and those that lie or stand on their heads.

use crate::track::detector::merge;
use crate::track::{Detection, Detector, Mesh, Picture, TrackError, View};

use super::points::Seen;
use crate::track::Roi;

/// Tiles that are searched where the whole picture shows no face: their sides as shares of the picture's shorter one; each overlaps the next by half.
const TILES: [f64; 3] = [0.66, 0.5, 0.34];
/// Tiles along a side, at most: a longer picture has larger steps.
const ALONG: usize = 8;
/// Faces that are told of.
const FACES: usize = 32;
/// Points that scatter farther than this are looked at with the picture turned: a face that stands on its head looks so.
const SCATTERED: f64 = 0.0145;
/// How much less they must scatter then.
const BETTER: f64 = 0.75;

/// Both detectors and the mesh.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) near: Detector,
    pub(super) far: Detector,
    pub(super) mesh: Mesh,
    /// (478) which point of the mesh a point is in a mirror.
    pub(super) mirror: Vec<usize>,
}

impl Finder {
    /// All faces, from left to right, as the picture stands.
    pub(super) fn faces(&mut self, picture: &Picture<'_>) -> Result<Vec<Detection>, TrackError> {
        let mut faces = self.whole(picture, 0)?;
        if faces.is_empty() {
            faces = self.tiles(picture)?;
        }
        faces.truncate(FACES);
        faces.sort_by(|a, b| a.bounds[0].total_cmp(&b.bounds[0]));
        Ok(faces)
    }

    /// What both detectors find in the picture after so many quarter turns, the most likely first.
    fn whole(&mut self, picture: &Picture<'_>, quarters: usize) -> Result<Vec<Detection>, TrackError> {
        let mut found = Vec::new();
        for detector in [&mut self.near, &mut self.far] {
            let side = detector.side();
            found.extend(detector.find_in(picture, &View::letter_box(picture, side).turned(quarters, side))?);
        }
        Ok(sorted(merge(found)))
    }

    /// What the near detector finds in parts of the picture.
    fn tiles(&mut self, picture: &Picture<'_>) -> Result<Vec<Detection>, TrackError> {
        let (width, height) = (picture.width() as f64, picture.height() as f64);
        let mut found = Vec::new();
        for share in TILES {
            let tile = share * width.min(height);
            let scale = tile / self.near.side() as f64;
            let starts = |length: f64| {
                let count = ((2.0 * (length - tile) / tile).ceil() as usize + 1).clamp(1, ALONG);
                let step = if count > 1 { (length - tile) / (count - 1) as f64 } else { 0.0 };
                (0..count).map(move |k| k as f64 * step)
            };
            for top in starts(height) {
                for left in starts(width) {
                    found.extend(self.near.find_in(picture, &View([[scale, 0.0, left], [0.0, scale, top]]))?);
                }
            }
        }
        Ok(sorted(merge(found)))
    }

    /// The points of one of the faces. Where they scatter, or there are none, the picture is looked at from its other sides too.
    pub(super) fn look(&mut self, picture: &Picture<'_>, face: Option<&Detection>) -> Result<Option<Seen>, TrackError> {
        let mut best = match face {
            Some(face) => Seen::at(&mut self.mesh, &self.mirror, picture, Roi::of_detection(face))?,
            None => None,
        };
        if best.as_ref().is_some_and(|seen| seen.spread <= SCATTERED) {
            return Ok(best);
        }
        for quarters in [2, 1, 3] {
            let found = self.whole(picture, quarters)?;
            // The same face as before, if there was one.
            let meant = found.iter().find(|other| face.is_none_or(|face| near(face, other)));
            let Some(found) = meant else { continue };
            let Some(seen) = Seen::at(&mut self.mesh, &self.mirror, picture, Roi::of_detection(found))? else {
                continue;
            };
            if best.as_ref().is_none_or(|best| seen.spread < BETTER * best.spread) {
                best = Some(seen);
            }
        }
        Ok(best)
    }
}

fn sorted(mut faces: Vec<Detection>) -> Vec<Detection> {
    faces.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    faces
}

/// Whether the middle of one lies within the other.
fn near(a: &Detection, b: &Detection) -> bool {
    let [left, top, right, bottom] = b.bounds;
    let [x, y] = [0.5 * (left + right), 0.5 * (top + bottom)];
    (a.bounds[0]..=a.bounds[2]).contains(&x) && (a.bounds[1]..=a.bounds[3]).contains(&y)
}
