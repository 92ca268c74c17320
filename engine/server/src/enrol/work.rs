//! What is done with a picture, and what the client is told of it.

use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use vultus::avatar::AvatarFile;
use vultus::enrol::EnrolError as FaceError;
use vultus_native::enrol::{Doubt, EnrolError, Enrolled, Enroller, Landmarks, NAMED, Options};
use vultus_native::photo::{Photo, PhotoError};

use crate::own::{LIFE, Made};
use crate::refusal::Refusal;
use crate::studio::{OwnFace, Studio};

/// What the server is doing, for those to whom it failed.
pub(super) const DOING: &str = "working the picture out";
/// What stands for the picture's file in commands that help.
const FILE: &str = "PHOTO";

/// What is to be done.
pub(super) enum Work {
    /// A picture, or an avatar's file, that a client has sent.
    New { bytes: Bytes, face: Option<usize> },
    /// One that is there already.
    Again { own: Arc<OwnFace>, face: Option<usize>, landmarks: Landmarks },
}

impl Work {
    /// Does it, and gives the answer's object. Takes seconds.
    pub(super) fn done(self, studio: &Studio, enroller: &mut Option<Enroller>) -> Result<Value, Refusal> {
        match self {
            Self::New { bytes, .. } if is_avatar(&bytes) => {
                let wrong = |error: vultus::avatar::AvatarError| {
                    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
                };
                let file = AvatarFile::parse("the file", bytes.to_vec()).map_err(wrong)?;
                let own = keep(studio, None, made(studio, file, None)?)?;
                Ok(answer(&own, json!({ "doubts": [], "candidates": [] })))
            }
            Self::New { bytes, face } => {
                let (photo, enrolled) = enrol(studio, enroller, &bytes, face, Landmarks::default())?;
                let told = told(&photo, &enrolled);
                let face = enrolled.taken.map(|k| k + 1);
                let own = keep(studio, Some(bytes), made(studio, enrolled.avatar, face)?)?;
                Ok(answer(&own, told))
            }
            Self::Again { own, face, landmarks } => {
                let face = face.or_else(|| own.made().face);
                let (photo, enrolled) =
                    enrol(studio, enroller, own.photo.as_deref().unwrap_or_default(), face, landmarks)?;
                let told = told(&photo, &enrolled);
                let face = enrolled.taken.map(|k| k + 1);
                own.replace(made(studio, enrolled.avatar, face)?);
                Ok(answer(&own, told))
            }
        }
    }
}

/// Eight bytes of a length, and JSON: how an avatar's file begins, and no picture does.
fn is_avatar(bytes: &[u8]) -> bool {
    bytes.get(8..10).is_some_and(|begin| begin == b"{\"" || begin == b"{ ")
}

fn enrol(
    studio: &Studio,
    enroller: &mut Option<Enroller>,
    bytes: &[u8],
    face: Option<usize>,
    landmarks: Landmarks,
) -> Result<(Photo, Enrolled), Refusal> {
    let refuse = |error| refusal(studio, error);
    let photo = Photo::decode(FILE, bytes).map_err(|error| refuse(error.into()))?;
    let enroller = match enroller {
        Some(enroller) => enroller,
        none => none.insert(studio.enroller().map_err(|error| Refusal::internal(studio.notices(), DOING, error))?),
    };
    let options = Options {
        face,
        landmarks,
        name: "own".into(),
        title: "made of a picture".into(),
        licence: "not stated".into(),
        made_by: concat!("vultus ", env!("CARGO_PKG_VERSION")).into(),
        // Without it nobody gets here.
        consent: true,
        ..Options::default()
    };
    let enrolled = enroller.enrol(&photo, &options).map_err(refuse)?;
    Ok((photo, enrolled))
}

fn refusal(studio: &Studio, error: EnrolError) -> Refusal {
    match error {
        EnrolError::Photo(PhotoError::Picture { reason, .. }) => {
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the picture {reason}"))
        }
        EnrolError::Face(FaceError::NoFace) => Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no face was found; give a picture that shows one from the front and at least 100 pixels high",
        ),
        EnrolError::Face(FaceError::Landmarks(what)) => Refusal::bad_request(format!("the points {what}")),
        // What a network says is nothing that a client can mend.
        EnrolError::Face(error) if !matches!(error, FaceError::Track(_)) => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        }
        error => Refusal::internal(studio.notices(), DOING, error),
    }
}

fn made(studio: &Studio, file: AvatarFile, face: Option<usize>) -> Result<Made, Refusal> {
    let failed = |error: anyhow::Error| Refusal::internal(studio.notices(), "making the portrait's picture", error);
    let thumbnail = Studio::thumbnail_of(&file).map_err(failed)?;
    Ok(Made { file: Arc::new(file), thumbnail, face })
}

fn keep(studio: &Studio, photo: Option<Bytes>, made: Made) -> Result<Arc<OwnFace>, Refusal> {
    let full = || {
        let sentence = "sessions show all avatars that this server keeps of pictures; try again when one has ended";
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 30)
    };
    studio.own().keep(Instant::now(), photo, made).ok_or_else(full)
}

/// Places in pixels of the picture as it is looked at, to a tenth.
fn told(photo: &Photo, enrolled: &Enrolled) -> Value {
    let tenth = |v: f64| (10.0 * v).round() / 10.0;
    let at = |[x, y]: [f64; 2]| [tenth(x), tenth(y)];
    let sized = |length: usize| length * photo.shrunk() as usize;
    let handles: serde_json::Map<String, Value> =
        NAMED.iter().map(|(name, index)| ((*name).to_owned(), json!(at(enrolled.points[*index])))).collect();
    // Candidates say that there are several.
    let doubts =
        enrolled.doubts.iter().filter(|doubt| !matches!(doubt, Doubt::Several { .. })).map(ToString::to_string);
    json!({
        "photo": { "width": sized(photo.width()), "height": sized(photo.height()) },
        "points": enrolled.points.iter().map(|point| at(*point)).collect::<Vec<_>>(),
        "outline": enrolled.outline.iter().map(|line| line.iter().map(|point| at(*point)).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "handles": handles,
        "doubts": doubts.chain(photo.notes().iter().map(|note| (*note).to_owned())).collect::<Vec<_>>(),
        "candidates": enrolled.faces.iter().map(|face| face.bounds.map(|v| tenth(f64::from(v)))).collect::<Vec<_>>(),
        "face": enrolled.taken.map(|k| k + 1),
    })
}

fn answer(own: &OwnFace, mut told: Value) -> Value {
    told["avatar"] = own.name.as_str().into();
    told["picture"] = format!("/v1/avatars/{}.jpg", own.name).into();
    told["expires_s"] = LIFE.as_secs().into();
    told
}
