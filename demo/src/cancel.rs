//! ctrl-C: the first one ends the run in order, the second one at once. Neither leaves anything behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use vultus_native::stream::RenderError;

use crate::errors::CANCELLED;

/// A run that works looks at the flag many times a second. One that has not ended by then waits for something that may never
/// come: the other end of a pipe, a disk in the network.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A flag that becomes true when the user (or the system, by SIGTERM or SIGHUP) asks to stop. A run that does not end within
/// `patience` of that is ended, after `last` has done what only this command has to do.
pub(crate) fn flag(patience: Duration, last: fn()) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            end(last);
        }
        let late = move || {
            thread::sleep(patience);
            eprintln!("vultus: stopped while it was waiting; nothing half-written is left");
            end(last);
        };
        if thread::Builder::new().name("vultus-end".into()).spawn(late).is_err() {
            end(last);
        }
    })
    .context("cannot watch for ctrl-C")?;
    Ok(flag)
}

/// "A file is too long", by its number on Linux and macOS.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

/// A file that reaches the limit of its size (`ulimit -f`) is an error of whoever writes it, not the end of the program, which would leave it half-written.
#[cfg(unix)]
pub(crate) fn outlive_file_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    // What is registered stays so; without it the program is as it was.
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        let _inside = runtime.enter();
        drop(signal(SignalKind::from_raw(SIGXFSZ)));
    }
}

#[cfg(not(unix))]
pub(crate) fn outlive_file_limit() {}

/// Ends a run as ctrl-C asks.
///
/// # Errors
/// It has been asked.
pub(crate) fn stop_if(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(RenderError::Cancelled.into()) } else { Ok(()) }
}

fn end(last: fn()) -> ! {
    vultus_native::media::remove_unfinished();
    last();
    std::process::exit(CANCELLED.into())
}
