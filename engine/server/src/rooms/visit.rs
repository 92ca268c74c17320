//! A peer's part in a room: its offer is answered, its microphone heard, and what happens to it told.

use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use vultus::motion::Lips;
use vultus_native::media::OpusPacket;

use super::camera::Camera;
use super::hearing::Hearing;
use super::lock::lock;
use super::offers::Unanswered;
use super::room::Room;
use crate::refusal::Refusal;
use crate::transport::{Brings, PeerEvents, Role, Transport};

impl Room {
    /// Answers an offer: who made it is in the room from then on, until the peer is gone or closed. Gives the peer's id and the answer.
    /// `unanswered` is what [`super::Rooms::await_answer`] gave, where the room was opened for this offer.
    ///
    /// # Errors
    /// The offer is no good, or the room has no place for it.
    pub async fn answer(
        self: &Arc<Self>,
        transport: &Transport,
        role: Role,
        offer: &str,
        unanswered: Option<Unanswered>,
    ) -> Result<(String, String), Refusal> {
        let brings = Transport::check(role, offer).map_err(|error| Refusal::offer(self.notices(), &error))?;
        let place = self.admit(role, brings, unanswered)?;
        let camera = if brings.camera { Some(self.camera(brings).await?) } else { None };
        let events = Arc::new(Events::new(self, &place.id, camera));
        let accepted = transport.accept(role, offer, events).await;
        let (peer, answer) = accepted.map_err(|error| Refusal::offer(self.notices(), &error))?;
        let id = place.id.clone();
        place.seat(peer);
        Ok((id, answer))
    }

    /// A camera that moves the face; the lips as well where it comes without a microphone.
    async fn camera(&self, brings: Brings) -> Result<Camera, Refusal> {
        let (place, looker) = self.studio().camera().await?;
        let mirror = self.live()?.mirror().clone();
        mirror.set_lips(if brings.microphone { Lips::Voice } else { Lips::Camera });
        let failed = |error| Refusal::internal(self.notices(), "opening a camera", error);
        Camera::open(looker, place, mirror, self.notices().clone()).map_err(failed)
    }
}

/// What happens to a peer, told to its room.
struct Events {
    room: Weak<Room>,
    id: String,
    hearing: Mutex<Option<Hearing>>,
    camera: Option<Camera>,
}

impl Events {
    fn new(room: &Arc<Room>, id: &str, camera: Option<Camera>) -> Self {
        Self { room: Arc::downgrade(room), id: id.to_owned(), hearing: Mutex::new(Hearing::new().ok()), camera }
    }
}

impl PeerEvents for Events {
    fn microphone(&self, packet: &OpusPacket<'_>) {
        let Some(live) = self.room.upgrade().and_then(|room| room.live().ok()) else { return };
        let mut hearing = lock(&self.hearing);
        if let Some(hearing) = hearing.as_mut() {
            hearing.push(Instant::now(), packet, |pcm| live.hear(pcm.to_vec()));
        }
    }

    fn camera(&self, picture: &[u8]) -> bool {
        self.camera.as_ref().is_some_and(|camera| camera.take(picture))
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
