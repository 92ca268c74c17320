//! A live session to a file, while others watch it.
//!
//! The session's thread hands packets over and goes on; a thread of the recording's own writes them. A disk that cannot keep up loses pictures, never the
//! session: what finds the queue full is dropped, and the recording goes on with the next key frame, which it asks for.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | pictures and packets, to the recording's thread | 512, about seven seconds | dropped up to the next key frame; counted |

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use super::sinks::{PacketSink, VideoUnit, VoiceUnit, Wish};
use crate::media::{Fragments, MediaError};

/// Units that may wait to be written.
const WAITING: usize = 512;
/// Media clock from one picture that a player can start at to the next.
const KEY_FRAMES: u64 = 10 * 48_000;

#[derive(Debug)]
enum Unit {
    Video(VideoUnit),
    Voice(VoiceUnit),
}

/// What became of a recording.
#[derive(Debug)]
pub struct Recorded {
    /// The file.
    pub file: PathBuf,
    /// Pictures in it; where there are none there is no file.
    pub pictures: u64,
    /// Pictures and packets that the disk was too slow for.
    pub dropped: u64,
    /// Why it ended before the session did. What was written until then plays.
    pub failed: Option<MediaError>,
}

/// Records packets to a fragmented MP4: see [`Fragments`].
#[derive(Debug)]
pub struct Recording {
    units: Option<SyncSender<Unit>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// Pictures are of no use before the next key frame.
    lost: bool,
    /// Media clocks of the last key frame and the last picture.
    key: u64,
    last: u64,
}

#[derive(Debug, Default)]
struct Shared {
    /// The thread has ended.
    over: AtomicBool,
    dropped: AtomicU64,
}

impl Recording {
    /// Records pictures of `side` pixels to a new file. `ended` is called on the recording's thread when it is complete or has failed.
    ///
    /// # Errors
    /// The file is there already or cannot be made; no thread could be started.
    pub fn create(file: &Path, side: usize, ended: impl FnOnce(Recorded) + Send + 'static) -> Result<Self, MediaError> {
        let failed = |cause| MediaError::write(file, cause);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Whoever may read the folder need not have been in the call.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let out = options.open(file).map_err(failed)?;
        let end = out.try_clone().map_err(failed)?;
        let mut film = Fragments::new(BufWriter::new(out), side).map_err(failed)?;
        let (units, inbox) = sync_channel(WAITING);
        let shared = Arc::new(Shared::default());
        let (told, path) = (Arc::clone(&shared), file.to_owned());
        let work = move || {
            let mut pictures = 0;
            let written = write(&mut film, &inbox, &mut pictures);
            let whole = film.whole();
            let written = match written {
                Ok(()) => film.finish().map(drop),
                Err(error) => {
                    // With what its buffer still holds.
                    drop(film);
                    Err(error)
                }
            };
            if written.is_err() {
                // A full disk may leave half a fragment; one that cannot be cut off costs a player its last second, or some players all.
                let _ = end.set_len(whole);
            }
            told.over.store(true, Ordering::Release);
            // What was taken last is lost with a first fragment that could not be written.
            if whole == 0 && written.is_err() {
                pictures = 0;
            }
            if pictures == 0 {
                // Nobody wants a file with nothing in it; one that cannot be removed does no harm.
                let _ = fs::remove_file(&path);
            }
            let failed = written.err().map(|cause| MediaError::write(&path, cause));
            ended(Recorded { file: path, pictures, dropped: told.dropped.load(Ordering::Acquire), failed });
        };
        let thread = thread::Builder::new().name("vultus-record".into()).spawn(work).map_err(failed)?;
        Ok(Self { units: Some(units), thread: Some(thread), shared, lost: false, key: 0, last: 0 })
    }

    /// Whether it was taken.
    fn send(&self, unit: Unit) -> bool {
        match self.units.as_ref().map(|units| units.try_send(unit)) {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_))) => {
                self.shared.dropped.fetch_add(1, Ordering::AcqRel);
                false
            }
            // The thread has said why.
            Some(Err(TrySendError::Disconnected(_))) | None => false,
        }
    }
}

impl PacketSink for Recording {
    fn wish(&mut self) -> Wish {
        if self.shared.over.load(Ordering::Acquire) {
            Wish::Over
        } else if self.lost || self.last - self.key >= KEY_FRAMES {
            Wish::KeyFrame
        } else {
            Wish::More
        }
    }

    fn video(&mut self, unit: &VideoUnit) {
        self.last = unit.clock;
        if unit.key {
            (self.key, self.lost) = (unit.clock, false);
        }
        if !self.lost {
            self.lost = !self.send(Unit::Video(unit.clone()));
        }
    }

    fn voice(&mut self, unit: &VoiceUnit) {
        self.send(Unit::Voice(unit.clone()));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // The thread writes what waits, and ends.
        self.units = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

fn write<W: io::Write>(film: &mut Fragments<W>, inbox: &Receiver<Unit>, pictures: &mut u64) -> io::Result<()> {
    while let Ok(unit) = inbox.recv() {
        match unit {
            Unit::Video(unit) => *pictures += u64::from(film.video(unit.clock, &unit.data, unit.key)?),
            Unit::Voice(unit) => film.voice(unit.clock, &unit.data),
        }
    }
    Ok(())
}
