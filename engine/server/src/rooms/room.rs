//! One room: its session, its look, who holds it open, who speaks.

use std::ops::Deref;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::broadcast;
use vultus::emotion::{Blend, Mood};
use vultus::generator::Background;
use vultus_native::Notices;
use vultus_native::stream::live::{Busy, LiveSession};

use super::event::RoomEvent;
use super::hub::Hub;
use super::lock::lock;
use crate::own::Shown;
use crate::refusal::Refusal;
use crate::studio::{Face, Studio};

/// How much sooner than its picture a sound leaves until a browser has measured what its audio buffer adds.
const LEAD: Duration = Duration::from_millis(20);
const LEAD_MAX: Duration = Duration::from_millis(120);
/// How much of an offset that a browser measured is corrected at once.
const LEAD_STEP: f64 = 0.5;

/// How the face is meant to look.
#[derive(Clone, Debug)]
pub struct Look {
    /// One of [`Studio::avatars`], or one that a client made.
    pub avatar: String,
    /// What is behind it.
    pub background: Background,
    /// What was asked for;
    pub emotion: Blend,
    /// where it lies, and how strong it is ([`Studio::mood`]).
    pub mood: Mood,
}

/// See the module's text.
pub struct Room {
    /// Opens it to whoever knows it: 128 random bits.
    pub id: String,
    /// `None` once the session has ended.
    live: Mutex<Option<Arc<LiveSession>>>,
    pub(super) hub: Arc<Hub>,
    studio: Arc<Studio>,
    look: Mutex<Look>,
    /// Held while another face or background is worked out.
    redrawing: Mutex<()>,
    recorded: bool,
    /// Keeps the avatar, where it is one that a client made.
    shown: Mutex<Option<Shown<Face>>>,
    lead: Mutex<Duration>,
    holders: Mutex<Holders>,
    pub(super) keeper: Weak<dyn Keeper>,
}

/// Who keeps all rooms, as one of them sees it.
pub(super) trait Keeper: Send + Sync {
    /// A peer of this id has a place in the room.
    fn came(&self, peer: &str, room: &Arc<Room>);
    /// It has none any more.
    fn went(&self, peer: &str);
    /// Nobody is left in the room of this id.
    fn is_left(&self, room: &str);
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
pub struct Hold {
    room: Arc<Room>,
    number: u64,
}

impl Hold {
    /// Takes the floor, if nobody else has it.
    pub fn take_floor(&self) -> bool {
        *lock(&self.holders).speaker.get_or_insert(self.number) == self.number
    }

    /// Leaves the floor to others.
    pub fn give_floor(&self) {
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
    pub(super) fn new(
        id: String,
        live: LiveSession,
        hub: Arc<Hub>,
        studio: Arc<Studio>,
        look: Look,
        recorded: bool,
        keeper: Weak<dyn Keeper>,
    ) -> Self {
        let shown = Mutex::new(studio.shown(&look.avatar));
        Self {
            id,
            live: Mutex::new(Some(Arc::new(live))),
            hub,
            studio,
            look: Mutex::new(look),
            redrawing: Mutex::default(),
            recorded,
            shown,
            lead: Mutex::new(LEAD),
            holders: Mutex::new(Holders { count: 0, speaker: None, last: 0, left: Instant::now() }),
            keeper,
        }
    }

    /// The session, while it runs.
    ///
    /// # Errors
    /// It has ended (404).
    pub fn live(&self) -> Result<Arc<LiveSession>, Refusal> {
        lock(&self.live).clone().ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "the session has ended"))
    }

    pub(super) fn notices(&self) -> &Notices {
        self.studio.notices()
    }

    /// Takes the session out: the room is over.
    pub(super) fn take_live(&self) -> Option<Arc<LiveSession>> {
        lock(&self.live).take()
    }

    /// How the face is meant to look now.
    pub fn look(&self) -> Look {
        lock(&self.look).clone()
    }

    /// Whether it goes to a file: who is in it is told.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    pub(super) fn lead(&self) -> Duration {
        *lock(&self.lead)
    }

    /// What happens from now on. Who reads more slowly than [`RoomEvent`]s come misses the oldest beyond 256.
    pub fn events(&self) -> broadcast::Receiver<RoomEvent> {
        self.hub.events.subscribe()
    }

    /// With what its face is drawn.
    pub(crate) fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }

    /// Tells everybody in it.
    pub(super) fn tell(&self, event: RoomEvent) {
        self.hub.tell(event);
    }

    /// Turns to `emotion`, which is `mood`, within `ease`.
    ///
    /// # Errors
    /// The session is busy (503) or has ended (404).
    pub fn set_mood(&self, emotion: Blend, mood: Mood, ease: Duration) -> Result<(), Refusal> {
        self.live()?.set_mood(&mood, ease).map_err(busy)?;
        {
            let mut look = lock(&self.look);
            (look.emotion, look.mood) = (emotion, mood);
        }
        self.hub.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Another face, or another background, or both; what is not given stays. Blocks while it is worked out.
    ///
    /// # Errors
    /// There is no face of this name (404); the session is busy (503) or has ended (404).
    pub fn show(&self, avatar: Option<&str>, background: Option<Background>) -> Result<(), Refusal> {
        let _turn = lock(&self.redrawing);
        let look = self.look();
        let (avatar, background) = (avatar.unwrap_or(&look.avatar), background.unwrap_or(look.background));
        self.studio.knows(avatar).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
        let failed = |error| Refusal::internal(self.notices(), "working the avatar out", error);
        let generator = self.studio.generator(avatar, &background).map_err(failed)?;
        self.live()?.set_avatar(generator).map_err(busy)?;
        *lock(&self.shown) = self.studio.shown(avatar);
        {
            let mut look = lock(&self.look);
            avatar.clone_into(&mut look.avatar);
            look.background = background;
        }
        self.hub.tell(RoomEvent::Changed);
        Ok(())
    }

    /// Stops speaking at once.
    ///
    /// # Errors
    /// The session has ended (404).
    pub fn interrupt(&self) -> Result<(), Refusal> {
        lock(&self.holders).speaker = None;
        // Whoever is speaking hears of it when the session has stopped; what they say until then is dropped.
        self.live()?.interrupt();
        Ok(())
    }

    /// A browser measured that at the glass the voice is this much later than the picture.
    ///
    /// # Errors
    /// It is no number (400); the session is busy (503) or has ended (404).
    pub fn correct_lead(&self, offset_ms: f64) -> Result<(), Refusal> {
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

    pub(crate) fn want_key_frame(&self) {
        if let Ok(live) = self.live() {
            live.request_key_frame();
        }
    }

    /// The last packet of a frame left.
    pub(crate) fn sent(&self, heard: Instant) {
        self.hub.sent(heard);
    }

    /// Holds the room open.
    pub fn hold(self: &Arc<Self>) -> Hold {
        let mut holders = lock(&self.holders);
        holders.count += 1;
        holders.last += 1;
        Hold { room: Arc::clone(self), number: holders.last }
    }

    /// A mark for an utterance, which nothing else in this room has.
    pub fn mark(&self) -> u64 {
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
        let Some(keeper) = self.keeper.upgrade() else { return };
        if self.is_empty() {
            keeper.is_left(&self.id);
        }
    }
}

fn busy(error: Busy) -> Refusal {
    Refusal::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 1)
}
