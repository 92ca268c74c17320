//! Who is connected to a room.

use std::sync::Arc;

use axum::http::StatusCode;

use super::guest::Guest;
use super::lock::lock;
use super::offers::Unanswered;
use super::room::Room;
use crate::refusal::Refusal;
use crate::secret::secret;
use crate::transport::{Brings, Peer, Role};

/// Connections that one room has places for. More are refused.
const GUESTS: usize = 64;

/// A place that was made for a peer. Given back when dropped, unless the peer has taken its seat.
pub(crate) struct Place {
    room: Arc<Room>,
    pub(crate) id: String,
    taken: bool,
}

impl Place {
    /// The peer has its answer. Where it is gone already, dropping it frees it.
    pub(crate) fn seat(mut self, peer: Peer) {
        if let Some(guest) = lock(&self.room.hub.guests).get_mut(&self.id) {
            guest.peer = Some(Arc::new(peer));
            // A room that ended meanwhile has said goodbye to everybody else.
            self.taken = self.room.live().is_ok();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.taken {
            self.room.leave(&self.id);
        }
    }
}

impl Room {
    /// Makes place for a peer: one microphone a room.
    pub(crate) fn admit(
        self: &Arc<Self>,
        role: Role,
        brings: Brings,
        unanswered: Option<Unanswered>,
    ) -> Result<Place, Refusal> {
        let (watches, microphone) = (role != Role::Publish, brings.microphone);
        let id = secret();
        {
            let mut guests = lock(&self.hub.guests);
            if microphone && guests.values().any(|guest| guest.microphone) {
                return Err(Refusal::new(StatusCode::CONFLICT, "this session has a microphone already"));
            }
            if guests.len() >= GUESTS {
                let sentence = format!("this session has {GUESTS} connections already; try again later");
                return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 10));
            }
            let guest = Guest { peer: None, watches, microphone, connected: false, bits: None, unanswered };
            guests.insert(id.clone(), guest);
        }
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.came(&id, self);
        }
        Ok(Place { room: Arc::clone(self), id, taken: false })
    }

    /// Media flow to or from this peer now.
    pub(crate) fn connected(&self, peer: &str) {
        if let Some(guest) = lock(&self.hub.guests).get_mut(peer) {
            guest.connected = true;
            guest.unanswered = None;
        }
        self.update_watched();
    }

    /// The peer is gone.
    pub(crate) fn leave(&self, peer: &str) {
        let guest = lock(&self.hub.guests).remove(peer);
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.went(peer);
        }
        if guest.is_some() {
            self.update_watched();
            self.left();
        }
    }

    pub(crate) fn peer(&self, id: &str) -> Option<Arc<Peer>> {
        lock(&self.hub.guests).get(id)?.peer.clone()
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.hub.guests).values().filter_map(|guest| guest.peer.clone()).collect()
    }

    /// What the path to a peer carries. Everybody gets the same pictures, so the weakest path decides.
    pub(crate) fn set_bits(&self, peer: &str, bits: u32) {
        let least = {
            let mut guests = lock(&self.hub.guests);
            if let Some(guest) = guests.get_mut(peer) {
                guest.bits = Some(bits);
            }
            guests.values().filter_map(|guest| guest.bits).min()
        };
        if let (Some(bits), Ok(live)) = (least, self.live()) {
            // A busy session hears the next estimate.
            let _ = live.set_bits(bits);
        }
    }

    fn update_watched(&self) {
        // Told under the lock, so that the last word is the right one.
        let guests = lock(&self.hub.guests);
        if let Ok(live) = self.live() {
            self.hub.set_watched(guests.values().any(|guest| guest.watches && guest.connected));
            // Everybody gets the same pictures, so one who takes short units only decides for all.
            live.set_short_units(guests.values().filter_map(Guest::watching).any(|peer| peer.takes_short_units()));
        }
    }
}
