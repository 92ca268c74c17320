//! Which of a peer's reports (RTCP) are listened to, and how many.
//!
//! What a peer signs may still be nonsense. A transport-wide report of thirty bytes can speak of a hundred thousand packets, for each of which the
//! stack makes an entry; kinds that were never negotiated are understood by it all the same.

use std::time::Instant;

use rtc::interceptor::{Packet, TaggedPacket};
use rtc::rtcp::Packet as Report;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, TransportLayerCc};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::layer::Layer;
use super::rate::Bucket;

/// Packets that one transport-wide report may speak of: some seconds of what is sent at most.
const PACKETS: usize = 4096;
/// Reports at once and a second. Browsers send one every 50 to 100 ms, and one for each loss that they see.
const REPORTS: (f32, f32) = (200.0, 100.0);
/// A transport-wide report costs one more for so many packets that it speaks of.
const WEIGHT: f32 = 64.0;

/// An interceptor that lets through what browsers send and the stack needs.
pub(super) struct Reports {
    bucket: Bucket,
}

impl Reports {
    pub(super) fn new() -> Reports {
        Reports { bucket: Bucket::new(REPORTS.0, REPORTS.1) }
    }

    /// Strikes out what is not listened to. False if nothing is left.
    fn keep(&mut self, now: Instant, reports: &mut Vec<Box<dyn Report>>) -> bool {
        reports.retain(|report| match weight(report.as_ref()) {
            Some(weight) => self.bucket.take(now, weight),
            None => false,
        });
        !reports.is_empty()
    }
}

/// What a report costs, if it is one that we listen to.
fn weight(report: &dyn Report) -> Option<f32> {
    let report = report.as_any();
    if let Some(report) = report.downcast_ref::<TransportLayerCc>() {
        let packets: usize = report.packet_chunks.iter().map(packets).sum();
        return (packets <= PACKETS).then_some(1.0 + packets as f32 / WEIGHT);
    }
    let known = report.is::<ReceiverReport>()
        || report.is::<SenderReport>()
        || report.is::<TransportLayerNack>()
        || report.is::<PictureLossIndication>()
        || report.is::<FullIntraRequest>();
    known.then_some(1.0)
}

fn packets(chunk: &PacketStatusChunk) -> usize {
    match chunk {
        PacketStatusChunk::RunLengthChunk(run) => usize::from(run.run_length),
        PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.len(),
    }
}

impl Layer for Reports {
    fn arrives(&mut self, mut message: TaggedPacket) -> Option<TaggedPacket> {
        let now = message.now;
        let nothing_left = match &mut message.message.packet {
            Packet::Rtcp(reports) => !self.keep(now, reports),
            _ => false,
        };
        (!nothing_left).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtc::rtcp::goodbye::Goodbye;
    use rtc::rtcp::transport_feedbacks::cc_feedback_report::CcFeedbackReport;
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{RunLengthChunk, StatusVectorChunk, SymbolTypeTcc};

    use super::*;

    fn runs(lengths: &[u16]) -> Box<dyn Report> {
        let chunk = |length: &u16| {
            PacketStatusChunk::RunLengthChunk(RunLengthChunk { run_length: *length, ..RunLengthChunk::default() })
        };
        Box::new(TransportLayerCc { packet_chunks: lengths.iter().map(chunk).collect(), ..TransportLayerCc::default() })
    }

    #[test]
    fn what_browsers_send_is_kept_and_nothing_else() {
        let (mut reports, now) = (Reports::new(), Instant::now());
        let vector =
            StatusVectorChunk { symbol_list: vec![SymbolTypeTcc::PacketReceivedSmallDelta; 14], ..Default::default() };
        let report = TransportLayerCc {
            packet_chunks: vec![PacketStatusChunk::StatusVectorChunk(vector)],
            ..Default::default()
        };
        let mut list: Vec<Box<dyn Report>> = vec![
            Box::new(ReceiverReport::default()),
            Box::new(CcFeedbackReport::default()),
            Box::new(PictureLossIndication::default()),
            Box::new(report),
            runs(&[8191; 8]),
            Box::new(Goodbye::default()),
        ];
        assert!(reports.keep(now, &mut list));
        assert_eq!(list.len(), 3);
        assert!(list[2].as_any().is::<TransportLayerCc>());
        assert!(!reports.keep(now, &mut vec![runs(&[8191; 2])]), "an empty list means something else to the stack");
    }

    #[test]
    fn floods_of_reports_are_heard_at_a_measure() {
        let (mut reports, start) = (Reports::new(), Instant::now());
        let (mut kept, mut spoken_of) = (0, 0);
        for n in 0..20_000u32 {
            let mut list = vec![runs(&[2000]), Box::new(PictureLossIndication::default()) as Box<dyn Report>];
            reports.keep(start + Duration::from_micros(500) * n, &mut list);
            kept += list.len();
            spoken_of += list.iter().filter(|report| report.as_any().is::<TransportLayerCc>()).count() * 2000;
        }
        assert!(kept <= 1200, "{kept} in ten seconds");
        assert!(spoken_of < 100_000, "{spoken_of}");
        let (mut reports, mut kept) = (Reports::new(), 0);
        for n in 0..200u32 {
            kept += usize::from(reports.keep(start + Duration::from_millis(50) * n, &mut vec![runs(&[25, 3])]));
        }
        assert_eq!(kept, 200, "a browser's pace");
    }
}
