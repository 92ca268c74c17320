//! Sound from this machine for a session that lives as long as the server: a microphone, or a file in a loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use vultus::audio::Resampler;
use vultus::session::CLOCK_RATE;
use vultus_native::Notices;
use vultus_native::audio::capture::Microphone;
use vultus_native::audio::{AudioReader, check_repeatable};

use crate::rooms::{Look, Room, Rooms};
use crate::secret::secret;

/// How often the microphone's ring is emptied.
const PERIOD: Duration = Duration::from_millis(5);
/// How often a microphone or a session that went is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// A microphone that delivers nothing at all for this long is gone, whether or not the sound system said so (a sound server that
/// ended leaves ALSA waiting for ever). A muted one delivers zeros.
const GONE: Duration = Duration::from_secs(2);
/// Silence between two rounds of a file.
const PAUSE_SECS: usize = 1;
/// Samples of a piece of a file.
const PIECE: usize = CLOCK_RATE as usize / 2;
/// How long to wait when the session has no room.
const FULL: Duration = Duration::from_millis(50);

/// Sound from this machine.
#[derive(Clone, Debug)]
pub enum SourceOptions {
    /// A microphone: the default one, or the one of this name.
    Microphone(Option<String>),
    /// A sound file, over and over.
    Loop(PathBuf),
}

/// See the module's text. Dropping it ends the sound and lets the session go.
pub(crate) struct Source {
    /// The session's id, which stays the same for as long as the server runs.
    pub(crate) room: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be heard.
enum Sound {
    Microphone(Option<String>),
    /// A file, decoded anew in each round: it may have hours.
    File(PathBuf),
}

impl Source {
    /// Opens the session and speaks in it. A session that breaks down is opened again.
    ///
    /// # Errors
    /// There is no such sound, or no such session.
    pub(crate) fn start(wanted: &SourceOptions, rooms: &Arc<Rooms>, look: Look) -> Result<Self> {
        let sound = match wanted {
            SourceOptions::Microphone(name) => {
                // Opened here once, so that a wrong name is an error now and not a line in a log later. The sound system's handles stay on
                // one thread: it is opened again where it is read.
                drop(Microphone::open(name.as_deref())?);
                Sound::Microphone(name.clone())
            }
            SourceOptions::Loop(path) => {
                // A file that is no sound is an error now and not a line in a log later.
                Round::open(path)?.next()?.ok_or_else(|| anyhow!("{} holds no sound", path.display()))?;
                Sound::File(path.clone())
            }
        };
        let room = secret();
        let open = {
            let (rooms, id) = (Arc::clone(rooms), room.clone());
            move || rooms.open_as(id.clone(), look.clone())
        };
        let first = open().map_err(|refusal| anyhow!(refusal.sentence))?;
        let notices = rooms.notices().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let work = move || {
            let mut hold = Some(first);
            while !stopping.load(Ordering::Relaxed) {
                match hold.take() {
                    Some(room) => {
                        sound.play(&room, &stopping, &notices);
                        if !stopping.load(Ordering::Relaxed) {
                            notices.tell("the session of this machine's sound broke down; it is started again");
                        }
                    }
                    None => {
                        thread::sleep(RETRY);
                        hold = open().ok();
                    }
                }
            }
        };
        let thread =
            thread::Builder::new().name("vultus-source".into()).spawn(work).context("cannot start a thread")?;
        Ok(Self { room, stop, thread: Some(thread) })
    }
}

impl Sound {
    /// Until told to stop, or the session is over.
    fn play(&self, room: &Room, stop: &AtomicBool, notices: &Notices) {
        match self {
            Self::Microphone(name) => microphone(name.as_deref(), room, stop, notices),
            Self::File(path) => say_over_and_over(path, room, stop, notices),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Hears until told to stop; a microphone that was unplugged is taken up again when it is back.
fn microphone(name: Option<&str>, room: &Room, stop: &AtomicBool, notices: &Notices) {
    let mut complained = false;
    while !stop.load(Ordering::Relaxed) {
        let mut heard = match Microphone::open(name) {
            Ok(microphone) => microphone,
            Err(error) => {
                if !complained {
                    notices.tell(&format!("{error}; it is taken up again when it is back"));
                    complained = true;
                }
                if room.live().is_err() {
                    return;
                }
                thread::sleep(RETRY);
                continue;
            }
        };
        let Ok(mut resampler) = Resampler::low_delay(heard.rate() as usize, CLOCK_RATE as usize, 1) else { return };
        let mut last = Instant::now();
        while !stop.load(Ordering::Relaxed) && heard.is_alive() && last.elapsed() < GONE {
            thread::sleep(PERIOD);
            let Ok(live) = room.live() else { return };
            let mut pcm = Vec::new();
            heard.read(|samples| {
                if complained {
                    notices.tell("the microphone is back");
                    complained = false;
                }
                last = Instant::now();
                resampler.push(samples, |out| pcm.extend_from_slice(out));
            });
            if !pcm.is_empty() {
                live.hear(pcm);
            }
        }
        if !stop.load(Ordering::Relaxed) && !complained {
            notices.tell("the microphone delivers nothing any more; it is taken up again when it is back");
            complained = true;
        }
        if heard.overruns() > 0 {
            notices.tell(&format!(
                "{} samples of the microphone were lost because the machine was too busy",
                heard.overruns()
            ));
        }
    }
}

/// One time through a file, at 48 kHz mono.
struct Round {
    reader: AudioReader,
    resampler: Resampler,
    ended: bool,
}

impl Round {
    fn open(path: &Path) -> Result<Self> {
        check_repeatable(path)?;
        let reader = AudioReader::open(path)?;
        let resampler = Resampler::new(reader.info().rate, CLOCK_RATE as usize, 1)?;
        Ok(Self { reader, resampler, ended: false })
    }

    /// The next piece, or `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<f32>>> {
        let mut pcm = Vec::new();
        while !self.ended && pcm.len() < PIECE {
            match self.reader.next_block()? {
                Some(block) => self.resampler.push(block.mono, |out| pcm.extend_from_slice(out)),
                None => {
                    self.resampler.finish(|out| pcm.extend_from_slice(out));
                    self.ended = true;
                }
            }
        }
        Ok(Some(pcm).filter(|pcm| !pcm.is_empty()))
    }
}

/// Speaks until told to stop. The file is opened anew for each round, so it may be replaced; one that is gone or no good any more is
/// tried again until it is back. The session has seconds of sound ahead, so nobody hears that a file is opened.
fn say_over_and_over(path: &Path, room: &Room, stop: &AtomicBool, notices: &Notices) {
    let mut complained = false;
    while !stop.load(Ordering::Relaxed) {
        let said = say_once(path, room, stop, notices, &mut complained);
        match said {
            Ok(Said::All) if say(vec![0.0; PAUSE_SECS * CLOCK_RATE as usize], room, stop).is_some() => {}
            Ok(_) => return,
            Err(error) => {
                if !complained {
                    notices.tell(&format!("{error:#}; it is taken up again when it is back"));
                    complained = true;
                }
                if room.live().is_err() {
                    return;
                }
                thread::sleep(RETRY);
            }
        }
    }
}

/// Whether a round came to its end.
enum Said {
    All,
    Stopped,
}

fn say_once(path: &Path, room: &Room, stop: &AtomicBool, notices: &Notices, complained: &mut bool) -> Result<Said> {
    let mut round = Round::open(path)?;
    let mut anything = false;
    while let Some(pcm) = round.next()? {
        if std::mem::take(complained) {
            notices.tell(&format!("{} is back", path.display()));
        }
        anything = true;
        for piece in pcm.chunks(PIECE) {
            if say(piece.to_vec(), room, stop).is_none() {
                return Ok(Said::Stopped);
            }
        }
    }
    if !anything {
        bail!("{} holds no sound", path.display());
    }
    Ok(Said::All)
}

/// Waits until there is room for a piece; `None` when the session is over, or it is time to stop.
fn say(mut piece: Vec<f32>, room: &Room, stop: &AtomicBool) -> Option<()> {
    loop {
        let live = room.live().ok()?;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match live.say(piece) {
            Ok(()) => return Some(()),
            Err(back) => piece = back,
        }
        thread::sleep(FULL);
    }
}
