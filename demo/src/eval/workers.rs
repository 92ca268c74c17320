//! One thread's work for each of many.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// What `work` makes of each item, in their order; several at a time, and the first error ends it.
///
/// An item is one thread's work from beginning to end, the kernels' too: that wastes less than sharing every kernel among the cores.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let pools: Vec<ThreadPool> = (0..threads)
        .map(|_| ThreadPoolBuilder::new().num_threads(1).build())
        .collect::<Result<_, _>>()
        .context("cannot start a thread; end other programs")?;
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let made = work(item);
            failed.fetch_or(made.is_err(), Ordering::Relaxed);
            done.push((at, made));
        }
        done
    };
    let mut all = std::thread::scope(|scope| {
        let threads: Vec<_> = pools.iter().map(|pool| scope.spawn(|| pool.install(run))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.flatten().collect::<Vec<_>>()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::each;

    #[test]
    fn results_keep_their_order_and_errors_end_it() {
        let items: Vec<u32> = (0..20).collect();
        assert_eq!(each(&items, |i| Ok(i * i)).unwrap(), items.iter().map(|i| i * i).collect::<Vec<_>>());
        let done = each(&items, |i| if *i == 3 { bail!("three") } else { Ok(*i) });
        assert_eq!(done.unwrap_err().to_string(), "three");
        assert!(each(&[] as &[u32], |i| Ok(*i)).unwrap().is_empty());
    }
}
