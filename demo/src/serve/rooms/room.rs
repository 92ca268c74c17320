//! One room: its session, its look, who holds it open, who speaks.

use std::ops::Deref;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::broadcast;
use vultus::emotion::Emotion;
use vultus::stream::live::{Busy, LiveSession};

use super::hub::Hub;
use super::{GRACE, Rooms, lock};
use crate::serve::refusal::Refusal;
use crate::serve::studio::Studio;

/// How much sooner than its picture a sound leaves until a browser has measured what its audio buffer adds.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_MAX: Duration = Duration::from_millis(120);
/// How much of an offset that a browser measured is corrected at once.
const LEAD_STEP: f64 = 0.5;

/// What control channels are told.
#[derive(Clone, Debug)]
pub(in crate::serve) enum RoomEvent {
    /// Emotion, intensity or avatar have changed.
    Changed,
    /// The first sound of the utterance of this mark leaves.
    Started(u64),
    /// The utterance of this mark is over, and was this long.
    Spoken(u64, Duration),
    /// Everybody who speaks is to stop, and what waits is not to be said. The session has stopped: in the utterance of this mark, if one was being said, after so much of it.
    Interrupted(Option<(u64, Duration)>),
    /// The session has ended by itself.
    Failed(String),
}

/// How the face is meant to look.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Look {
    pub(in crate::serve) avatar: String,
    pub(in crate::serve) emotion: Emotion,
    pub(in crate::serve) intensity: f32,
}

/// See the module's text.
pub(in crate::serve) struct Room {
    pub(in crate::serve) id: String,
    /// `None` once the session has ended.
    live: Mutex<Option<Arc<LiveSession>>>,
    pub(super) hub: Arc<Hub>,
    look: Mutex<Look>,
    lead: Mutex<Duration>,
    holders: Mutex<Holders>,
    pub(super) rooms: Weak<Rooms>,
}

struct Holders {
    count: usize,
    /// Who is sending speech, by its number.
    speaker: Option<u64>,
    /// The last number that was given to a holder or an utterance.
    last: u64,
    /// When somebody left last.
    left: Instant,
}

/// Keeps a room open while it lives: a control channel, a request that is being answered, a source inside this program.
pub(in crate::serve) struct Hold {
    room: Arc<Room>,
    number: u64,
}

impl Hold {
    /// Takes the floor, if nobody else has it.
    pub(in crate::serve) fn take_floor(&self) -> bool {
        *lock(&self.holders).speaker.get_or_insert(self.number) == self.number
    }

    pub(in crate::serve) fn give_floor(&self) {
        let mut holders = lock(&self.holders);
        if holders.speaker == Some(self.number) {
            holders.speaker = None;
        }
    }
}

impl Deref for Hold {
    type Target = Arc<Room>;

    fn deref(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.give_floor();
        lock(&self.holders).count -= 1;
        self.left();
    }
}

impl Room {
    pub(super) fn new(id: String, live: LiveSession, hub: Arc<Hub>, look: Look, rooms: &Arc<Rooms>) -> Self {
        Self {
            id,
            live: Mutex::new(Some(Arc::new(live))),
            hub,
            look: Mutex::new(look),
            lead: Mutex::new(LEAD),
            holders: Mutex::new(Holders { count: 0, speaker: None, last: 0, left: Instant::now() }),
            rooms: Arc::downgrade(rooms),
        }
    }

    /// The session, while it runs.
    pub(in crate::serve) fn live(&self) -> Result<Arc<LiveSession>, Refusal> {
        lock(&self.live).clone().ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "the session has ended"))
    }

    /// Takes the session out: the room is over.
    pub(super) fn take_live(&self) -> Option<Arc<LiveSession>> {
        lock(&self.live).take()
    }

    pub(in crate::serve) fn look(&self) -> Look {
        lock(&self.look).clone()
    }

    pub(super) fn lead(&self) -> Duration {
        *lock(&self.lead)
    }

    pub(in crate::serve) fn events(&self) -> broadcast::Receiver<RoomEvent> {
        self.hub.events.subscribe()
    }

    /// Changes emotion and intensity.
    pub(in crate::serve) fn set_emotion(&self, emotion: Emotion, intensity: f32) -> Result<(), Refusal> {
        self.live()?.set_emotion(emotion, intensity).map_err(busy)?;
        {
            let mut look = lock(&self.look);
            (look.emotion, look.intensity) = (emotion, intensity);
        }
        self.hub.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Another face. Blocks while it is worked out.
    pub(in crate::serve) fn set_avatar(&self, studio: &Studio, name: &str) -> Result<(), Refusal> {
        studio.knows(name).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
        let prepared = studio.avatar(name).map_err(|error| Refusal::internal("working the avatar out", error))?;
        self.live()?.set_avatar(Box::new(prepared.generator())).map_err(busy)?;
        name.clone_into(&mut lock(&self.look).avatar);
        self.hub.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Stops speaking at once.
    pub(in crate::serve) fn interrupt(&self) -> Result<(), Refusal> {
        lock(&self.holders).speaker = None;
        // Whoever is speaking hears of it when the session has stopped; what they say until then is dropped.
        self.live()?.interrupt();
        Ok(())
    }

    /// A browser measured that at the glass the voice is this much later than the picture.
    pub(in crate::serve) fn correct_lead(&self, offset_ms: f64) -> Result<(), Refusal> {
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

    pub(in crate::serve) fn want_key_frame(&self) {
        if let Ok(live) = self.live() {
            live.request_key_frame();
        }
    }

    /// The last packet of a frame left.
    pub(in crate::serve) fn sent(&self, heard: Instant) {
        self.hub.sent(heard);
    }

    /// Holds the room open.
    pub(in crate::serve) fn hold(self: &Arc<Self>) -> Hold {
        let mut holders = lock(&self.holders);
        holders.count += 1;
        holders.last += 1;
        Hold { room: Arc::clone(self), number: holders.last }
    }

    /// A mark for an utterance, which nothing else in this room has.
    pub(in crate::serve) fn mark(&self) -> u64 {
        let mut holders = lock(&self.holders);
        holders.last += 1;
        holders.last
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.hub.guests).is_empty() && lock(&self.holders).count == 0
    }

    /// How long the room has been empty.
    pub(super) fn left_for(&self) -> Option<Duration> {
        self.is_empty().then(|| lock(&self.holders).left.elapsed())
    }

    /// Somebody left: where nobody is left, the room begins to wait for them to come back.
    pub(super) fn left(&self) {
        lock(&self.holders).left = Instant::now();
        let Some(rooms) = self.rooms.upgrade() else { return };
        if !self.is_empty() {
            return;
        }
        let (id, weak) = (self.id.clone(), Arc::downgrade(&rooms));
        rooms.runtime.spawn(async move {
            tokio::time::sleep(GRACE).await;
            if let Some(rooms) = weak.upgrade() {
                rooms.end_if_left(&id);
            }
        });
    }
}

fn busy(error: Busy) -> Refusal {
    Refusal::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 1)
}
