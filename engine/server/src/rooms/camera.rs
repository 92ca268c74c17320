//! A publisher's camera: its pictures move the face of its room.
//!
//! | queue | capacity | when full |
//! |---|---|---|
//! | pictures that wait to be decoded | 32, a second | all are dropped up to the next key frame, which is asked for |

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::sync::OwnedSemaphorePermit;
use vultus::motion::Mirror;
use vultus::track::Picture;
use vultus_native::Notices;
use vultus_native::media::{H264Receiver, Received};
use vultus_native::seeing::{Looker, SIDE};

const WAITING: usize = 32;

/// The sending end of a camera's queue. The thread behind it ends with it.
pub(super) struct Camera {
    pictures: SyncSender<Vec<u8>>,
    damaged: Arc<AtomicBool>,
}

impl Camera {
    /// `place` is given back when the camera is gone.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn open(
        looker: Looker,
        place: OwnedSemaphorePermit,
        mirror: Mirror,
        notices: Notices,
    ) -> io::Result<Self> {
        let ((pictures, waiting), damaged) = (sync_channel(WAITING), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&damaged);
        thread::Builder::new().name("vultus-camera".into()).spawn(move || {
            watch(looker, &waiting, &mirror, &told, &notices);
            mirror.clear();
            drop(place);
        })?;
        Ok(Self { pictures, damaged })
    }

    /// Whether a picture could be taken; after one that could not, a key frame has to come.
    pub(super) fn take(&self, picture: &[u8]) -> bool {
        !self.damaged.swap(false, Ordering::Relaxed) && self.pictures.try_send(picture.to_vec()).is_ok()
    }
}

/// Decodes every picture, and follows the face in the latest.
fn watch(mut looker: Looker, pictures: &Receiver<Vec<u8>>, mirror: &Mirror, damaged: &AtomicBool, notices: &Notices) {
    let mut decoder = match H264Receiver::new() {
        Ok(decoder) => decoder,
        Err(error) => return notices.tell(&format!("a camera cannot be decoded: {error}")),
    };
    let mut told = false;
    while let Ok(first) = pictures.recv() {
        let mut fresh = false;
        for picture in std::iter::once(first).chain(pictures.try_iter()) {
            match decoder.push(&picture, SIDE) {
                Received::Picture => fresh = true,
                Received::Nothing => {}
                Received::Damaged => damaged.store(true, Ordering::Relaxed),
                Received::TooLarge([width, height]) => {
                    if !told {
                        let what = format!("{width} × {height} pixels; at most {SIDE} a side are looked at");
                        notices.tell(&format!("a camera sends pictures of {what}"));
                    }
                    told = true;
                }
            }
        }
        if !fresh {
            continue;
        }
        let (rgb, [width, height]) = decoder.picture();
        match looker.look(&Picture::new(rgb, width, height)) {
            Ok(Some(seen)) => mirror.show(seen.drive),
            Ok(None) => mirror.clear(),
            Err(error) => return notices.tell(&format!("a camera cannot be followed: {error}")),
        }
    }
}
