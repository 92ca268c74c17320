//! What a peer says about the pictures it gets: key frames it wants, packets it misses, and how much its path carries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    BandwidthEstimator, CongestionControlBuilder, EstimatorStats, Gcc, Packet, PacketReport, Registry, Slot,
    TaggedPacket, TwccSenderBuilder,
};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;

use super::events::PeerEvents;
use super::layer::{self, Layer};
use super::queue::Queue;
use super::rate::Bucket;
use super::repair::Repairs;
use super::reports::Reports;

/// The least and the most that is asked of an encoder, bits per second.
pub(super) const BITRATE: (u32, u32) = (150_000, 4_000_000);
/// Where the estimate starts, until the path has been heard from.
const START: u32 = 1_500_000;
/// Smaller changes of the estimate are kept back: an encoder gains nothing from them.
const NOTEWORTHY: f32 = 0.05;
/// Reports are weighed together over this time. A browser reports every few packets, and of eight packets one lost at random looks like
/// congestion: the estimate would sink without end at a few per cent of loss, which a path may well have.
const BATCH: Duration = Duration::from_millis(200);
/// What the first reports say is of the connection's beginning (a key frame in a burst, no rate to speak of yet) and not of the path.
const SETTLING: Duration = Duration::from_secs(1);
/// Requests for a key frame that come sooner after the last one are dropped. A browser repeats what it still needs every 200 ms.
const PATIENCE: Duration = Duration::from_millis(150);
/// Key frames that one peer gets at once, and a second over time: each costs everybody who watches a part of the bitrate.
const KEY_FRAMES: (f32, f32) = (5.0, 1.0);

/// Adds all of it to the chain of a peer's interceptors. There is no pacer: it would hold a key frame back for longer than its burst does harm.
pub(super) fn listen(registry: Registry, events: &Arc<dyn PeerEvents>) -> Registry {
    let estimate = Estimate::new(events.clone());
    let registry = layer::with(registry, 500, Reports::new())
        .with(Slot::CongestionControl, CongestionControlBuilder::new(estimate).build())
        .with(Slot::TwccSender, TwccSenderBuilder::new().build());
    layer::with(layer::with(registry, 3_500, Repairs::new()), 14_000, KeyFrames::new(events.clone()))
}

/// The least of what Google's congestion control and the path's queue allow, by the arrival times that the browser reports (transport-cc).
/// Told to the peer's owner as it moves.
struct Estimate {
    gcc: Gcc,
    queue: Queue,
    target: f64,
    told: u32,
    began: Option<Instant>,
    weighed: Option<Instant>,
    batch: Vec<PacketReport>,
    events: Arc<dyn PeerEvents>,
}

impl Estimate {
    fn new(events: Arc<dyn PeerEvents>) -> Estimate {
        let gcc = Gcc::new(f64::from(START), f64::from(BITRATE.0), f64::from(BITRATE.1));
        let target = f64::from(START);
        Estimate {
            gcc,
            queue: Queue::new(target),
            target,
            told: START,
            began: None,
            weighed: None,
            batch: Vec::new(),
            events,
        }
    }
}

impl BandwidthEstimator for Estimate {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        if now.saturating_duration_since(*self.began.get_or_insert(now)) < SETTLING {
            return;
        }
        self.batch.extend_from_slice(reports);
        let elapsed = now.saturating_duration_since(*self.weighed.get_or_insert(now));
        if elapsed < BATCH {
            return;
        }
        self.weighed = Some(now);
        self.gcc.on_reports(now, &self.batch);
        let bounds = (f64::from(BITRATE.0), f64::from(BITRATE.1));
        self.target = self.gcc.target_bitrate().min(self.queue.weigh(now, elapsed, &self.batch, bounds));
        self.batch.clear();
        let target = self.target as u32;
        if target.abs_diff(self.told) as f32 > self.told as f32 * NOTEWORTHY {
            self.told = target;
            self.events.bitrate(target);
        }
    }

    fn target_bitrate(&self) -> f64 {
        self.target
    }

    fn stats(&self) -> EstimatorStats {
        self.gcc.stats()
    }
}

/// Hears PLI and FIR, which `webrtc` 0.21 keeps from the application, and passes everything on.
struct KeyFrames {
    events: Arc<dyn PeerEvents>,
    last: Option<Instant>,
    bucket: Bucket,
}

impl KeyFrames {
    fn new(events: Arc<dyn PeerEvents>) -> KeyFrames {
        let bucket = Bucket::new(KEY_FRAMES.0, KEY_FRAMES.1);
        KeyFrames { events, last: None, bucket }
    }

    /// Whether a request that comes now is granted.
    fn granted(&mut self, now: Instant) -> bool {
        let granted =
            self.last.is_none_or(|last| now.saturating_duration_since(last) >= PATIENCE) && self.bucket.take(now, 1.0);
        if granted {
            self.last = Some(now);
        }
        granted
    }
}

impl Layer for KeyFrames {
    fn arrives(&mut self, message: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let wanted = packets
                .iter()
                .map(|packet| packet.as_any())
                .any(|p| p.is::<PictureLossIndication>() || p.is::<FullIntraRequest>());
            if wanted && self.granted(message.now) {
                self.events.key_frame_wanted();
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<u32>>);

    impl PeerEvents for Told {
        fn microphone(&self, _: &vultus_native::media::OpusPacket<'_>) {}
        fn camera(&self, _: &[u8]) -> bool {
            true
        }
        fn key_frame_wanted(&self) {}
        fn bitrate(&self, bits_per_second: u32) {
            self.0.lock().unwrap().push(bits_per_second);
        }
        fn connected(&self) {}
        fn closed(&self, _: &str) {}
        fn sent(&self, _: Instant) {}
    }

    /// What is told over a minute in which what is told is sent, on a path that carries `capacity` bits per second with a queue before it, and
    /// loses `loss` per cent at random. With it, the longest time that a packet had to wait in the queue, after the first ten seconds.
    fn minute(capacity: f64, loss: u64) -> (Vec<u32>, f64) {
        let told = Arc::new(Told::default());
        let (mut estimate, start, mut dice) = (Estimate::new(told.clone()), Instant::now(), 1_u64);
        let (mut now, mut free, mut number, mut longest) = (0.0, 0.0_f64, 0, 0.0_f64);
        while now < 60.0 {
            let mut reports = Vec::new();
            for _ in 0..8 {
                now += 1170.0 * 8.0 / f64::from(estimate.told);
                free = free.max(now) + 1170.0 * 8.0 / capacity;
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let arrived = (dice >> 33) % 100 >= loss;
                if now > 10.0 {
                    longest = longest.max(free - now);
                }
                number += 1;
                reports.push(PacketReport {
                    ssrc: 1,
                    id: number,
                    rtp_sequence_number: number as u16,
                    is_twcc: true,
                    twcc_sequence_number: number as u16,
                    size: 1170,
                    arrived,
                    departure: start + Duration::from_secs_f64(now),
                    arrival: arrived.then(|| Duration::from_secs_f64(1000.0 + free)),
                    ecn: Default::default(),
                });
            }
            estimate.on_reports(start + Duration::from_secs_f64(free.max(now) + 0.02), &reports);
        }
        (told.0.lock().unwrap().clone(), longest)
    }

    #[test]
    fn the_estimate_follows_the_path() {
        let (good, _) = minute(1e8, 0);
        assert!(*good.last().unwrap() > BITRATE.1 / 10 * 9, "a good path carries the most: {good:?}");
        let (some, _) = minute(1e8, 5);
        assert!(some.iter().all(|rate| *rate >= START / 2), "a little loss is no congestion: {some:?}");
        let (much, _) = minute(1e8, 30);
        assert!(*much.last().unwrap() < START / 4, "much loss is: {much:?}");
        for capacity in [400_000.0, 1_000_000.0, 2_500_000.0] {
            let (narrow, longest) = minute(capacity, 0);
            let mean = narrow[narrow.len() / 2..].iter().map(|rate| f64::from(*rate)).sum::<f64>()
                / (narrow.len() - narrow.len() / 2) as f64;
            assert!(mean > capacity * 0.6 && mean < capacity * 1.1, "{capacity}: {mean} {narrow:?}");
            assert!(longest < 0.4, "the queue of {capacity} grew to {longest} s: {narrow:?}");
        }
        let (none, _) = minute(50_000.0, 60);
        assert!(none.iter().all(|rate| (BITRATE.0..=BITRATE.1).contains(rate)), "{none:?}");
    }

    #[test]
    fn key_frames_are_given_out_at_a_measure() {
        let (mut frames, start) = (KeyFrames::new(Arc::new(Told::default())), Instant::now());
        let given = (0..10_000).filter(|n| frames.granted(start + Duration::from_millis(*n))).count();
        assert!((10..=15).contains(&given), "{given} in ten seconds of asking");
        // One that asks for its second loss soon after its first.
        let later = start + Duration::from_secs(20);
        assert!(frames.granted(later) && !frames.granted(later + PATIENCE / 2) && frames.granted(later + PATIENCE));
    }
}
