//! What the session's thread gives out, on its way to those who watch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc};
use vultus::stream::live::{MediaSink, VideoUnit, VoiceUnit};
use vultus::timing::{RecentTimes, StageTimes};

use super::guests::Guest;
use super::{RoomEvent, Rooms, lock};
use crate::console;

/// Packets of voice that may wait for their time to leave; a packet that finds the queue full is dropped.
const VOICE_WAITING: usize = 16;
/// Messages that may wait for one control channel; one that is slower misses the oldest.
const EVENTS: usize = 256;
/// Frames whose way through the network stack is being timed.
const IN_FLIGHT: usize = 64;

/// What the session's thread and the transport share with the room.
pub(super) struct Hub {
    pub(super) guests: Mutex<HashMap<String, Guest>>,
    pub(super) events: broadcast::Sender<RoomEvent>,
    voice: mpsc::Sender<VoiceUnit>,
    sending: Mutex<Sending>,
    failed: AtomicBool,
}

#[derive(Default)]
struct Sending {
    /// Frames that have left the encoder and not the socket: when their sound was heard, when they were encoded.
    flying: Vec<(Instant, Instant)>,
    send: RecentTimes,
    server: RecentTimes,
    turned: Option<Instant>,
}

impl Hub {
    pub(super) fn new(runtime: &tokio::runtime::Handle) -> Arc<Self> {
        let (voice, waiting) = mpsc::channel(VOICE_WAITING);
        let hub = Arc::new(Self {
            guests: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            voice,
            sending: Mutex::default(),
            failed: AtomicBool::new(false),
        });
        // The pacer ends with the hub, which holds the other end of its queue.
        runtime.spawn(pace(waiting, Arc::downgrade(&hub)));
        hub
    }

    pub(super) fn tell(&self, event: RoomEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Whether the session has ended by itself.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The last packet of a frame left.
    pub(super) fn sent(&self, heard: Instant) {
        let now = Instant::now();
        let mut sending = lock(&self.sending);
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

    /// Times of sending, and of the whole server's part, over about the last minute.
    pub(super) fn sending(&self) -> [StageTimes; 2] {
        let sending = lock(&self.sending);
        [sending.send.all(), sending.server.all()]
    }
}

/// The session's thread hands its media to the hub.
pub(super) struct Sink {
    hub: Arc<Hub>,
    rooms: Weak<Rooms>,
    id: String,
}

impl Sink {
    pub(super) fn new(hub: &Arc<Hub>, rooms: &Arc<Rooms>, id: &str) -> Self {
        Self { hub: Arc::clone(hub), rooms: Arc::downgrade(rooms), id: id.to_owned() }
    }
}

impl MediaSink for Sink {
    fn video(&self, unit: VideoUnit) {
        {
            let mut sending = lock(&self.hub.sending);
            if sending.flying.len() == IN_FLIGHT {
                sending.flying.remove(0);
            }
            sending.flying.push((unit.heard, unit.encoded));
        }
        for peer in lock(&self.hub.guests).values().filter_map(Guest::watching) {
            peer.video(unit.clone());
        }
    }

    fn voice(&self, unit: VoiceUnit) {
        // Full means that the pacer does not run, and then old voice is of no use.
        let _ = self.hub.voice.try_send(unit);
    }

    fn started(&self, mark: u64) {
        self.hub.tell(RoomEvent::Started(mark));
    }

    fn spoken(&self, mark: u64, said: Duration) {
        self.hub.tell(RoomEvent::Spoken(mark, said));
    }

    fn interrupted(&self, at: Option<(u64, Duration)>) {
        self.hub.tell(RoomEvent::Interrupted(at));
    }

    fn failed(&self, why: &str) {
        self.hub.failed.store(true, Ordering::Release);
        // What it says may name files and devices of this machine.
        console::warn(&format!("a session broke down: {why}"));
        self.hub.tell(RoomEvent::Failed("the session broke down; the server's log says why".to_owned()));
        if let Some(rooms) = self.rooms.upgrade() {
            rooms.end(&self.id);
        }
    }
}

/// Lets each packet of voice leave when it is due: it is handed out a little sooner, so that drawing a picture does not hold it up.
async fn pace(mut waiting: mpsc::Receiver<VoiceUnit>, hub: Weak<Hub>) {
    while let Some(unit) = waiting.recv().await {
        tokio::time::sleep_until(unit.due.into()).await;
        let Some(hub) = hub.upgrade() else { return };
        for peer in lock(&hub.guests).values().filter_map(Guest::watching) {
            peer.voice(unit.clone());
        }
    }
}
