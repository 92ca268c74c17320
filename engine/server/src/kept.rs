//! Things that are worked out once for each name, however many ask at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What has been worked out. Who asks for something that is being worked out waits for it; a failure is told to who asked, and not kept.
pub(crate) struct Kept<T>(Mutex<HashMap<String, Place<T>>>);

/// Locked while what belongs here is worked out.
type Place<T> = Arc<Mutex<Option<T>>>;

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// What is kept by this name; otherwise what `make` makes, which may take its time.
    ///
    /// # Errors
    /// What `make` returns. The next who asks tries anew.
    pub(crate) fn get<E>(&self, name: &str, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let all = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(all().entry(name.to_owned()).or_default());
        // Whoever panicked while it had the place has left nothing in it.
        let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*held {
            return Ok(made.clone());
        }
        match make() {
            Ok(made) => {
                *held = Some(made.clone());
                // Where somebody failed meanwhile, the place has been taken away.
                all().insert(name.to_owned(), Arc::clone(&place));
                Ok(made)
            }
            Err(error) => {
                // No name that only failed is remembered.
                all().remove(name);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn twins_are_worked_out_once() {
        let (kept, made, start) = (Kept::<u32>::default(), AtomicUsize::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for asker in 0..8u32 {
                let (kept, made, start) = (&kept, &made, &start);
                scope.spawn(move || {
                    let name = if asker % 2 == 0 { "amara" } else { "jonas" };
                    start.wait();
                    let got = kept.get(name, || {
                        made.fetch_add(1, SeqCst);
                        // Long enough for all the others to come meanwhile.
                        thread::sleep(Duration::from_millis(100));
                        Ok::<_, ()>(asker % 2)
                    });
                    assert_eq!(got, Ok(asker % 2));
                });
            }
        });
        assert_eq!(made.load(SeqCst), 2);
    }

    #[test]
    fn one_that_takes_long_holds_up_no_other() {
        let kept = Kept::<u32>::default();
        let inner = kept.get("amara", || kept.get("jonas", || Ok::<_, ()>(2)).map(|jonas| jonas - 1));
        assert_eq!(inner, Ok(1));
    }

    #[test]
    fn failures_are_told_and_not_kept() {
        let kept = Kept::<u32>::default();
        assert_eq!(kept.get("amara", || Err("no file")), Err("no file"));
        assert!(kept.0.lock().unwrap().is_empty());
        let panics = thread::scope(|scope| {
            scope.spawn(|| kept.get("amara", || -> Result<u32, ()> { panic!("on purpose") })).join()
        });
        assert!(panics.is_err());
        assert_eq!(kept.get("amara", || Ok::<_, ()>(7)), Ok(7));
        assert_eq!(kept.get("amara", || Err("never asked")), Ok(7));
    }

    #[test]
    fn who_waited_for_a_failure_tries_itself() {
        let (kept, tries, start) = (Kept::<usize>::default(), AtomicUsize::new(0), Barrier::new(4));
        let got: Vec<Result<usize, usize>> = thread::scope(|scope| {
            let ask = || {
                start.wait();
                kept.get("amara", || {
                    thread::sleep(Duration::from_millis(20));
                    match tries.fetch_add(1, SeqCst) {
                        first @ 0 => Err(first),
                        later => Ok(later),
                    }
                })
            };
            let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert_eq!(got.iter().filter(|got| got.is_err()).count(), 1, "{got:?}");
        assert_eq!(got.iter().filter(|got| **got == Ok(1)).count(), 3, "{got:?}");
    }
}
