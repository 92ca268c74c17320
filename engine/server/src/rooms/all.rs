//! All rooms: how they begin and end.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::http::StatusCode;
use rand::Rng as _;
use vultus_native::Notices;
use vultus_native::stream::live::{LiveSession, Sink};

use super::event::RoomEvent;
use super::hub::{Broadcast, Ear, Hub};
use super::lock::lock;
use super::offers::{Offers, Unanswered};
use super::record;
use super::room::{Hold, Keeper, Look, Room};
use crate::refusal::Refusal;
use crate::secret::secret;
use crate::studio::Studio;

/// An empty room is kept for this long.
const GRACE: Duration = Duration::from_secs(5);

/// All rooms.
pub struct Rooms {
    /// Itself, for what happens later.
    me: Weak<Self>,
    studio: Arc<Studio>,
    max: usize,
    /// Where sessions are recorded, if they are.
    record: Option<PathBuf>,
    runtime: tokio::runtime::Handle,
    /// Whoever locks a room's own tables as well locks this first.
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    /// Where a peer is, by the peer's id.
    peers: Mutex<HashMap<String, Arc<Room>>>,
    offers: Arc<Offers>,
}

impl Rooms {
    /// None yet; at most `max` at one time, each recorded into the folder `record` where there is one. Needs a tokio runtime.
    pub fn new(studio: Arc<Studio>, max: usize, record: Option<PathBuf>) -> Arc<Self> {
        let runtime = tokio::runtime::Handle::current();
        // Half of the places, so that one address cannot keep everybody else out.
        let offers = Arc::new(Offers::new((max / 2).max(1)));
        let (rooms, peers) = (Mutex::default(), Mutex::default());
        Arc::new_cyclic(|me| Self { me: me.clone(), studio, max, record, runtime, rooms, peers, offers })
    }

    /// What all rooms share.
    pub fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }

    /// Rooms that there may be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Who hears of what fails.
    pub(crate) fn notices(&self) -> &Notices {
        self.studio.notices()
    }

    /// Those that there are.
    pub fn all(&self) -> Vec<Arc<Room>> {
        lock(&self.rooms).values().cloned().collect()
    }

    /// The room of this id, held open.
    ///
    /// # Errors
    /// There is none (404).
    pub fn find(&self, id: &str) -> Result<Hold, Refusal> {
        // Under the lock, so that it does not end in between.
        let hold = lock(&self.rooms).get(id).map(Room::hold);
        hold.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such session; it may have ended"))
    }

    /// The room that the peer of this id is in.
    pub fn room_of_peer(&self, peer: &str) -> Option<Arc<Room>> {
        lock(&self.peers).get(peer).cloned()
    }

    /// Counts an offer from this address that wants a room of its own, until its connection stands or is given up.
    ///
    /// # Errors
    /// Half of the places wait for this address already (429).
    pub fn await_answer(&self, from: IpAddr) -> Result<Unanswered, Refusal> {
        self.offers.take(from)
    }

    /// Opens a room and holds it. Blocks for as long as it takes to work the avatar out.
    ///
    /// # Errors
    /// All places are taken (503); the session could not be made (500).
    pub fn open(&self, look: Look) -> Result<Hold, Refusal> {
        self.open_as(secret(), look)
    }

    /// As [`Rooms::open`], by a name that was given before.
    pub(crate) fn open_as(&self, id: String, look: Look) -> Result<Hold, Refusal> {
        self.make_place();
        if lock(&self.rooms).len() >= self.max {
            return Err(self.full());
        }
        let studio = &self.studio;
        let seed = rand::rng().next_u64();
        let failed = |error: anyhow::Error| Refusal::internal(self.notices(), "opening a session", error);
        let session = studio.session(&look.avatar, &look.background, &look.mood, seed).map_err(failed)?;
        let hub = Hub::new(&self.runtime);
        let (rooms, name) = (self.me.clone(), id.clone());
        let end = move || {
            if let Some(rooms) = rooms.upgrade() {
                rooms.end(&name);
            }
        };
        let ear = Box::new(Ear { hub: Arc::clone(&hub), notices: self.notices().clone(), end: Box::new(end) });
        let broadcast = Sink::Packet(Box::new(Broadcast(Arc::clone(&hub))));
        let recording = self.record.as_deref().and_then(|to| record::start(to, &id, studio.size(), self.notices()));
        let recorded = recording.is_some();
        let sinks = [broadcast].into_iter().chain(recording);
        let live = LiveSession::start(session, studio.size(), ear, sinks).map_err(|error| failed(error.into()))?;
        let room = Arc::new(Room::new(
            id.clone(),
            live,
            Arc::clone(&hub),
            Arc::clone(studio),
            look,
            recorded,
            self.me.clone(),
        ));
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
    pub async fn close(&self) {
        let rooms = self.all();
        rooms.iter().for_each(|room| room.tell(RoomEvent::Stopping));
        for room in rooms {
            for peer in room.peers() {
                peer.close().await;
            }
            lock(&self.rooms).remove(&room.id);
            // With its session a recording ends, which is to be complete.
            let live = room.take_live();
            let _ = self.runtime.spawn_blocking(move || drop(live)).await;
        }
    }
}

impl Keeper for Rooms {
    fn came(&self, peer: &str, room: &Arc<Room>) {
        lock(&self.peers).insert(peer.to_owned(), Arc::clone(room));
    }

    fn went(&self, peer: &str) {
        lock(&self.peers).remove(peer);
    }

    /// Whoever lost the connection may come back within [`GRACE`].
    fn is_left(&self, room: &str) {
        let (id, me) = (room.to_owned(), self.me.clone());
        self.runtime.spawn(async move {
            tokio::time::sleep(GRACE).await;
            if let Some(rooms) = me.upgrade() {
                rooms.end_if_left(&id);
            }
        });
    }
}
