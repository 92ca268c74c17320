//! Rooms: one session each, with everybody who watches it, speaks through it or steers it.
//!
//! A room lives as long as somebody is in it, and a little longer, so that who lost the connection finds it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::http::StatusCode;
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use vultus::emotion::Emotion;
use vultus::stream::live::{LiveSession, LiveStatus, MediaSink, VideoUnit, VoiceUnit};
use vultus::timing::{RecentTimes, StageSummary, StageTimes};

use super::refusal::Refusal;
use super::studio::Studio;
use super::transport::Peer;

/// An empty room is kept for this long.
const GRACE: Duration = Duration::from_secs(5);
/// Packets of voice that may wait for their time to leave; a packet that finds the queue full is dropped.
const VOICE_WAITING: usize = 16;
/// Messages that may wait for one control channel; one that is slower misses the oldest.
const EVENTS: usize = 32;
/// Frames whose way through the network stack is being timed.
const IN_FLIGHT: usize = 64;
/// How much sooner than its picture a sound leaves until a browser has measured what its audio buffer adds.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_MAX: Duration = Duration::from_millis(120);
/// How much of an offset that a browser measured is corrected at once.
const LEAD_STEP: f64 = 0.5;

/// What control channels are told.
#[derive(Clone, Debug)]
pub(super) enum RoomEvent {
    /// Emotion, intensity or avatar have changed.
    Changed,
    /// An utterance is over.
    Spoken,
    /// Everybody who speaks is to stop, and what waits is not to be said.
    Interrupted,
    /// The session has ended by itself.
    Failed(String),
}

/// How the face is meant to look.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) avatar: String,
    pub(super) emotion: Emotion,
    pub(super) intensity: f32,
}

/// Somebody's connection.
struct Guest {
    peer: Option<Arc<Peer>>,
    watches: bool,
    microphone: bool,
    connected: bool,
    bits: Option<u32>,
}

/// What the session's thread and the transport share with the room.
struct Hub {
    guests: Mutex<HashMap<String, Guest>>,
    events: broadcast::Sender<RoomEvent>,
    voice: mpsc::Sender<VoiceUnit>,
    sending: Mutex<Sending>,
}

#[derive(Default)]
struct Sending {
    /// Frames that have left the encoder and not the socket: when their sound was heard, when they were encoded.
    flying: Vec<(Instant, Instant)>,
    send: RecentTimes,
    server: RecentTimes,
    turned: Option<Instant>,
}

/// See the module's text.
pub(super) struct Room {
    pub(super) id: String,
    /// `None` once the session has ended.
    live: Mutex<Option<Arc<LiveSession>>>,
    hub: Arc<Hub>,
    look: Mutex<Look>,
    lead: Mutex<Duration>,
    /// Control channels, and sources inside this program.
    holders: Mutex<Holders>,
    rooms: Weak<Rooms>,
}

#[derive(Default)]
struct Holders {
    count: usize,
    /// Who is sending speech, by the number of its channel.
    speaker: Option<u64>,
    next: u64,
}

/// All rooms.
pub(super) struct Rooms {
    studio: Arc<Studio>,
    max: usize,
    runtime: tokio::runtime::Handle,
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    /// Where a peer is, by the peer's id.
    peers: Mutex<HashMap<String, Arc<Room>>>,
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
        Arc::new(Self { studio, max, runtime, rooms: Mutex::default(), peers: Mutex::default() })
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

    /// The room of this id.
    pub(super) fn find(&self, id: &str) -> Result<Arc<Room>, Refusal> {
        let room = lock(&self.rooms).get(id).cloned();
        room.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such session; it may have ended"))
    }

    pub(super) fn room_of_peer(&self, peer: &str) -> Option<Arc<Room>> {
        lock(&self.peers).get(peer).cloned()
    }

    /// Opens a room. Blocks for as long as it takes to work the avatar out.
    pub(super) fn open(self: &Arc<Self>, look: Look) -> Result<Arc<Room>, Refusal> {
        let full = || {
            let sentence = format!("all {} sessions of this server are taken; try again in a moment", self.max);
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 5)
        };
        self.make_place();
        if lock(&self.rooms).len() >= self.max {
            return Err(full());
        }
        let studio = &self.studio;
        let seed = rand::rng().next_u64();
        let session = studio.session(&look.avatar, look.emotion, look.intensity, seed).map_err(Refusal::internal)?;
        let (voice, waiting) = mpsc::channel(VOICE_WAITING);
        let hub = Arc::new(Hub {
            guests: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            voice,
            sending: Mutex::default(),
        });
        // The pacer ends with the hub, which holds the other end of its queue.
        self.runtime.spawn(pace(waiting, Arc::downgrade(&hub)));
        let live =
            LiveSession::start(session, studio.size(), Box::new(Sink(Arc::clone(&hub)))).map_err(Refusal::internal)?;
        let room = Arc::new(Room {
            id: secret(),
            live: Mutex::new(Some(Arc::new(live))),
            hub,
            look: Mutex::new(look),
            lead: Mutex::new(LEAD),
            holders: Mutex::default(),
            rooms: Arc::downgrade(self),
        });
        let mut rooms = lock(&self.rooms);
        if rooms.len() >= self.max {
            return Err(full());
        }
        rooms.insert(room.id.clone(), Arc::clone(&room));
        drop(rooms);
        room.end_if_empty();
        Ok(room)
    }

    /// Where all places are taken, a room that is only kept in case somebody comes back gives way.
    fn make_place(&self) {
        let left = {
            let rooms = lock(&self.rooms);
            (rooms.len() >= self.max).then(|| rooms.values().find(|room| room.is_empty()).map(|room| room.id.clone()))
        };
        if let Some(Some(id)) = left {
            self.end(&id);
        }
    }

    /// Ends a room and frees what it held.
    fn end(&self, id: &str) {
        let room = lock(&self.rooms).remove(id);
        if let Some(room) = room {
            let live = lock(&room.live).take();
            // Waits for the session's thread, which may be in the middle of a frame.
            self.runtime.spawn_blocking(move || drop(live));
        }
    }

    /// Ends all rooms and says goodbye to everybody.
    pub(super) async fn close(&self) {
        for room in self.all() {
            let peers: Vec<_> = lock(&room.hub.guests).values().filter_map(|guest| guest.peer.clone()).collect();
            for peer in peers {
                peer.close().await;
            }
            self.end(&room.id);
        }
    }
}

impl Room {
    /// The session, while it runs.
    pub(super) fn live(&self) -> Result<Arc<LiveSession>, Refusal> {
        lock(&self.live).clone().ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "the session has ended"))
    }

    pub(super) fn look(&self) -> Look {
        lock(&self.look).clone()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<RoomEvent> {
        self.hub.events.subscribe()
    }

    /// Changes emotion and intensity.
    pub(super) fn set_emotion(&self, emotion: Emotion, intensity: f32) -> Result<(), Refusal> {
        self.live()?.set_emotion(emotion, intensity).map_err(busy)?;
        {
            let mut look = lock(&self.look);
            (look.emotion, look.intensity) = (emotion, intensity);
        }
        self.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Another face. Blocks while it is worked out.
    pub(super) fn set_avatar(&self, studio: &Studio, name: &str) -> Result<(), Refusal> {
        studio.knows(name).map_err(|error| Refusal::new(StatusCode::NOT_FOUND, error.to_string()))?;
        let prepared = studio.avatar(name).map_err(Refusal::internal)?;
        self.live()?.set_avatar(Box::new(prepared.generator())).map_err(busy)?;
        name.clone_into(&mut lock(&self.look).avatar);
        self.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Stops speaking at once.
    pub(super) fn interrupt(&self) -> Result<(), Refusal> {
        lock(&self.holders).speaker = None;
        // Before the session hears of it, so that nobody's backlog fills it again.
        self.tell(RoomEvent::Interrupted);
        self.live()?.interrupt().map_err(busy)
    }

    /// A browser measured that at the glass the voice is this much later than the picture.
    pub(super) fn correct_lead(&self, offset_ms: f64) -> Result<(), Refusal> {
        if !offset_ms.is_finite() {
            return Err(Refusal::bad_request("av_offset_ms is not a number"));
        }
        let lead = {
            let mut lead = lock(&self.lead);
            let wanted = lead.as_secs_f64() + LEAD_STEP * offset_ms.clamp(-200.0, 200.0) / 1000.0;
            *lead = Duration::from_secs_f64(wanted.clamp(0.0, LEAD_MAX.as_secs_f64()));
            *lead
        };
        self.live()?.set_voice_lead(lead).map_err(busy)
    }

    /// Makes place for a peer: one microphone a room.
    pub(super) fn admit(self: &Arc<Self>, peer: &str, watches: bool, microphone: bool) -> Result<(), Refusal> {
        let mut guests = lock(&self.hub.guests);
        if microphone && guests.values().any(|guest| guest.microphone) {
            return Err(Refusal::new(StatusCode::CONFLICT, "this session has a microphone already"));
        }
        guests.insert(peer.to_owned(), Guest { peer: None, watches, microphone, connected: false, bits: None });
        drop(guests);
        if let Some(rooms) = self.rooms.upgrade() {
            lock(&rooms.peers).insert(peer.to_owned(), Arc::clone(self));
        }
        Ok(())
    }

    /// The peer has its answer. `false` where it was gone already.
    pub(super) fn seat(&self, id: &str, peer: Arc<Peer>) -> bool {
        let mut guests = lock(&self.hub.guests);
        let Some(guest) = guests.get_mut(id) else { return false };
        guest.peer = Some(peer);
        true
    }

    /// Media flow to or from this peer now.
    pub(super) fn connected(&self, peer: &str) {
        if let Some(guest) = lock(&self.hub.guests).get_mut(peer) {
            guest.connected = true;
        }
        self.update_watched();
    }

    /// The peer is gone.
    pub(super) fn leave(&self, peer: &str) {
        let guest = lock(&self.hub.guests).remove(peer);
        if let Some(rooms) = self.rooms.upgrade() {
            lock(&rooms.peers).remove(peer);
        }
        if guest.is_some() {
            self.update_watched();
            self.end_if_empty();
        }
    }

    pub(super) fn peer(&self, id: &str) -> Option<Arc<Peer>> {
        lock(&self.hub.guests).get(id)?.peer.clone()
    }

    /// What the path to a peer carries. Everybody gets the same pictures, so the weakest path decides.
    pub(super) fn set_bits(&self, peer: &str, bits: u32) {
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

    pub(super) fn want_key_frame(&self) {
        if let Ok(live) = self.live() {
            // A session that is too busy to be told is asked again by the browser.
            let _ = live.request_key_frame();
        }
    }

    /// The last packet of a frame left.
    pub(super) fn sent(&self, heard: Instant) {
        let now = Instant::now();
        let mut sending = lock(&self.hub.sending);
        if let Some(at) = sending.flying.iter().position(|(known, _)| *known == heard) {
            let (_, encoded) = sending.flying.swap_remove(at);
            sending.send.record(now - encoded);
            sending.server.record(now - heard);
        }
        if now - *sending.turned.get_or_insert(now) > RecentTimes::STRETCH {
            sending.turned = Some(now);
            sending.send.turn();
            sending.server.turn();
        }
    }

    /// A control channel, or a source inside this program, holds the room open. Gives its number.
    pub(super) fn hold(&self) -> u64 {
        let mut holders = lock(&self.holders);
        holders.count += 1;
        holders.next += 1;
        holders.next
    }

    pub(super) fn release(&self, holder: u64) {
        let mut holders = lock(&self.holders);
        holders.count -= 1;
        if holders.speaker == Some(holder) {
            holders.speaker = None;
        }
        drop(holders);
        self.end_if_empty();
    }

    /// Takes the floor, if nobody else has it.
    pub(super) fn take_floor(&self, holder: u64) -> bool {
        *lock(&self.holders).speaker.get_or_insert(holder) == holder
    }

    pub(super) fn give_floor(&self, holder: u64) {
        let mut holders = lock(&self.holders);
        if holders.speaker == Some(holder) {
            holders.speaker = None;
        }
    }

    fn tell(&self, event: RoomEvent) {
        // Nobody may be listening.
        let _ = self.hub.events.send(event);
    }

    fn update_watched(&self) {
        let watched = lock(&self.hub.guests).values().any(|guest| guest.watches && guest.connected);
        if let Ok(live) = self.live() {
            let _ = live.set_watched(watched);
        }
    }

    fn is_empty(&self) -> bool {
        lock(&self.hub.guests).is_empty() && lock(&self.holders).count == 0
    }

    /// Begins to wait for somebody to come back.
    fn end_if_empty(&self) {
        let Some(rooms) = self.rooms.upgrade() else { return };
        if !self.is_empty() {
            return;
        }
        let (id, weak) = (self.id.clone(), Arc::downgrade(&rooms));
        rooms.runtime.spawn(async move {
            tokio::time::sleep(GRACE).await;
            let Some(rooms) = weak.upgrade() else { return };
            let empty = lock(&rooms.rooms).get(&id).is_some_and(|room| room.is_empty());
            if empty {
                rooms.end(&id);
            }
        });
    }

    /// Times of sending, and of the whole server's part, over about the last minute.
    fn sending(&self) -> [StageTimes; 2] {
        let sending = lock(&self.hub.sending);
        [sending.send.all(), sending.server.all()]
    }

    /// What is told about the session. Its id opens it, so only the beginning is shown.
    pub(super) fn report(&self) -> Value {
        let status = self.live().map(|live| live.status()).unwrap_or_default();
        let look = self.look();
        let lead_ms = lock(&self.lead).as_secs_f64() * 1e3;
        let (peers, bits) = {
            let guests = lock(&self.hub.guests);
            (guests.len(), guests.values().filter_map(|guest| guest.bits).min())
        };
        json!({
            "id": &self.id[..8],
            "fps": (status.fps * 10.0).round() / 10.0,
            "frames": status.counts.frames,
            "dropped": status.counts.dropped,
            "microphone_dropped": status.counts.microphone_dropped + status.refused,
            "avatar": look.avatar,
            "emotion": look.emotion.name(),
            "intensity": look.intensity,
            "peers": peers,
            "speaking": status.speaking,
            "hearing": status.hearing,
            "queued_ms": status.queued.as_millis() as u64,
            "voice_lead_ms": (lead_ms * 10.0).round() / 10.0,
            "voice_delay_ms": status.voice_delay.as_millis() as u64,
            "bits": status.bits,
            "path_bits": bits,
            "video_bytes": status.video_bytes,
            "stages_ms": self.stages(&status),
        })
    }

    fn stages(&self, status: &LiveStatus) -> Value {
        let [send, server] = self.sending().map(|times| times.summary());
        let mut stages = serde_json::Map::new();
        for (name, summary) in &status.stages {
            // To the packet, where packets leave; else to the encoded frame.
            let summary = if *name == "server" && server.count > 0 { &server } else { summary };
            stages.insert((*name).to_owned(), short(summary));
        }
        stages.insert("send".to_owned(), short(&send));
        stages.into()
    }
}

fn short(summary: &StageSummary) -> Value {
    json!({ "p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms, "count": summary.count })
}

fn busy(error: vultus::stream::live::Busy) -> Refusal {
    Refusal::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 1)
}

/// The session's thread hands its media to the hub.
struct Sink(Arc<Hub>);

impl MediaSink for Sink {
    fn video(&self, unit: VideoUnit) {
        {
            let mut sending = lock(&self.0.sending);
            if sending.flying.len() == IN_FLIGHT {
                sending.flying.remove(0);
            }
            sending.flying.push((unit.heard, unit.encoded));
        }
        for guest in lock(&self.0.guests).values() {
            if let Some(peer) = guest.peer.as_ref().filter(|_| guest.watches && guest.connected) {
                peer.video(unit.clone());
            }
        }
    }

    fn voice(&self, unit: VoiceUnit) {
        // Full means that the pacer does not run, and then old voice is of no use.
        let _ = self.0.voice.try_send(unit);
    }

    fn spoken(&self) {
        let _ = self.0.events.send(RoomEvent::Spoken);
    }

    fn failed(&self, why: &str) {
        let _ = self.0.events.send(RoomEvent::Failed(why.to_owned()));
    }
}

/// Lets each packet of voice leave when it is due: it is handed out a little sooner, so that drawing a picture does not hold it up.
async fn pace(mut waiting: mpsc::Receiver<VoiceUnit>, hub: Weak<Hub>) {
    while let Some(unit) = waiting.recv().await {
        tokio::time::sleep_until(unit.due.into()).await;
        let Some(hub) = hub.upgrade() else { return };
        for guest in lock(&hub.guests).values() {
            if let Some(peer) = guest.peer.as_ref().filter(|_| guest.watches && guest.connected) {
                peer.voice(unit.clone());
            }
        }
    }
}
