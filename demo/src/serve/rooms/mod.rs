//! Rooms: one session each, with everybody who watches it, speaks through it or steers it.
//!
//! A room lives as long as somebody is in it, and a little longer, so that who lost the connection finds it again.
//!
//! | file | what it owns |
//! |---|---|
//! | `mod` | all rooms: how they begin and end |
//! | `room` | one room: its look, who holds it open, who speaks |
//! | `guests` | its connections |
//! | `hub` | what the session's thread gives out, on its way to them |
//! | `offers` | offers that nobody has connected to yet |
//! | `report` | how a room is doing |

mod guests;
mod hub;
mod offers;
mod report;
mod room;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use rand::Rng as _;
use vultus::stream::live::LiveSession;

use self::hub::Hub;
pub(super) use self::offers::Unanswered;
pub(super) use self::room::{Hold, Look, Room, RoomEvent};
use super::refusal::Refusal;
use super::studio::Studio;

/// An empty room is kept for this long.
const GRACE: Duration = Duration::from_secs(5);

/// All rooms.
pub(super) struct Rooms {
    studio: Arc<Studio>,
    max: usize,
    runtime: tokio::runtime::Handle,
    /// Whoever locks a room's own tables as well locks this first.
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    /// Where a peer is, by the peer's id.
    peers: Mutex<HashMap<String, Arc<Room>>>,
    offers: Arc<offers::Offers>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 128 random bits: nobody guesses a session's name.
pub(super) fn secret() -> String {
    format!("{:032x}", rand::rng().next_u64() as u128 | (rand::rng().next_u64() as u128) << 64)
}

impl Rooms {
    pub(super) fn new(studio: Arc<Studio>, max: usize) -> Arc<Self> {
        let runtime = tokio::runtime::Handle::current();
        // Half of the places, so that one address cannot keep everybody else out.
        let offers = Arc::new(offers::Offers::new((max / 2).max(1)));
        Arc::new(Self { studio, max, runtime, rooms: Mutex::default(), peers: Mutex::default(), offers })
    }

    pub(super) fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn all(&self) -> Vec<Arc<Room>> {
        lock(&self.rooms).values().cloned().collect()
    }

    /// The room of this id, held open.
    pub(super) fn find(&self, id: &str) -> Result<Hold, Refusal> {
        // Under the lock, so that it does not end in between.
        let hold = lock(&self.rooms).get(id).map(Room::hold);
        hold.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such session; it may have ended"))
    }

    pub(super) fn room_of_peer(&self, peer: &str) -> Option<Arc<Room>> {
        lock(&self.peers).get(peer).cloned()
    }

    /// Counts an offer from this address that wants a room of its own, until its connection stands or is given up.
    pub(super) fn await_answer(&self, from: IpAddr) -> Result<Unanswered, Refusal> {
        self.offers.take(from)
    }

    /// Opens a room and holds it. Blocks for as long as it takes to work the avatar out.
    pub(super) fn open(self: &Arc<Self>, look: Look) -> Result<Hold, Refusal> {
        self.open_as(secret(), look)
    }

    /// As [`Rooms::open`], by a name that was given before.
    pub(super) fn open_as(self: &Arc<Self>, id: String, look: Look) -> Result<Hold, Refusal> {
        self.make_place();
        if lock(&self.rooms).len() >= self.max {
            return Err(self.full());
        }
        let studio = &self.studio;
        let seed = rand::rng().next_u64();
        let failed = |error: anyhow::Error| Refusal::internal("opening a session", error);
        let session = studio.session(&look.avatar, look.emotion, look.intensity, seed).map_err(failed)?;
        let hub = Hub::new(&self.runtime);
        let sink = hub::Sink::new(&hub, self, &id);
        let live = LiveSession::start(session, studio.size(), Box::new(sink)).map_err(|error| failed(error.into()))?;
        let room = Arc::new(Room::new(id.clone(), live, Arc::clone(&hub), look, self));
        let hold = room.hold();
        {
            let mut rooms = lock(&self.rooms);
            if rooms.len() >= self.max {
                return Err(self.full());
            }
            rooms.insert(id.clone(), room);
        }
        if hub.has_failed() {
            // Before it was in the table.
            self.end(&id);
        }
        Ok(hold)
    }

    fn full(&self) -> Refusal {
        let sentence = match self.max {
            1 => "the one session of this server is taken; try again in a moment".to_owned(),
            max => format!("all {max} sessions of this server are taken; try again in a moment"),
        };
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 5)
    }

    /// Where all places are taken, a room that is only kept in case somebody comes back gives way.
    fn make_place(&self) {
        let empty = {
            let mut rooms = lock(&self.rooms);
            let id = rooms.values().find(|room| room.is_empty()).map(|room| room.id.clone());
            if rooms.len() >= self.max { id.and_then(|id| rooms.remove(&id)) } else { None }
        };
        if let Some(room) = empty {
            self.clear(&room);
        }
    }

    /// Ends a room, whoever is in it.
    fn end(&self, id: &str) {
        let room = lock(&self.rooms).remove(id);
        if let Some(room) = room {
            self.clear(&room);
        }
    }

    /// Ends a room that has been empty for [`GRACE`].
    fn end_if_left(&self, id: &str) {
        let left = {
            let mut rooms = lock(&self.rooms);
            let left = rooms.get(id).is_some_and(|room| room.left_for().is_some_and(|time| time >= GRACE));
            if left { rooms.remove(id) } else { None }
        };
        if let Some(room) = left {
            self.clear(&room);
        }
    }

    /// Frees what a room held that is in the table no more, and says goodbye to those who are in it.
    fn clear(&self, room: &Room) {
        let live = room.take_live();
        // Waits for the session's thread, which may be in the middle of a frame.
        self.runtime.spawn_blocking(move || drop(live));
        let peers = room.peers();
        self.runtime.spawn(async move {
            for peer in peers {
                peer.close().await;
            }
        });
    }

    /// Ends all rooms and says goodbye to everybody.
    pub(super) async fn close(&self) {
        for room in self.all() {
            for peer in room.peers() {
                peer.close().await;
            }
            self.end(&room.id);
        }
    }
}
