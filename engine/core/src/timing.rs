//! How long things took, in a histogram whose size does not depend on how often they happened.

use std::time::Duration;

use serde::Serialize;

/// A clock that the host lends: the time since a moment of its own choice. This crate reads no clock itself; without one, nothing is measured.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub fn() -> Duration);

impl Clock {
    /// The time.
    pub fn now(self) -> Duration {
        self.0()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(|| Duration::ZERO)
    }
}

/// Shortest time that is told apart.
const FIRST_SECS: f64 = 1e-7;
/// Each bin is 2 % wider than the one before; the last one starts near 100 s.
const GROWTH: f64 = 1.02;
const BINS: usize = 1048;

/// Times of one stage.
#[derive(Clone, Debug)]
pub struct StageTimes {
    bins: Vec<u32>,
    count: u64,
    total: Duration,
    max: Duration,
}

/// [`StageTimes`] in short, as it stands in reports. All times in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StageSummary {
    /// Number of times.
    pub count: u64,
    /// Median, within 1 %.
    pub p50_ms: f64,
    /// 95th percentile, within 1 %.
    pub p95_ms: f64,
    /// 99th percentile, within 1 %.
    pub p99_ms: f64,
    /// Longest.
    pub max_ms: f64,
    /// Mean.
    pub mean_ms: f64,
}

impl StageTimes {
    /// No times yet.
    pub fn new() -> Self {
        Self { bins: vec![0; BINS], count: 0, total: Duration::ZERO, max: Duration::ZERO }
    }

    /// Counts one time. Allocates nothing.
    pub fn record(&mut self, time: Duration) {
        let bin = (time.as_secs_f64() / FIRST_SECS).max(1.0).ln() / GROWTH.ln();
        self.bins[(bin as usize).min(BINS - 1)] += 1;
        self.count += 1;
        self.total += time;
        self.max = self.max.max(time);
    }

    /// Counts everything that `other` has counted.
    pub fn absorb(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            *bin += more;
        }
        self.count += other.count;
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The time that a share of all times does not exceed, 0 when there are none.
    pub fn percentile_secs(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bin, &count) in self.bins.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                // The middle of the bin, but never more than what was measured.
                return (FIRST_SECS * GROWTH.powf(bin as f64 + 0.5)).min(self.max.as_secs_f64());
            }
        }
        0.0
    }

    /// The figures that are reported.
    pub fn summary(&self) -> StageSummary {
        // A tenth of a microsecond is more than the clock is good for; further digits only make reports hard to read.
        let ms = |secs: f64| (secs * 1e7).round() / 1e4;
        let percentile_ms = |share| ms(self.percentile_secs(share));
        StageSummary {
            count: self.count,
            p50_ms: percentile_ms(0.50),
            p95_ms: percentile_ms(0.95),
            p99_ms: percentile_ms(0.99),
            max_ms: ms(self.max.as_secs_f64()),
            mean_ms: ms(self.total.as_secs_f64() / self.count.max(1) as f64),
        }
    }
}

/// Times of a stage over about the last minute.
#[derive(Clone, Debug, Default)]
pub struct RecentTimes {
    /// The newest stretch first.
    stretches: [StageTimes; 4],
}

impl RecentTimes {
    /// Four of these make a minute.
    pub const STRETCH: Duration = Duration::from_secs(15);

    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        self.stretches[0].record(time);
    }

    /// Counts times that were counted elsewhere.
    pub fn absorb(&mut self, times: &StageTimes) {
        self.stretches[0].absorb(times);
    }

    /// Begins a new stretch and forgets the oldest: to be called every [`Self::STRETCH`].
    pub fn turn(&mut self) {
        self.stretches.rotate_right(1);
        self.stretches[0] = StageTimes::new();
    }

    /// All stretches together.
    pub fn all(&self) -> StageTimes {
        let mut all = StageTimes::new();
        self.stretches.iter().for_each(|stretch| all.absorb(stretch));
        all
    }
}

impl Default for StageTimes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut times = StageTimes::new();
        for i in 1..=1000u32 {
            times.record(Duration::from_micros(u64::from(i) * 37));
        }
        let summary = times.summary();
        for (got, want) in [(summary.p50_ms, 18.5), (summary.p95_ms, 35.15), (summary.p99_ms, 36.63)] {
            assert!((got / want - 1.0).abs() < 0.0101, "{got} is not {want}");
        }
        assert_eq!((summary.count, summary.max_ms), (1000, 37.0));
        assert!((summary.mean_ms - 18.5185).abs() < 1e-6);
    }

    #[test]
    fn recent_times_forget_after_a_minute() {
        let mut recent = RecentTimes::default();
        recent.record(Duration::from_millis(900));
        for _ in 0..4 {
            assert_eq!(recent.all().summary().max_ms, 900.0);
            recent.turn();
            recent.record(Duration::from_millis(5));
        }
        assert_eq!((recent.all().summary().max_ms, recent.all().summary().count), (5.0, 4));
    }

    #[test]
    fn extremes_are_counted_too() {
        let mut times = StageTimes::new();
        assert_eq!(times.summary().p50_ms, 0.0);
        times.record(Duration::ZERO);
        times.record(Duration::from_secs(100_000));
        assert_eq!(times.summary().count, 2);
        assert!(times.summary().p95_ms > 9e4);
    }
}
