//! How often something may happen.

use std::time::Instant;

/// A token bucket: so much at once, so much a second over time. Time is an argument.
#[derive(Debug)]
pub(crate) struct Bucket {
    level: f32,
    most: f32,
    per_second: f32,
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(most: f32, per_second: f32) -> Bucket {
        Bucket { level: most, most, per_second, at: None }
    }

    /// Takes `cost`, if there is as much. An empty bucket costs nobody anything: what is refused is not counted.
    pub(crate) fn take(&mut self, now: Instant, cost: f32) -> bool {
        let last = self.at.unwrap_or(now);
        self.at = Some(last.max(now));
        let passed = now.saturating_duration_since(last);
        self.level = (self.level + passed.as_secs_f32() * self.per_second).min(self.most);
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }

    /// Takes more than may be there: what is missing has to come in before anything else is given out.
    pub(crate) fn owe(&mut self, cost: f32) {
        self.level -= cost;
    }

    /// Gives something back, up to what the bucket holds.
    pub(crate) fn add(&mut self, amount: f32) {
        self.level = (self.level + amount).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bursts_and_rates_are_kept_to() {
        let (mut bucket, start) = (Bucket::new(10.0, 5.0), Instant::now());
        let taken = |bucket: &mut Bucket, now| (0..1000).filter(|_| bucket.take(now, 1.0)).count();
        assert_eq!(taken(&mut bucket, start), 10);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1)), 5);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(100)), 10);
        assert_eq!(taken(&mut bucket, start), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(100)), 0, "a clock that goes back fills nothing");
        bucket.add(100.0);
        assert_eq!(taken(&mut bucket, start), 10);
        bucket.owe(10.0);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(102)), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(103)), 5);
    }

    #[test]
    fn small_steps_of_time_are_not_lost() {
        let (mut bucket, start) = (Bucket::new(10.0, 5.0), Instant::now());
        let taken = (0..100_000).filter(|n| bucket.take(start + Duration::from_micros(n * 50), 1.0)).count();
        assert!((33..=36).contains(&taken), "{taken} in five seconds");
    }
}
