//! Where pictures wait, and the thread that works on them, one after the other.
//!
//! All kernels of an enrolment run on that one thread, which stands back where others want the processor: a session that runs beside it has the other
//! cores to itself, and most of this one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use axum::http::StatusCode;
use rayon::ThreadPoolBuilder;
use serde_json::Value;
use tokio::sync::oneshot;
use vultus_native::enrol::Enroller;

use super::work::{DOING, Work};
use crate::refusal::Refusal;
use crate::studio::Studio;

/// Pictures that are on their way, waiting or being worked on: one and four.
const PLACES: usize = 5;
/// Of one address.
const OF_ONE: usize = 3;
/// When to come back: about what a picture takes.
const LATER: u32 = 5;
/// How often avatars are looked through for those that have ended.
const SWEEP: Duration = Duration::from_secs(30);
/// How far the thread stands back, as `nice` counts it: against a thread of a session it gets about a tenth.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// See the module's text.
pub(crate) struct Desk {
    studio: Arc<Studio>,
    places: Arc<Places>,
    /// To the thread, which is there from the first picture on.
    jobs: Mutex<Option<Sender<Job>>>,
}

/// Who has a place, by address.
#[derive(Default)]
struct Places(Mutex<HashMap<IpAddr, usize>>);

/// A place, until this is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    from: IpAddr,
}

/// Each has a place, so no more than [`PLACES`] wait.
struct Job {
    work: Work,
    answer: oneshot::Sender<Result<Value, Refusal>>,
    _place: Place,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub(crate) fn new(studio: Arc<Studio>) -> Self {
        Self { studio, places: Arc::default(), jobs: Mutex::default() }
    }

    /// Pictures that have a place.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.places.0).values().sum()
    }

    /// A place for a picture from this address.
    ///
    /// # Errors
    /// All are taken (503), or this address has its share (429).
    pub(crate) fn place(&self, from: IpAddr) -> Result<Place, Refusal> {
        self.places.take(from)?;
        let place = Place { places: Arc::clone(&self.places), from };
        if self.studio.own().has_place() {
            return Ok(place);
        }
        let sentence = "sessions show all avatars that this server keeps of pictures; try again when one has ended";
        Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, 30))
    }

    /// Has it done, in its turn. Who goes away meanwhile is passed over.
    ///
    /// # Errors
    /// What came of it.
    pub(super) async fn ask(&self, work: Work, place: Place) -> Result<Value, Refusal> {
        let (answer, done) = oneshot::channel();
        let failed = |error: anyhow::Error| Refusal::internal(self.studio.notices(), DOING, error);
        self.send(Job { work, answer, _place: place }).map_err(failed)?;
        done.await.map_err(|error| failed(error.into()))?
    }

    fn send(&self, job: Job) -> anyhow::Result<()> {
        let mut jobs = lock(&self.jobs);
        let jobs = match &mut *jobs {
            Some(jobs) => jobs,
            none => none.insert(start(&self.studio)?),
        };
        jobs.send(job).map_err(|_| anyhow!("its thread has ended"))
    }
}

/// Starts the thread. It ends with the last who may send it something.
fn start(studio: &Arc<Studio>) -> anyhow::Result<Sender<Job>> {
    let (jobs, waiting) = channel();
    let studio = Arc::clone(studio);
    // A pool of its own with one thread: kernels that are spread over a pool's threads take the one that they are in.
    let pool =
        ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "vultus-enrol".into()).start_handler(|_| stand_back());
    pool.build().context("cannot start a thread")?.spawn(move || work_on(&studio, &waiting));
    Ok(jobs)
}

/// What is not allowed changes nothing.
fn stand_back() {
    #[cfg(target_os = "linux")]
    // On Linux this is the calling thread's, not the process's.
    let _ = rustix::process::setpriority_process(None, NICE);
}

fn work_on(studio: &Studio, waiting: &Receiver<Job>) {
    // The networks, read at the first picture.
    let mut enroller: Option<Enroller> = None;
    loop {
        match waiting.recv_timeout(SWEEP) {
            Ok(Job { work, answer, _place }) => {
                if !answer.is_closed() {
                    let done = catch_unwind(AssertUnwindSafe(|| work.done(studio, &mut enroller)));
                    let done = done.unwrap_or_else(|_| {
                        // The panic has said on stderr where it was. Whatever it left behind is not used again.
                        enroller = None;
                        Err(Refusal::internal(studio.notices(), DOING, "it panicked"))
                    });
                    let _ = answer.send(done);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        studio.own().sweep(Instant::now());
    }
}

impl Places {
    fn take(&self, from: IpAddr) -> Result<(), Refusal> {
        let mut places = lock(&self.0);
        if places.get(&from).is_some_and(|count| *count >= OF_ONE) {
            let sentence =
                format!("{OF_ONE} pictures from your address are being worked on already; try again in a moment");
            return Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, sentence, LATER));
        }
        if places.values().sum::<usize>() >= PLACES {
            let sentence = format!("{PLACES} pictures are being worked on already; try again in a moment");
            return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, sentence, LATER));
        }
        *places.entry(from).or_default() += 1;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = lock(&self.places.0);
        if let Some(count) = places.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_no_address_has_them_all() {
        let places = Arc::new(Places::default());
        let take = |last: u8| {
            let from = IpAddr::from([10, 0, 0, last]);
            places
                .take(from)
                .map(|()| Place { places: Arc::clone(&places), from })
                .map_err(|refusal| refusal.status.as_u16())
        };
        let greedy: Vec<Place> = (0..OF_ONE).map(|_| take(1).ok().unwrap()).collect();
        assert_eq!(take(1).err(), Some(429));
        let others: Vec<Place> = (OF_ONE..PLACES).map(|_| take(2).ok().unwrap()).collect();
        assert_eq!(take(3).err(), Some(503));
        drop(greedy);
        assert!(take(3).is_ok() && take(1).is_ok());
        drop(others);
        assert!(lock(&places.0).is_empty());
    }
}
