//! What a peer says about the pictures it gets: key frames it wants, and how much its path carries.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    BandwidthEstimator, CongestionControlBuilder, EstimatorStats, Gcc, Interceptor, Packet, PacketReport, Registry,
    Slot, StreamInfo, TaggedPacket, TwccSenderBuilder,
};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::PeerEvents;

/// The least and the most that is asked of an encoder, bits per second.
pub(super) const BITRATE: (u32, u32) = (150_000, 4_000_000);
/// Where the estimate starts, until the path has been heard from.
const START: u32 = 1_500_000;
/// Smaller changes of the estimate are kept back: an encoder gains nothing from them.
const NOTEWORTHY: f32 = 0.05;
/// Requests for a key frame that come sooner after the last one are dropped. A browser repeats what it still needs every 200 ms.
const PATIENCE: Duration = Duration::from_millis(150);

/// Adds both to the chain of a peer's interceptors. There is no pacer: it would hold a key frame back for longer than its burst does harm.
pub(super) fn listen(registry: Registry, events: &Arc<dyn PeerEvents>) -> Registry {
    let (lowest, highest) = BITRATE;
    let estimate = Estimate {
        gcc: Gcc::new(f64::from(START), f64::from(lowest), f64::from(highest)),
        told: START,
        events: events.clone(),
    };
    registry
        .with(Slot::CongestionControl, CongestionControlBuilder::new(estimate).build())
        .with(Slot::TwccSender, TwccSenderBuilder::new().build())
        .with(
            Slot::from(14_000),
            KeyFrames { events: events.clone(), last: None, read: VecDeque::new(), write: VecDeque::new() },
        )
}

/// Google's congestion control over the arrival times that the browser reports (transport-cc), told to the peer's owner as it moves.
struct Estimate {
    gcc: Gcc,
    told: u32,
    events: Arc<dyn PeerEvents>,
}

impl BandwidthEstimator for Estimate {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        self.gcc.on_reports(now, reports);
        let (target, told) = (self.gcc.target_bitrate() as u32, self.told);
        if target.abs_diff(told) as f32 > told as f32 * NOTEWORTHY {
            self.told = target;
            self.events.bitrate(target);
        }
    }

    fn target_bitrate(&self) -> f64 {
        self.gcc.target_bitrate()
    }

    fn stats(&self) -> EstimatorStats {
        self.gcc.stats()
    }
}

/// Hears PLI and FIR, which `webrtc` 0.21 keeps from the application, and passes everything on.
struct KeyFrames {
    events: Arc<dyn PeerEvents>,
    last: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyFrames {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let wanted = packets
                .iter()
                .map(|packet| packet.as_any())
                .any(|p| p.is::<PictureLossIndication>() || p.is::<FullIntraRequest>());
            if wanted && self.last.is_none_or(|last| message.now.saturating_duration_since(last) >= PATIENCE) {
                self.last = Some(message.now);
                self.events.key_frame_wanted();
            }
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for KeyFrames {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
