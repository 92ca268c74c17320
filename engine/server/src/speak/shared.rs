//! What all speak sockets share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::backlog::Store;

/// Longest message, bytes: five minutes at 24 kHz in one. So many sockets at a time may send such; the others get less.
pub(super) const MESSAGE: usize = 16 << 20;
const LARGE: usize = 16;
pub(super) const SMALL_MESSAGE: usize = 1 << 20;

/// See the module's text.
pub(crate) struct Shared {
    store: Arc<Store>,
    large: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { store: Arc::default(), large: Arc::new(Semaphore::new(LARGE)) }
    }
}

impl Shared {
    /// Memory for what waits to be said.
    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// A place among those who may send long messages, if there is one.
    pub(super) fn large(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.large).try_acquire_owned().ok()
    }
}
