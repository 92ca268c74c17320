//! What everything that answers requests shares.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::enrol::desk::Desk;
use crate::page::Page;
use crate::rooms::Rooms;
use crate::speak::shared::Shared;
use crate::transport::Transport;

/// Offers that are being answered at one time; a browser needs one.
const OFFERS: usize = 8;

/// See the module's text.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) transport: Arc<Transport>,
    pub(crate) offers: Arc<Semaphore>,
    pub(crate) speech: Arc<Shared>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) page: Page,
}

impl App {
    pub(crate) fn new(rooms: Arc<Rooms>, transport: Transport, page: Page) -> Self {
        let offers = Arc::new(Semaphore::new(OFFERS));
        let desk = Arc::new(Desk::new(Arc::clone(rooms.studio())));
        Self { rooms, transport: Arc::new(transport), offers, speech: Arc::default(), desk, page }
    }
}
