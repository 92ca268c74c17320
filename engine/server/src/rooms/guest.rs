//! Somebody's connection to a room.

use std::sync::Arc;

use super::offers::Unanswered;
use crate::transport::Peer;

/// See the module's text.
pub(super) struct Guest {
    pub(super) peer: Option<Arc<Peer>>,
    pub(super) watches: bool,
    pub(super) microphone: bool,
    pub(super) connected: bool,
    /// What the path carries, bits a second.
    pub(super) bits: Option<u32>,
    /// Counts the offer until the connection stands.
    pub(super) unanswered: Option<Unanswered>,
}

impl Guest {
    /// The peer, if it gets pictures and voice.
    pub(super) fn watching(&self) -> Option<&Arc<Peer>> {
        self.peer.as_ref().filter(|_| self.watches && self.connected)
    }
}
