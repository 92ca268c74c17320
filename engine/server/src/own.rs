//! Avatars that clients made of their own pictures, or brought as files. They are in memory only, and only who knows such a name can ask for it.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | such avatars | [`PLACES`] | the one that has been unused for longest gives way; one that a session shows stays |
//! | time without use | [`LIFE`] | it ends |
//!
//! The client that made one may ask for it as for any avatar, have it fitted anew, take it home as a file, or end it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use vultus::avatar::AvatarFile;

use crate::secret::secret;

/// Avatars at one time. With its picture each may take 100 MiB.
pub(crate) const PLACES: usize = 8;
/// How long one is kept after its last use.
pub(crate) const LIFE: Duration = Duration::from_secs(30 * 60);
/// What such names begin with; 128 random bits follow.
const MARK: &str = "own-";
/// What a client hears who asks for one that is there no more.
pub(crate) const GONE: &str = "there is no avatar of this name any more; it ends 30 minutes after its last use: enrol the picture again, or load its file";

/// All of them. `T` is what is worked out of one when a session shows it first.
pub(crate) struct Own<T>(Mutex<HashMap<String, Arc<OwnAvatar<T>>>>);

/// One of them.
pub(crate) struct OwnAvatar<T> {
    pub(crate) name: String,
    /// What it was made of, as it came; `None` where it came as an avatar.
    pub(crate) photo: Option<Bytes>,
    made: Mutex<Made>,
    /// Locked while it is worked out.
    prepared: Mutex<Option<T>>,
    use_: Mutex<Use>,
}

/// What an enrolment gave.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) file: Arc<AvatarFile>,
    /// Its portrait as a small JPEG.
    pub(crate) thumbnail: Arc<[u8]>,
    /// Which face of the picture it is, counted from 1, where the picture shows several.
    pub(crate) face: Option<usize>,
}

struct Use {
    /// Sessions that show it.
    shown: usize,
    last: Instant,
}

/// A session shows it; until this is dropped, it stays.
pub(crate) struct Shown<T>(Arc<OwnAvatar<T>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Default for Own<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Own<T> {
    /// Whether a name is of this kind.
    pub(crate) fn is_one(name: &str) -> bool {
        name.starts_with(MARK)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Keeps one, by a new name; `None` where sessions show all that there may be.
    pub(crate) fn keep(&self, now: Instant, photo: Option<Bytes>, made: Made) -> Option<Arc<OwnAvatar<T>>> {
        let mut all = lock(&self.0);
        if !make_place(&mut all, now) {
            return None;
        }
        let name = format!("{MARK}{}", secret());
        let use_ = Mutex::new(Use { shown: 0, last: now });
        let (made, prepared) = (Mutex::new(made), Mutex::new(None));
        let own = Arc::new(OwnAvatar { name: name.clone(), photo, made, prepared, use_ });
        all.insert(name, Arc::clone(&own));
        Some(own)
    }

    /// Whether one more may be kept.
    pub(crate) fn has_place(&self) -> bool {
        let all = lock(&self.0);
        all.len() < PLACES || all.values().any(|own| !own.is_shown())
    }

    /// The one of this name. Asking for it is a use.
    pub(crate) fn find(&self, now: Instant, name: &str) -> Option<Arc<OwnAvatar<T>>> {
        let mut all = lock(&self.0);
        drop_old(&mut all, now);
        let own = all.get(name)?;
        lock(&own.use_).last = now;
        Some(Arc::clone(own))
    }

    /// The one of this name, for a session that shows it.
    pub(crate) fn show(&self, now: Instant, name: &str) -> Option<Shown<T>> {
        let own = self.find(now, name)?;
        lock(&own.use_).shown += 1;
        Some(Shown(own))
    }

    /// Ends one; false where there is none. Sessions that show it go on.
    pub(crate) fn end(&self, name: &str) -> bool {
        lock(&self.0).remove(name).is_some()
    }

    /// Ends those that nobody has used for [`LIFE`].
    pub(crate) fn sweep(&self, now: Instant) {
        drop_old(&mut lock(&self.0), now);
    }
}

fn drop_old<T>(all: &mut HashMap<String, Arc<OwnAvatar<T>>>, now: Instant) {
    all.retain(|_, own| own.is_shown() || now.saturating_duration_since(lock(&own.use_).last) < LIFE);
}

fn make_place<T>(all: &mut HashMap<String, Arc<OwnAvatar<T>>>, now: Instant) -> bool {
    drop_old(all, now);
    if all.len() < PLACES {
        return true;
    }
    let unused = all.values().filter(|own| !own.is_shown()).min_by_key(|own| lock(&own.use_).last);
    let Some(name) = unused.map(|own| own.name.clone()) else { return false };
    all.remove(&name);
    true
}

impl<T> OwnAvatar<T> {
    fn is_shown(&self) -> bool {
        lock(&self.use_).shown > 0
    }

    /// As it was fitted last.
    pub(crate) fn made(&self) -> Made {
        lock(&self.made).clone()
    }

    /// It was fitted anew. Sessions that show it go on with the former fit until they are told.
    pub(crate) fn replace(&self, made: Made) {
        // In this order, as `prepared` reads them.
        let mut prepared = lock(&self.prepared);
        *lock(&self.made) = made;
        *prepared = None;
    }
}

impl<T: Clone> OwnAvatar<T> {
    /// What `make` makes of its file, once a fit.
    ///
    /// # Errors
    /// What `make` returns.
    pub(crate) fn prepared<E>(&self, make: impl FnOnce(&AvatarFile) -> Result<T, E>) -> Result<T, E> {
        let mut held = lock(&self.prepared);
        if let Some(prepared) = &*held {
            return Ok(prepared.clone());
        }
        let file = self.made().file;
        let prepared = make(&file)?;
        *held = Some(prepared.clone());
        Ok(prepared)
    }
}

impl<T> Drop for Shown<T> {
    fn drop(&mut self) {
        let mut use_ = lock(&self.0.use_);
        use_.shown -= 1;
        use_.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use vultus_native::assets::Assets;

    use super::*;

    fn made() -> Made {
        let file = Arc::new(Assets::embedded().avatar("amara").unwrap());
        Made { file, thumbnail: [].into(), face: None }
    }

    #[test]
    fn the_longest_unused_gives_way_and_what_is_shown_stays() {
        let (own, now, made) = (Own::<u32>::default(), Instant::now(), made());
        let keep = |seconds| own.keep(now + Duration::from_secs(seconds), None, made.clone());
        let names: Vec<String> = (0..PLACES as u64).map(|n| keep(n).unwrap().name.clone()).collect();
        assert!(names.iter().all(|name| name.len() == 36 && Own::<u32>::is_one(name)));
        let later = now + Duration::from_secs(20);
        let shown = own.show(later, &names[0]).unwrap();
        assert!(own.find(later, &names[1]).is_some());
        keep(21).unwrap();
        assert_eq!(own.len(), PLACES);
        assert!(own.find(later, &names[2]).is_none(), "it was unused for longest");
        assert!(own.find(later, &names[0]).is_some());
        let all: Vec<String> = lock(&own.0).keys().cloned().collect();
        let held: Vec<_> = all.iter().map(|name| own.show(later, name).unwrap()).collect();
        assert!(!own.has_place() && keep(22).is_none(), "sessions show all of them");
        drop((held, shown));
        assert!(own.has_place() && keep(23).is_some());
    }

    #[test]
    fn it_ends_half_an_hour_after_its_last_use() {
        let (own, now) = (Own::<u32>::default(), Instant::now());
        let name = own.keep(now, None, made()).unwrap().name.clone();
        let nearly = LIFE - Duration::from_secs(1);
        assert!(own.find(now + nearly, &name).is_some());
        assert!(own.find(now + 2 * nearly, &name).is_some(), "asking for it was a use");
        let shown = own.show(now + 2 * nearly, &name);
        own.sweep(now + 9 * LIFE);
        assert_eq!(own.len(), 1, "a session shows it");
        drop(shown);
        own.sweep(Instant::now() + LIFE);
        assert_eq!(own.len(), 0);
        assert!(!own.end(&name));
    }

    #[test]
    fn a_new_fit_is_worked_out_anew() {
        let own = Own::<u32>::default().keep(Instant::now(), None, made()).unwrap();
        assert_eq!(own.prepared(|_| Err::<u32, _>("no device")), Err("no device"));
        assert_eq!(own.prepared(|_| Ok::<_, ()>(1)), Ok(1));
        assert_eq!(own.prepared(|_| Ok::<_, ()>(2)), Ok(1));
        own.replace(made());
        assert_eq!(own.prepared(|_| Ok::<_, ()>(3)), Ok(3));
    }
}
