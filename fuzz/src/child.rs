//! The child: damages inputs and feeds them, until the time is over or something breaks.

use std::collections::{HashSet, hash_map::DefaultHasher};
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::io::{Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::rng::Rng;
use crate::targets::Target;
use crate::{Arguments, HEAP, HEAP_LIMIT, seeds, shape};

/// Exit codes that the parent understands.
pub(crate) const PANICKED: u8 = 90;
pub(crate) const HUNG: u8 = 91;

/// Inputs that are damaged further: the seeds, and those with which something new came.
const KEPT: usize = 1024;
/// Bytes of those that are no seeds: they count as the target's.
const KEPT_BYTES: usize = 32 << 20;
/// Where in the run the input is that is being fed, milliseconds since the start, plus one; 0 between two.
static FED_AT: AtomicU64 = AtomicU64::new(0);
static PANIC: Mutex<Option<String>> = Mutex::new(None);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let name = arguments.target.as_deref().context("a child has a target")?;
    let current = File::create(arguments.child.as_deref().context("a child")?).context("the file of the input")?;
    let mut target = Target::open(name)?;
    if let Some(corpus) = &arguments.corpus {
        fs::create_dir_all(corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        target.seeds.extend(seeds::files(corpus)?);
    }
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut first) = PANIC.lock() {
            first.get_or_insert_with(|| panic.to_string());
        }
    }));
    let start = Instant::now();
    let patience = Duration::from_secs(arguments.patience);
    thread::spawn(move || watch(start, patience));
    HEAP_LIMIT.set_limit(HEAP).ok().context("the target holds more than its share before it begins")?;

    let mut feeder = Feeder { target, current, start, seen: HashSet::new(), fed: 0, slowest: Duration::ZERO };
    let replayed = arguments.replay.as_deref();
    let end = Duration::from_secs(arguments.seconds);
    let broke = match replayed {
        Some(path) => feeder.replay(path)?,
        None => feeder.fuzz(arguments, end)?,
    };
    let (fed, slowest, kinds) = (feeder.fed, feeder.slowest, feeder.seen.len());
    println_stats(fed, kinds, slowest);
    Ok(if broke { ExitCode::from(PANICKED) } else { ExitCode::SUCCESS })
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn println_stats(fed: u64, kinds: usize, slowest: Duration) {
    println!("{fed} {kinds} {} {} {}", slowest.as_millis(), HEAP_LIMIT.max_allocated() >> 20, peak_resident() >> 10);
}

/// KiB.
fn peak_resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

struct Feeder {
    target: Target,
    current: File,
    start: Instant,
    /// Outcomes that came.
    seen: HashSet<u64>,
    fed: u64,
    slowest: Duration,
}

impl Feeder {
    /// Feeds damaged inputs; true where one broke something.
    fn fuzz(&mut self, arguments: &Arguments, end: Duration) -> Result<bool> {
        let mut rng = Rng::new(arguments.seed);
        let mut kept = std::mem::take(&mut self.target.seeds);
        for seed in &kept {
            if self.feed(seed)?.is_none() {
                return Ok(true);
            }
        }
        let (seeds, mut bytes) = (kept.len(), 0);
        while self.start.elapsed() < end && self.fed < arguments.runs {
            let mut input = kept[rng.below(kept.len())].clone();
            shape::damage(self.target.shape, &mut input, &kept, &mut rng);
            let Some(new) = self.feed(&input)? else { return Ok(true) };
            if !new {
                continue;
            }
            if let Some(corpus) = &arguments.corpus {
                let mut hasher = DefaultHasher::new();
                input.hash(&mut hasher);
                fs::write(corpus.join(format!("{:016x}", hasher.finish())), &input).context("the corpus")?;
            }
            bytes += input.len();
            kept.push(input);
            while kept.len() > seeds && (bytes > KEPT_BYTES || kept.len() > KEPT.max(seeds)) {
                let at = seeds + rng.below(kept.len() - seeds);
                bytes -= kept.swap_remove(at).len();
            }
        }
        Ok(false)
    }

    fn replay(&mut self, path: &Path) -> Result<bool> {
        let inputs = if path.is_dir() { seeds::files(path)? } else { vec![fs::read(path).context("the input")?] };
        for input in inputs {
            if self.feed(&input)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether something new came of an input; `None` where it broke something.
    fn feed(&mut self, input: &[u8]) -> Result<Option<bool>> {
        self.current.rewind()?;
        self.current.write_all(&(input.len() as u64).to_le_bytes())?;
        self.current.write_all(input)?;
        let began = self.start.elapsed();
        FED_AT.store(began.as_millis() as u64 + 1, Ordering::Release);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.target.feed)(input)));
        FED_AT.store(0, Ordering::Release);
        self.slowest = self.slowest.max(self.start.elapsed() - began);
        self.fed += 1;
        // A panic on another thread counts too.
        let panic = PANIC.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(panic) = panic.filter(|_| outcome.is_err() || !self.target.guarded) {
            eprintln!("{panic}");
            return Ok(None);
        }
        let outcome = outcome.unwrap_or_default();
        // Numbers in messages would make everything new.
        let mut hasher = DefaultHasher::new();
        outcome.chars().filter(|c| !c.is_ascii_digit()).take(160).for_each(|c| c.hash(&mut hasher));
        Ok(Some(self.seen.insert(hasher.finish())))
    }
}

/// Ends the process when an input takes too long.
fn watch(start: Instant, patience: Duration) {
    loop {
        thread::sleep(Duration::from_millis(100));
        let fed = FED_AT.load(Ordering::Acquire);
        if fed > 0 && start.elapsed().saturating_sub(Duration::from_millis(fed)) > patience {
            eprintln!("an input took longer than {} s", patience.as_secs());
            std::process::exit(HUNG.into());
        }
    }
}
