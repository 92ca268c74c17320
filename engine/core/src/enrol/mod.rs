//! From a photograph to an avatar: find the face ([`crate::track`]), fit the face model to it ([`crate::fit`]), cut the person out, and say what is
//! doubtful about all that.
//!
//! | step | by |
//! |---|---|
//! | faces | both detectors on the whole photograph; where there is none, parts of it; where the points scatter, its other three sides |
//! | points | 478, the middle of four looks, two of them in a mirror |
//! | portrait | a square as the shipped avatars have it, within the photograph, at its own resolution up to 1024² |
//! | identity, expression, pose, focal length | [`Fitter::fit`] |
//! | matte | the segmenter, there and in a mirror; a guided filter; what is not joined to the head is dropped |
//! | light and skin | [`fit::light`] |
//!
//! The work is bounded by the number of pixels; nothing depends on chance.

mod doubt;
mod find;
mod framing;
mod landmarks;
mod matte;
mod points;

use thiserror::Error;

use crate::avatar::{AvatarError, AvatarFile, Framing, Matte, Origin, Portrait};
use crate::compute::Compute;
use crate::face::{FaceModel, Points};
use crate::fit::{self, Fit, FitError, Fitter};
use crate::track::{Detector, MATTE, Mesh, Picture, Range, Segmenter, TrackError};
use crate::weights::WeightReader;

pub use doubt::{Doubt, Part, Side};
pub use framing::{FRAMES, Square};
pub use landmarks::{Landmarks, NAMED};

use find::Finder;
use points::{Seen, bounds, eyes};

/// Points that scatter farther than this, by the distance of the eyes, may be no face's: people stay below 1.4 %, animals are above 2 %.
const SCATTERED: f64 = 0.0165;
/// A part whose points scatter so far, and so many times as far as those of all, may be covered: the mouth, and an eye. Lips that are seen stay below three
/// quarters of the mean; behind a hand, a mask or a beard they reach it.
const COVERED_MOUTH: [f64; 2] = [0.0108, 0.98];
const COVERED_EYE: [f64; 2] = [0.0125, 1.05];
/// Median distance between points and model, by that of the eyes.
const MISFIT: f64 = 0.035;
/// Degrees from which on a head is turned or nods.
const TURNED: f64 = 25.0;
const NODDED: f64 = 20.0;
/// Pixels from eye to eye below which a face is small, and below which nothing can be seen.
const SMALL: f64 = 45.0;
const TINY: f64 = 9.0;
/// A square that ought to be so much larger: the face fills the photograph.
const CLOSE: f64 = 1.35;
/// Of jawOpen.
const OPEN: f32 = 0.25;
/// Lips that are farther apart than this share of their range show teeth.
const APART: f32 = 0.1;
/// Share of a picture that is soft and no edge.
const UNSURE: f32 = 0.11;
/// Share of the photograph's edge, within the face's width, that is person where the head is cut there.
const CUT: f64 = 0.25;

/// Why there is no avatar.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// Nothing that looks like a face.
    #[error(
        "no face was found; give a photo that shows one from the front and at least 100 pixels high, or say where eyes, nose, mouth and chin are (landmarks)"
    )]
    NoFace,
    /// Faces, but not the one that was asked for.
    #[error(
        "there is no face number {asked}: the photo has {faces}, counted from the left; leave the number out, or give another"
    )]
    NoSuchFace {
        /// Counted from 1.
        asked: usize,
        /// How many there are.
        faces: usize,
    },
    /// Too small to see anything.
    #[error(
        "the face is too small: {0:.0} pixels from eye to eye, and 9 are the least; give a larger photo, or cut the face out of the original"
    )]
    Tiny(f64),
    /// No square of the photograph, or one without the face.
    #[error("the crop {0}")]
    Crop(String),
    /// No side that a portrait may have.
    #[error("a portrait cannot have {0} pixels a side; give 512, 768 or 1024")]
    Frame(u32),
    /// The landmarks that were given are none.
    #[error("the landmarks {0}")]
    Landmarks(String),
    /// The model cannot be fitted to the points.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The fit is none that a file may hold.
    #[error("the points fit no face: {0}; correct eyes, nose, mouth and chin by landmarks, or give another photo")]
    Avatar(#[from] AvatarError),
    /// A network cannot look.
    #[error(transparent)]
    Track(#[from] TrackError),
}

/// What may be asked of an enrolment.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which face, from the left, counted from 1; else the largest.
    pub face: Option<usize>,
    /// Points that a person has put right.
    pub landmarks: Landmarks,
    /// The square that becomes the portrait; else one as the shipped avatars have it.
    pub crop: Option<Square>,
    /// The portrait's side, one of [`FRAMES`]; else the largest that the photograph fills.
    pub frame: Option<u32>,
    /// Short name of the avatar.
    pub name: String,
    /// One line about who is shown.
    pub title: String,
    /// Licence of the photograph, SPDX.
    pub licence: String,
    /// The program that asks.
    pub made_by: String,
    /// The user said that the picture may be used for this.
    pub consent: bool,
}

/// A face that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Left, top, right, bottom in pixels of the photograph: brows to chin.
    pub bounds: [f32; 4],
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

/// An avatar, and how it came about. Places are pixels of the photograph.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The file.
    pub avatar: AvatarFile,
    /// All faces, from left to right.
    pub faces: Vec<Found>,
    /// Which of them it is.
    pub taken: Option<usize>,
    /// (478) the mesh, as it was seen and put right.
    pub points: Vec<[f64; 2]>,
    /// The fitted model's jaw, brows, nose, eyes and lips, as lines.
    pub outline: Vec<Vec<[f64; 2]>>,
    /// How far the points differ from look to look, by the distance of the eyes.
    pub spread: f64,
    /// How far model and points are apart, by the distance of the eyes: the median.
    pub residual: f64,
    /// What the user should look at, the gravest first.
    pub doubts: Vec<Doubt>,
}

/// The networks and the fit, ready for any number of photographs. Nothing is kept from one to the next.
#[derive(Debug)]
pub struct Enroller {
    finder: Finder,
    segmenter: Segmenter,
    fitter: Fitter,
}

impl Enroller {
    /// `weights` opens a file by its name below `weights/`. `model` is the one that [`Self::enrol`] is given.
    ///
    /// # Errors
    /// A file cannot be had, or is no good.
    pub fn new<E: From<TrackError> + From<FitError>>(
        compute: &Compute,
        model: &FaceModel,
        mut weights: impl FnMut(&str) -> Result<WeightReader, E>,
    ) -> Result<Self, E> {
        let mut detector = |range: Range| Ok::<_, E>(Detector::new(compute, range, weights(range.file())?)?);
        let (near, far) = (detector(Range::Short)?, detector(Range::Full)?);
        let fitter = Fitter::new(model, weights(Fitter::FILE)?)?;
        let (mesh, mirror) = (Mesh::new(compute, weights(Mesh::FILE)?)?, fitter.mirror().to_vec());
        let segmenter = Segmenter::new(compute, weights(Segmenter::FILE)?)?;
        Ok(Self { finder: Finder { near, far, mesh, mirror }, segmenter, fitter })
    }

    /// All faces of a photograph, from left to right.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn faces(&mut self, photo: &Picture<'_>) -> Result<Vec<Found>, TrackError> {
        let faces = self.finder.faces(photo)?;
        Ok(faces.iter().map(|face| Found { bounds: face.bounds, score: face.score }).collect())
    }

    /// The avatar of a face in a photograph that stands as it is looked at (EXIF orientation applied).
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn enrol(&mut self, model: &FaceModel, photo: &Picture<'_>, options: &Options) -> Result<Enrolled, EnrolError> {
        let crop = options.crop.map(|crop| crop.checked(photo)).transpose()?;
        if let Some(frame) = options.frame.filter(|frame| !FRAMES.contains(frame)) {
            return Err(EnrolError::Frame(frame));
        }
        let detections = self.finder.faces(photo)?;
        let faces: Vec<Found> = detections.iter().map(|d| Found { bounds: d.bounds, score: d.score }).collect();
        let mut order = choose(&faces, options, crop)?;
        let (mut taken, mut seen) = (None, None);
        if order.is_empty() {
            seen = self.finder.look(photo, None)?;
        }
        // The next one, where the largest turns out to be none.
        order.truncate(3);
        for k in order {
            seen = self.finder.look(photo, Some(&detections[k]))?;
            if seen.is_some() {
                taken = Some(k);
                break;
            }
        }
        let Some(Seen { mut points, roi, spread, parts }) = seen else { return Err(EnrolError::NoFace) };
        let looks_sure = options.landmarks.is_empty();
        options.landmarks.pull(&mut points);
        if eyes(&points) < TINY {
            return Err(EnrolError::Tiny(eyes(&points)));
        }
        let turns = framing::turns(roi.angle);
        let (mut framing, larger) = framing::framing(photo, &points, turns, crop);
        if crop.is_none() && turns == 0 && framing.top > 0 {
            let matte = self.segmenter.matte(photo, &framing::above(&framing, MATTE))?;
            framing = framing::with_room(photo, framing, &points, matte);
        }
        let frame = options.frame.unwrap_or_else(|| framing::frame(framing.side));
        let portrait = framing::cut(photo, &framing, frame);
        let unit: Vec<[f64; 2]> = points.iter().map(|at| framing.to_portrait(*at)).collect();
        if crop.is_some() && !unit.iter().any(|at| at.iter().all(|v| (0.0..=1.0).contains(v))) {
            return Err(EnrolError::Crop("does not hold the face; give one that does".into()));
        }
        let fit = self.fitter.fit(&unit)?;
        let cut = matte::matte(&mut self.segmenter, &portrait, &unit)?;
        let (delta, gamma) = fit::light(model, &fit, &portrait, Some(&cut.matte));

        let mut doubts = Vec::new();
        if looks_sure && spread > SCATTERED {
            doubts.push(Doubt::Scattered);
        }
        if fit.residual > MISFIT {
            doubts.push(Doubt::Misfit);
        }
        if let (true, None, Some(k)) = (faces.len() > 1, options.face, taken) {
            doubts.push(Doubt::Several { faces: faces.len(), taken: k + 1 });
        }
        if turns != 0 {
            doubts.push(Doubt::Upright { degrees: 90 * u32::from(turns) });
        }
        if looks_sure {
            let [mouth, left, right] = parts;
            let covered = |part: f64, [least, times]: [f64; 2]| part > least && part > times * spread;
            let said = [
                (Part::Mouth, covered(mouth, COVERED_MOUTH)),
                (Part::LeftEye, covered(left, COVERED_EYE)),
                (Part::RightEye, covered(right, COVERED_EYE)),
            ];
            doubts.extend(said.into_iter().filter(|(_, covered)| *covered).map(|(part, _)| Doubt::Covered(part)));
        }
        doubts.extend(posed(&fit));
        if eyes(&points) < SMALL {
            doubts.push(Doubt::Small { eyes: eyes(&points).round() as u32 });
        }
        let edges = cut_at(photo, &points, &framing, &cut.matte);
        if larger > CLOSE && edges.is_empty() {
            doubts.push(Doubt::Close);
        }
        doubts.extend(edges.into_iter().map(Doubt::Cut));
        if model.lip_gap(&fit.beta) > APART || model.expression_index("jawOpen").is_some_and(|k| fit.beta[k] > OPEN) {
            doubts.push(Doubt::OpenMouth);
        }
        if cut.unsure > UNSURE {
            doubts.push(Doubt::Outline);
        }

        let avatar = avatar(options, &fit, framing, portrait, cut.matte, delta, gamma);
        avatar.check_geometry(&avatar.name)?;
        let outline = outline(model, &fit, &framing);
        Ok(Enrolled { avatar, faces, taken, points, outline, spread, residual: fit.residual, doubts })
    }
}

/// Which faces to look at, the most wanted first.
fn choose(faces: &[Found], options: &Options, crop: Option<Square>) -> Result<Vec<usize>, EnrolError> {
    if let Some(asked) = options.face {
        let none =
            if faces.is_empty() { EnrolError::NoFace } else { EnrolError::NoSuchFace { asked, faces: faces.len() } };
        let index = asked.checked_sub(1).filter(|k| *k < faces.len());
        return index.map(|k| vec![k]).ok_or(none);
    }
    let middle = |face: &Found| {
        let [left, top, right, bottom] = face.bounds.map(f64::from);
        [0.5 * (left + right), 0.5 * (top + bottom)]
    };
    let weight = |face: &Found| {
        let [left, top, right, bottom] = face.bounds;
        face.score * ((right - left) * (bottom - top)).max(0.0).sqrt()
    };
    let mut order: Vec<usize> =
        (0..faces.len()).filter(|k| crop.is_none_or(|crop| crop.holds(middle(&faces[*k])))).collect();
    if crop.is_some() && order.is_empty() && !faces.is_empty() {
        return Err(EnrolError::Crop("holds none of the faces that were found; give one that does".into()));
    }
    order.sort_by(|a, b| weight(&faces[*b]).total_cmp(&weight(&faces[*a])));
    // Whoever moves points means the face that is there.
    if let Some([x, y]) = options.landmarks.middle() {
        let away = |k: &usize| {
            let [u, v] = middle(&faces[*k]);
            (u - x).hypot(v - y)
        };
        order.sort_by(|a, b| away(a).total_cmp(&away(b)));
    }
    Ok(order)
}

/// What is wrong with how the head is held.
fn posed(fit: &Fit) -> Vec<Doubt> {
    let [pitch, yaw, ..] = fit.pose.map(|v| f64::from(v).to_degrees());
    let mut doubts = Vec::new();
    if yaw.abs() > TURNED {
        doubts.push(Doubt::Turned { degrees: yaw.abs().round() as u32 });
    }
    if pitch.abs() > NODDED {
        // A positive pitch looks down.
        doubts.push(Doubt::Nodded { degrees: -pitch.round() as i32 });
    }
    doubts
}

/// At which edges of the photograph the head ends: points of the face that lie beyond them, or hair that reaches them.
fn cut_at(photo: &Picture<'_>, points: &[[f64; 2]], framing: &Framing, matte: &Matte) -> Vec<Side> {
    let (width, height) = (photo.width() as f64, photo.height() as f64);
    let [left, top, right, bottom] = bounds(points);
    let beyond = [
        (Side::Top, top < 0.0),
        (Side::Right, right > width),
        (Side::Bottom, bottom > height),
        (Side::Left, left < 0.0),
    ];
    let mut sides: Vec<Side> = beyond.into_iter().filter(|(_, cut)| *cut).map(|(side, _)| side).collect();
    // Hair at the upper edge, above the face.
    let inner = |share: f64| left + (0.25 + 0.5 * share) * (right - left);
    let person = |share: f64| {
        let [x, y] = framing.to_portrait([inner(share), 1.0]);
        let at = |v: f64| (v * matte.side as f64) as isize;
        let (x, y) = (at(x), at(y));
        let inside = |v: isize| (0..matte.side as isize).contains(&v);
        inside(x) && inside(y) && matte.alpha[y as usize * matte.side + x as usize] > 128
    };
    let shares = (0..40).filter(|k| person(f64::from(*k) / 40.0)).count();
    if !sides.contains(&Side::Top) && framing.turns == 0 && shares as f64 > CUT * 40.0 {
        sides.push(Side::Top);
    }
    sides
}

/// The 68 landmarks of the fit, line by line: jaw, brows, nose, eyes, lips.
fn outline(model: &FaceModel, fit: &Fit, framing: &Framing) -> Vec<Vec<[f64; 2]>> {
    let at = Points::landmarks(model).project(&fit.placement());
    let line = |from: usize, to: usize, closed: bool| {
        let mut line: Vec<[f64; 2]> = at[from..to].iter().map(|at| framing.to_photo(*at)).collect();
        if closed {
            line.push(line[0]);
        }
        line
    };
    let lines = [
        (0, 17, false),
        (17, 22, false),
        (22, 27, false),
        (27, 31, false),
        (31, 36, false),
        (36, 42, true),
        (42, 48, true),
        (48, 60, true),
        (60, 68, true),
    ];
    lines.map(|(from, to, closed)| line(from, to, closed)).to_vec()
}

fn avatar(
    options: &Options,
    fit: &Fit,
    framing: Framing,
    portrait: Portrait,
    matte: Matte,
    delta: [f32; crate::avatar::ALBEDO],
    gamma: [f32; crate::avatar::LIGHT],
) -> AvatarFile {
    AvatarFile {
        name: options.name.clone(),
        title: options.title.clone(),
        licence: options.licence.clone(),
        portrait,
        matte,
        alpha: fit.alpha,
        beta: fit.beta,
        delta,
        gamma,
        pose: fit.pose,
        camera: fit.camera,
        origin: Origin {
            mesh_fit: true,
            made_by: options.made_by.clone(),
            consent: options.consent,
            framing: Some(framing),
        },
    }
}
