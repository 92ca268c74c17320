//! Signalling: WHEP to watch, WHIP to bring a microphone, and one offer for both (the page's).
//!
//! WHIP is RFC 9725; WHEP is draft-ietf-wish-whep. Offers are complete: there is neither trickle nor ICE restart, so PATCH is not allowed
//! (RFC 9725 section 4.3), and neither is any other method but POST, DELETE and OPTIONS.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use vultus::motion::Lips;
use vultus_native::names;

use crate::app::App;
use crate::lines::Line;
use crate::refusal::Refusal;
use crate::rooms::{Hold, Look, Rooms};
use crate::transport::{Role, Transport};

/// What a query may say about the session.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    /// An existing session.
    pub(crate) session: Option<String>,
    avatar: Option<String>,
    background: Option<String>,
    emotion: Option<String>,
    intensity: Option<f32>,
    /// Whose the lips are while a camera comes with the offer.
    lips: Option<Whose>,
}

/// Whose the lips are while a camera sees the face.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    Voice,
    Camera,
}

impl From<Whose> for Lips {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Voice => Self::Voice,
            Whose::Camera => Self::Camera,
        }
    }
}

impl Wish {
    /// The room that is meant: an existing one, or a new one that looks like this.
    pub(crate) async fn room(self, rooms: &Arc<Rooms>) -> Result<Hold, Refusal> {
        if let Some(id) = &self.session {
            return rooms.find(id);
        }
        let look = self.look(rooms)?;
        let opening = Arc::clone(rooms);
        let opened = tokio::task::spawn_blocking(move || opening.open(look)).await;
        opened.map_err(|error| Refusal::internal(rooms.notices(), "opening a session", error))?
    }

    fn look(self, rooms: &Rooms) -> Result<Look, Refusal> {
        let studio = rooms.studio();
        let avatar = self.avatar.unwrap_or_else(|| studio.default_avatar().to_owned());
        studio.knows(&avatar).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
        let background = match self.background {
            Some(text) => studio.background(&text).map_err(Refusal::bad_request)?,
            None => studio.default_background().clone(),
        };
        let emotion = names::emotion(self.emotion.as_deref().unwrap_or("neutral"));
        let emotion = emotion.map_err(Refusal::bad_request)?;
        let mood = studio.mood(emotion, self.intensity.unwrap_or(1.0));
        let mood = mood.map_err(|error| Refusal::bad_request(error.to_string()))?;
        Ok(Look { avatar, background, emotion, mood })
    }
}

const SDP: &str = "application/sdp";

/// OPTIONS on where offers are posted: what a client may send there (RFC 9725 section 4.2). What a page of which origin may do, `guard` adds.
pub(crate) async fn endpoint_options() -> impl IntoResponse {
    ([(header::ALLOW, "POST, OPTIONS"), (header::HeaderName::from_static("accept-post"), SDP)], ())
}

/// OPTIONS on what `Location` said.
pub(crate) async fn session_options() -> impl IntoResponse {
    ([(header::ALLOW, "DELETE, OPTIONS")], ())
}

/// DELETE on what `Location` said.
pub(crate) async fn leave(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let gone = || Refusal::new(StatusCode::NOT_FOUND, "there is no such connection; it may have ended");
    let room = app.rooms.room_of_peer(&id).ok_or_else(gone)?;
    let peer = room.peer(&id).ok_or_else(gone)?;
    peer.close().await;
    Ok(StatusCode::OK)
}

pub(crate) fn bad_query(error: QueryRejection) -> Refusal {
    let text = error.body_text();
    let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    Refusal::bad_request(format!("the address's query (what follows the ?) is not understood: {what}"))
}

pub(crate) type WishQuery = Result<Query<Wish>, QueryRejection>;

/// POST to `/v1/KIND`: an offer that comes for `role`.
pub(crate) async fn offer(
    role: Role,
    kind: &str,
    app: App,
    line: &Line,
    wish: WishQuery,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    let Query(wish) = wish.map_err(bad_query)?;
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SDP) {
        let sentence = "send the offer as Content-Type: application/sdp";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
    }
    let text = std::str::from_utf8(body).map_err(|_| Refusal::bad_request("the offer is not text"))?;
    let Ok(_turn) = app.offers.try_acquire() else {
        return Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many offers at once; try again in a moment", 1));
    };

    // Before a session is opened for it.
    Transport::check(role, text).map_err(|error| Refusal::offer(app.rooms.notices(), &error))?;
    let unanswered = wish.session.is_none().then(|| app.rooms.await_answer(line.from)).transpose()?;
    let lips = wish.lips;
    let room = wish.room(&app.rooms).await?;
    let (id, answer) = room.answer(&app.transport, role, text, unanswered).await?;
    if let (Some(lips), Ok(live)) = (lips, room.live()) {
        live.mirror().set_lips(lips.into());
    }
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("/v1/{kind}/{id}")),
        (header::HeaderName::from_static("vultus-session"), room.id.clone()),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}
