//! One of a peer's interceptors: it looks at what passes, and lets it on, changed or not at all.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// What an interceptor of ours does.
pub(super) trait Layer: Send + Sync + 'static {
    /// What comes from the peer; what is returned goes on.
    fn arrives(&mut self, message: TaggedPacket) -> Option<TaggedPacket> {
        Some(message)
    }

    /// What the peer is to be told at once, asked for after each arrival.
    fn answer(&mut self) -> Option<TaggedPacket> {
        None
    }

    /// What goes to the peer.
    fn leaves(&mut self, message: &TaggedPacket) {
        let _ = message;
    }

    /// A stream to the peer begins or ends.
    fn sends(&mut self, source: u32, begins: bool) {
        let _ = (source, begins);
    }
}

/// A layer in the stack's form, with what has passed it and waits to be taken.
pub(super) struct Layered<L> {
    layer: L,
    arrived: VecDeque<TaggedPacket>,
    leaving: VecDeque<TaggedPacket>,
}

impl<L: Layer> Layered<L> {
    pub(super) fn new(layer: L) -> Self {
        Self { layer, arrived: VecDeque::new(), leaving: VecDeque::new() }
    }
}

/// Adds a layer to a peer's interceptors.
pub(super) fn with(registry: Registry, slot: usize, layer: impl Layer) -> Registry {
    registry.with(Slot::from(slot), Layered::new(layer))
}

impl<L: Layer> Protocol<TaggedPacket, TaggedPacket, ()> for Layered<L> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.arrived.extend(self.layer.arrives(message));
        self.leaving.extend(self.layer.answer());
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.arrived.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.layer.leaves(&message);
        self.leaving.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.leaving.pop_front()
    }
}

impl<L: Layer> Interceptor for Layered<L> {
    fn bind_local_stream(&mut self, stream: &StreamInfo) {
        self.layer.sends(stream.ssrc, true);
    }

    fn unbind_local_stream(&mut self, stream: &StreamInfo) {
        self.layer.sends(stream.ssrc, false);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
