//! What arrives from a peer and is authentic: its signs of life, and the packets of its microphone and its camera.
//!
//! The stack asks for a stream's number (SSRC) before it hands a packet out, and offers may leave it open, and clients change it. So the
//! microphone is heard here, after decryption and before the stack looks for whose packet it is: whatever has the payload type that was
//! agreed on is microphone. The same goes for the camera.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{Packet, Registry, TaggedPacket};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::shared::{TransportContext, TransportMessage};
use tokio::sync::mpsc;
use vultus_native::media::OpusPacket;

use super::camera::Lens;
use super::events::PeerEvents;
use super::layer::{self, Layer};

/// Packets of a microphone that wait to be decoded, more than a second. When it is full, the newest is dropped.
const MICROPHONE: usize = 128;

/// A key frame that a camera's publisher was asked for is waited for so long before it is asked again: a round trip, and the time that it takes to send.
const ASKED: Duration = Duration::from_millis(500);

/// When a peer was last heard of. Only what it must have sent itself counts: a check signed with the session's password, and RTP and RTCP
/// that could be decrypted. What a stranger sends from a forged address does not keep a call that is over.
pub(super) struct Life {
    last: Mutex<Instant>,
}

impl Life {
    pub(super) fn new(now: Instant) -> Life {
        Life { last: Mutex::new(now) }
    }

    /// Something authentic came.
    pub(super) fn sign(&self, now: Instant) {
        let mut last = self.last();
        *last = now.max(*last);
    }

    /// Waits until nothing has come for as long as `patience`.
    pub(super) async fn ends(&self, patience: Duration) {
        loop {
            let end = *self.last() + patience;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end.into()).await;
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One packet of a microphone.
pub(super) struct Arrival {
    source: u32,
    sequence: u16,
    timestamp: u32,
    data: Bytes,
}

/// The two ends of a microphone's queue.
pub(super) fn microphone_queue() -> (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>) {
    mpsc::channel(MICROPHONE)
}

/// Tells of a microphone's packets until the connection ends.
pub(super) async fn hear(mut packets: mpsc::Receiver<Arrival>, events: Arc<dyn PeerEvents>) {
    while let Some(Arrival { source, sequence, timestamp, data }) = packets.recv().await {
        events.microphone(&OpusPacket { source, sequence, timestamp, data: &data });
    }
}

/// Adds itself to the end of a peer's interceptors. `microphone` is the payload type to listen to, and where its packets go.
pub(super) fn listen(
    registry: Registry,
    life: Arc<Life>,
    microphone: Option<(u8, mpsc::Sender<Arrival>)>,
    camera: Option<Lens>,
) -> Registry {
    layer::with(registry, 15_000, Arrivals { life, microphone, camera, asked: None, asks: None })
}

struct Arrivals {
    life: Arc<Life>,
    microphone: Option<(u8, mpsc::Sender<Arrival>)>,
    camera: Option<Lens>,
    /// When the camera's publisher was asked for a key frame last, and what it is to be asked now.
    asked: Option<Instant>,
    asks: Option<TaggedPacket>,
}

impl Arrivals {
    /// A key frame is asked for whenever one is needed and something comes: what sends nothing would not hear.
    fn ask(&mut self, now: Instant, transport: TransportContext, source: u32) {
        let Some(lens) = &self.camera else { return };
        if lens.needs.load(Relaxed) && self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASKED) {
            self.asked = Some(now);
            let report = PictureLossIndication { sender_ssrc: 1, media_ssrc: source };
            self.asks = Some(TransportMessage { now, transport, message: Packet::Rtcp(vec![Box::new(report)]).into() });
        }
    }
}

impl Layer for Arrivals {
    fn arrives(&mut self, message: TaggedPacket) -> Option<TaggedPacket> {
        self.life.sign(message.now);
        let Packet::Rtp(packet) = &message.message.packet else { return Some(message) };
        let header = &packet.header;
        if let Some((_, queue)) = self.microphone.as_ref().filter(|(payload, _)| *payload == header.payload_type)
            // Empty packets only probe the path.
            && !packet.payload.is_empty()
        {
            let (source, sequence, timestamp) = (header.ssrc, header.sequence_number, header.timestamp);
            let _ = queue.try_send(Arrival { source, sequence, timestamp, data: packet.payload.clone() });
        }
        if let Some(lens) = self.camera.as_ref().filter(|lens| lens.payload == header.payload_type) {
            lens.take(packet);
            let source = header.ssrc;
            self.ask(message.now, message.transport, source);
        }
        // Media that nobody asked for ends here, so that the stack has no track of it to fill.
        None
    }

    fn answer(&mut self) -> Option<TaggedPacket> {
        self.asks.take()
    }
}

#[cfg(test)]
mod tests {
    use rtc::rtp;

    use super::*;

    fn packet(now: Instant, ssrc: u32, payload_type: u8, payload: &'static [u8]) -> TaggedPacket {
        let mut packet = rtp::Packet { payload: Bytes::from_static(payload), ..rtp::Packet::default() };
        (packet.header.ssrc, packet.header.payload_type) = (ssrc, payload_type);
        TransportMessage { now, transport: TransportContext::default(), message: Packet::Rtp(packet).into() }
    }

    #[test]
    fn a_camera_is_asked_for_a_key_frame_until_one_has_come() {
        let start = Instant::now();
        let (lens, _camera) = super::super::camera::open(96);
        let needs = Arc::clone(&lens.needs);
        let life = Arc::new(Life::new(start));
        let mut arrivals = Arrivals { life, microphone: None, camera: Some(lens), asked: None, asks: None };
        let mut asked = |at: u64, payload_type| {
            let now = start + Duration::from_millis(at);
            assert!(arrivals.arrives(packet(now, 9, payload_type, &[0x41])).is_none());
            arrivals.answer().is_some_and(|message| {
                let Packet::Rtcp(reports) = &message.message.packet else { panic!("a report") };
                reports[0].as_any().downcast_ref::<PictureLossIndication>().is_some_and(|it| it.media_ssrc == 9)
            })
        };
        assert!(!asked(0, 97), "that is no picture");
        assert!(asked(1, 96));
        assert!(!asked(300, 96), "it is on its way");
        assert!(asked(600, 96));
        needs.store(false, Relaxed);
        assert!(!asked(2000, 96));
    }

    #[test]
    fn the_microphone_is_what_has_its_payload_type() {
        let (start, (queue, mut packets)) = (Instant::now(), microphone_queue());
        let life = Arc::new(Life::new(start));
        let mut arrivals =
            Arrivals { life: life.clone(), microphone: Some((111, queue)), camera: None, asked: None, asks: None };
        let later = start + Duration::from_secs(7);
        for (ssrc, payload_type, payload) in
            [(1, 111, &[1][..]), (1, 111, &[]), (1, 96, &[2]), (2, 111, &[3]), (0, 111, &[4])]
        {
            assert!(arrivals.arrives(packet(later, ssrc, payload_type, payload)).is_none(), "media end here");
        }
        let heard: Vec<(u32, Bytes)> =
            std::iter::from_fn(|| packets.try_recv().ok()).map(|p| (p.source, p.data)).collect();
        let bytes = |byte| Bytes::from_static(byte);
        assert_eq!(heard, [(1, bytes(&[1])), (2, bytes(&[3])), (0, bytes(&[4]))]);
        assert_eq!(*life.last(), later);
        life.sign(start);
        assert_eq!(*life.last(), later, "time does not go back");
        for _ in 0..1000 {
            arrivals.arrives(packet(later, 1, 111, &[1]));
        }
        assert_eq!(packets.len(), MICROPHONE);
    }
}
