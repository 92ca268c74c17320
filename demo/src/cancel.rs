//! ctrl-C: the first one ends the run in order, the second one at once. Neither leaves anything behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

use crate::errors::CANCELLED;

/// A flag that becomes true when the user (or the system, by SIGTERM) asks to stop.
pub(crate) fn flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            vultus::media::remove_unfinished();
            crate::latency::end_at_once();
            std::process::exit(CANCELLED.into());
        }
    })
    .context("cannot watch for ctrl-C")?;
    Ok(flag)
}
