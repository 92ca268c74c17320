//! Avatars of pictures that clients send.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | a picture, or an avatar's file | [`crate::body::PICTURE`], [`crate::body::PICTURE_TIME`] | 413, 408 |
//! | pictures on their way, waiting or being worked on | [`desk`]: 5, of one address 3 | 503, 429 |
//! | pictures being worked on | one, on one thread of low priority | it waits |
//! | what is kept of them | [`crate::own`]: 8 avatars with their pictures, 30 minutes after the last use | the longest unused gives way |
//!
//! Nothing of it is written to a disk, and no list names it.

pub(crate) mod desk;
mod work;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::Value;
use vultus_native::enrol::Landmarks;

use crate::app::App;
use crate::body::{self, Body};
use crate::lines::Line;
use crate::own::GONE;
use crate::refusal::Refusal;
use crate::signal::bad_query;
use crate::studio::OwnFace;
use desk::Place;
use work::Work;

/// What the address may say.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    /// "yes": the client may use the picture for this.
    consent: Option<String>,
    /// Which face, from the left, counted from 1.
    face: Option<usize>,
}

type WishQuery = Result<Query<Wish>, QueryRejection>;

/// POST: a picture, or an avatar's file.
pub(crate) async fn enrol(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    wish: WishQuery,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let (face, place) = match admit(&app, &line, wish) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            body::discard(request).await;
            return Err(refusal);
        }
    };
    let bytes = body::picture(request).await?;
    app.desk.ask(Work::New { bytes, face }, place).await.map(Json)
}

/// Before the body is read: nobody sends megabytes for nothing.
fn admit(app: &App, line: &Line, wish: WishQuery) -> Result<(Option<usize>, Place), Refusal> {
    let Query(wish) = wish.map_err(bad_query)?;
    if wish.consent.as_deref() != Some("yes") {
        let sentence = "a face needs the consent of whoever it is, or another right to the picture: say consent=yes in the address if you have that";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    Ok((wish.face, app.desk.place(line.from)?))
}

/// POST: points that a person has put right, or another face.
pub(crate) async fn points(
    State(app): State<App>,
    Extension(line): Extension<Arc<Line>>,
    Path(name): Path<String>,
    wish: WishQuery,
    Body(body): Body,
) -> Result<Json<Value>, Refusal> {
    let Query(Wish { face, .. }) = wish.map_err(bad_query)?;
    let own = find(&app, &name)?;
    if own.photo.is_none() {
        let sentence =
            "this avatar came as a file, and without its picture it cannot be fitted anew; enrol the picture";
        return Err(Refusal::new(StatusCode::CONFLICT, sentence));
    }
    let text = std::str::from_utf8(&body).map_err(|_| Refusal::bad_request("the points are not text"))?;
    let landmarks = match text.trim() {
        "" if face.is_some() => Landmarks::default(),
        text => Landmarks::parse(text).map_err(|error| Refusal::bad_request(error.to_string()))?,
    };
    let place = app.desk.place(line.from)?;
    app.desk.ask(Work::Again { own, face, landmarks }, place).await.map(Json)
}

/// GET: the avatar as a file.
pub(crate) async fn file(State(app): State<App>, Path(name): Path<String>) -> Result<impl IntoResponse, Refusal> {
    let own = find(&app, &name)?;
    let packed = tokio::task::spawn_blocking(move || own.made().file.to_bytes()).await;
    let failed = |error: anyhow::Error| Refusal::internal(app.rooms.notices(), "packing the avatar", error);
    let bytes = packed.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"me.avatar\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes))
}

/// DELETE: it is wanted no more.
pub(crate) async fn end(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    if app.rooms.studio().own().end(&name) { Ok(StatusCode::NO_CONTENT) } else { Err(gone()) }
}

fn find(app: &App, name: &str) -> Result<Arc<OwnFace>, Refusal> {
    app.rooms.studio().own().find(std::time::Instant::now(), name).ok_or_else(gone)
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, GONE)
}
