//! Signalling: WHEP to watch, WHIP to bring a microphone, and one offer for both (the page's).
//!
//! WHIP is RFC 9725; WHEP is draft-ietf-wish-whep. Offers are complete: there is neither trickle nor ICE restart, so PATCH is not allowed
//! (RFC 9725 section 4.3), and neither is any other method but POST, DELETE and OPTIONS.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use vultus::media::OpusPacket;

use super::App;
use super::hearing::Hearing;
use super::lines::Line;
use super::refusal::Refusal;
use super::rooms::{Hold, Look, Room, Rooms};
use super::transport::{PeerEvents, Role, Transport};
use crate::errors;

/// What a query may say about the session.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    /// An existing session.
    pub(super) session: Option<String>,
    avatar: Option<String>,
    emotion: Option<String>,
    intensity: Option<f32>,
}

impl Wish {
    /// The room that is meant: an existing one, or a new one that looks like this.
    pub(super) async fn room(self, rooms: &Arc<Rooms>) -> Result<Hold, Refusal> {
        if let Some(id) = &self.session {
            return rooms.find(id);
        }
        let look = self.look(rooms)?;
        let rooms = Arc::clone(rooms);
        let opened = tokio::task::spawn_blocking(move || rooms.open(look)).await;
        opened.map_err(|error| Refusal::internal("opening a session", error))?
    }

    fn look(self, rooms: &Rooms) -> Result<Look, Refusal> {
        let studio = rooms.studio();
        let avatar = self.avatar.unwrap_or_else(|| studio.default_avatar().to_owned());
        studio.knows(&avatar).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
        let emotion = emotion(self.emotion.as_deref().unwrap_or("neutral"))?;
        let intensity = intensity(self.intensity.unwrap_or(1.0))?;
        Ok(Look { avatar, emotion, intensity })
    }
}

pub(super) fn emotion(name: &str) -> Result<vultus::emotion::Emotion, Refusal> {
    errors::emotion(name).map_err(|error| Refusal::bad_request(error.to_string()))
}

pub(super) fn intensity(value: f32) -> Result<f32, Refusal> {
    if (1.0..=3.0).contains(&value) {
        return Ok(value);
    }
    Err(Refusal::bad_request(format!("an intensity of {value} is out of range; give one from 1 to 3")))
}

const SDP: &str = "application/sdp";

/// OPTIONS on where offers are posted: what a client may send there (RFC 9725 section 4.2). What a page of which origin may do, `guard` adds.
pub(super) async fn endpoint_options() -> impl IntoResponse {
    ([(header::ALLOW, "POST, OPTIONS"), (header::HeaderName::from_static("accept-post"), SDP)], ())
}

/// OPTIONS on what `Location` said.
pub(super) async fn session_options() -> impl IntoResponse {
    ([(header::ALLOW, "DELETE, OPTIONS")], ())
}

/// DELETE on what `Location` said.
pub(super) async fn leave(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let gone = || Refusal::new(StatusCode::NOT_FOUND, "there is no such connection; it may have ended");
    let room = app.rooms.room_of_peer(&id).ok_or_else(gone)?;
    let peer = room.peer(&id).ok_or_else(gone)?;
    peer.close().await;
    Ok(StatusCode::OK)
}

pub(super) fn bad_query(error: QueryRejection) -> Refusal {
    let text = error.body_text();
    let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    Refusal::bad_request(format!("the address's query (what follows the ?) is not understood: {what}"))
}

pub(super) type WishQuery = Result<Query<Wish>, QueryRejection>;

/// POST to `/v1/KIND`: an offer that comes for `role`.
pub(super) async fn offer(
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
    Transport::check(role, text)?;
    let unanswered = wish.session.is_none().then(|| app.rooms.await_answer(line.from)).transpose()?;
    let room = wish.room(&app.rooms).await?;
    let place = room.admit(role, unanswered)?;
    let events = Arc::new(Events::new(&room, &place.id));
    let (peer, answer) = app.transport.accept(role, text, events).await?;
    let id = place.id.clone();
    place.seat(peer);
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("/v1/{kind}/{id}")),
        (header::HeaderName::from_static("vultus-session"), room.id.clone()),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// What happens to a peer, told to its room.
struct Events {
    room: Weak<Room>,
    id: String,
    hearing: Mutex<Option<Hearing>>,
}

impl Events {
    fn new(room: &Arc<Room>, id: &str) -> Self {
        Self { room: Arc::downgrade(room), id: id.to_owned(), hearing: Mutex::new(Hearing::new().ok()) }
    }
}

impl PeerEvents for Events {
    fn microphone(&self, packet: &OpusPacket<'_>) {
        let Some(live) = self.room.upgrade().and_then(|room| room.live().ok()) else { return };
        let mut hearing = self.hearing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hearing) = hearing.as_mut() {
            hearing.push(Instant::now(), packet, |pcm| live.hear(pcm.to_vec()));
        }
    }

    fn key_frame_wanted(&self) {
        if let Some(room) = self.room.upgrade() {
            room.want_key_frame();
        }
    }

    fn bitrate(&self, bits_per_second: u32) {
        if let Some(room) = self.room.upgrade() {
            room.set_bits(&self.id, bits_per_second);
        }
    }

    fn connected(&self) {
        if let Some(room) = self.room.upgrade() {
            room.connected(&self.id);
        }
    }

    fn closed(&self, _why: &str) {
        if let Some(room) = self.room.upgrade() {
            room.leave(&self.id);
        }
    }

    fn sent(&self, heard: Instant) {
        if let Some(room) = self.room.upgrade() {
            room.sent(heard);
        }
    }
}
