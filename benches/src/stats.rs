//! Medians, and the name of the machine that a number was measured on.

use std::time::Duration;

/// p50, p95 and p99 of some durations, in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort();
    let at = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize].as_secs_f64() * 1e3;
    [at(0.5), at(0.95), at(0.99)]
}

/// Processor and thread count.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name").and_then(|l| l.split_once(": ")))
        .map_or("unknown CPU", |l| l.1);
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    format!("machine: {model}, {threads} threads")
}
