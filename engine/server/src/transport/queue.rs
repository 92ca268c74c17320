//! How long packets wait in the path's queue, and the bitrate at which they would not.
//!
//! The delay half of `rtc` 0.21's congestion control compares the growth of the delay from one burst to the next with a threshold of 12.5 ms,
//! so it sleeps while a queue grows by tens of milliseconds a second. This looks at the queue itself: how much later packets arrive than the
//! fastest of the last seconds did. It counts no clock's offset, and its drift is far below what matters in the window.

use std::time::{Duration, Instant};

use rtc::interceptor::PacketReport;

/// A queue that costs more is drained: it is latency that everybody sees.
const TOO_LONG: f64 = 0.080;
/// Of what arrived while the queue stood, so much is sent until it is gone: less for a queue of a second or more.
const DRAIN: (f64, f64) = (0.85, 0.4);
/// Between two cuts: the first has to reach the path and its effect has to come back.
const PATIENCE: Duration = Duration::from_millis(600);
/// Growth a second when the queue is short.
const GROWTH: f64 = 1.08;
/// The fastest packet is forgotten after one to two of these.
const MEMORY: Duration = Duration::from_secs(10);

/// The ceiling that the queue sets.
pub(super) struct Queue {
    ceiling: f64,
    epoch: Option<Instant>,
    /// The shortest delays of this and of the last stretch of memory, seconds from an arbitrary zero.
    shortest: [f64; 2],
    turned: Option<Instant>,
    cut: Option<Instant>,
}

impl Queue {
    pub(super) fn new(ceiling: f64) -> Queue {
        Queue { ceiling, epoch: None, shortest: [f64::INFINITY; 2], turned: None, cut: None }
    }

    /// Weighs what was reported over the last `elapsed` and gives the ceiling in bits per second.
    pub(super) fn weigh(
        &mut self,
        now: Instant,
        elapsed: Duration,
        reports: &[PacketReport],
        bounds: (f64, f64),
    ) -> f64 {
        let epoch = *self.epoch.get_or_insert_with(|| reports.first().map_or(now, |report| report.departure));
        let delay = |report: &PacketReport| {
            let left = report.departure.saturating_duration_since(epoch);
            report.arrival.map(|arrival| arrival.as_secs_f64() - left.as_secs_f64())
        };
        let mut delays: Vec<f64> = reports.iter().filter_map(delay).collect();
        if delays.is_empty() {
            return self.ceiling;
        }
        delays.sort_by(f64::total_cmp);
        if now.saturating_duration_since(*self.turned.get_or_insert(now)) > MEMORY {
            self.turned = Some(now);
            self.shortest = [f64::INFINITY, self.shortest[0]];
        }
        self.shortest[0] = self.shortest[0].min(delays[0]);
        // The lower quarter: a browser that was busy for a moment reports some packets late, a queue makes all of them late.
        let waited = delays[delays.len() / 4] - self.shortest[0].min(self.shortest[1]);
        let seconds = elapsed.as_secs_f64().max(0.001);
        if waited < TOO_LONG {
            self.ceiling *= GROWTH.powf(seconds.min(1.0));
        } else if self.cut.is_none_or(|cut| now.saturating_duration_since(cut) >= PATIENCE) {
            let arrived: usize = reports.iter().filter(|report| report.arrived).map(|report| report.size).sum();
            let drain = DRAIN.0 + (DRAIN.1 - DRAIN.0) * waited.min(1.0);
            self.ceiling = self.ceiling.min(arrived as f64 * 8.0 / seconds * drain);
            self.cut = Some(now);
        }
        self.ceiling = self.ceiling.clamp(bounds.0, bounds.1);
        self.ceiling
    }
}
