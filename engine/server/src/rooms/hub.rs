//! What the session's thread gives out, on its way to those who watch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc};
use vultus::timing::{RecentTimes, StageTimes};
use vultus_native::Notices;
use vultus_native::stream::live::{Listener, PacketSink, VideoUnit, VoiceUnit, Wish};

use super::event::RoomEvent;
use super::guest::Guest;
use super::lock::lock;

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
    /// Whether anybody is connected who watches.
    watched: AtomicBool,
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
            watched: AtomicBool::new(false),
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

    pub(super) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
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

/// Hands what the session's thread encodes to those who watch.
pub(super) struct Broadcast(pub(super) Arc<Hub>);

/// Tells those in the room, and the rooms, what becomes of the session.
pub(super) struct Ear {
    pub(super) hub: Arc<Hub>,
    pub(super) notices: Notices,
    /// Ends the room: the session has ended by itself.
    pub(super) end: Box<dyn Fn() + Send>,
}

impl PacketSink for Broadcast {
    fn wish(&mut self) -> Wish {
        if self.0.watched.load(Ordering::Relaxed) { Wish::More } else { Wish::Rest }
    }

    fn video(&mut self, unit: &VideoUnit) {
        {
            let mut sending = lock(&self.0.sending);
            if sending.flying.len() == IN_FLIGHT {
                sending.flying.remove(0);
            }
            sending.flying.push((unit.heard, unit.encoded));
        }
        for peer in lock(&self.0.guests).values().filter_map(Guest::watching) {
            peer.video(unit.clone());
        }
    }

    fn voice(&mut self, unit: &VoiceUnit) {
        // Full means that the pacer does not run, and then old voice is of no use.
        let _ = self.0.voice.try_send(unit.clone());
    }
}

impl Listener for Ear {
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
        self.notices.tell(&format!("a session broke down: {why}"));
        self.hub.tell(RoomEvent::Failed("the session broke down; the server's log says why".to_owned()));
        (self.end)();
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
