//! From encoded units to one peer's RTP packets, with the bounded queues between the encoder and the network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use rtc::rtp::Packet;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::packetizer::Payloader;
use tokio::sync::mpsc;
use vultus_native::stream::live::{VideoUnit, VoiceUnit};
use webrtc::media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP};

use super::events::PeerEvents;

/// Pictures waiting for the network, a third of a second. When it is full, pictures are dropped up to the next key frame.
const PICTURES: usize = 8;
/// Voice packets waiting for the network, one second. When it is full, the newest is dropped.
const VOICE: usize = 50;
/// After so many dropped pictures the key frame is asked for again.
const ASK_AGAIN: u32 = 25;
/// Pictures whose departure is watched for; of more than these nobody is told.
const MARKS: usize = 16;
/// Payload bytes of a packet. With the headers of RTP, its extensions, RTX and SRTP it stays below the 1200 bytes that every path carries.
const PAYLOAD: usize = 1150;
/// The playout delay extension's "at once": no least and no most delay.
const PLAYOUT_AT_ONCE: Bytes = Bytes::from_static(&[0, 0, 0]);

/// The writing end of a peer's picture queue.
pub(super) struct Pictures {
    queue: mpsc::Sender<VideoUnit>,
    gate: Mutex<Gate>,
}

#[derive(Default)]
struct Gate {
    /// A picture is missing, and what refers to it would decode to rubbish.
    broken: bool,
    dropped: u32,
}

impl Pictures {
    pub(super) fn new() -> (Pictures, mpsc::Receiver<VideoUnit>) {
        let (queue, receiver) = mpsc::channel(PICTURES);
        (Pictures { queue, gate: Mutex::new(Gate { broken: true, dropped: 0 }) }, receiver)
    }

    /// Queues a picture or drops it. True when a key frame should be asked for.
    #[must_use]
    pub(super) fn push(&self, unit: VideoUnit) -> bool {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.broken && !unit.key {
            gate.dropped += 1;
            return gate.dropped.is_multiple_of(ASK_AGAIN);
        }
        gate.broken = self.queue.try_send(unit).is_err();
        gate.dropped = 0;
        gate.broken
    }
}

/// The two ends of a peer's voice queue.
pub(super) fn voice_queue() -> (mpsc::Sender<VoiceUnit>, mpsc::Receiver<VoiceUnit>) {
    mpsc::channel(VOICE)
}

/// One negotiated track that we send on.
pub(super) struct Outgoing {
    pub(super) track: Arc<TrackLocalStaticRTP>,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    /// The number that was negotiated for the playout delay extension.
    pub(super) playout_delay: Option<u8>,
}

impl Outgoing {
    async fn write(
        &self,
        sequence: &mut u16,
        timestamp: u32,
        marker: bool,
        payload: Bytes,
    ) -> Result<(), rtc::shared::error::Error> {
        let mut packet = Packet { payload, ..Packet::default() };
        let header = &mut packet.header;
        // The default header has version 0, which nobody accepts.
        header.version = 2;
        header.marker = marker;
        header.payload_type = self.payload_type;
        header.sequence_number = *sequence;
        header.timestamp = timestamp;
        header.ssrc = self.ssrc;
        if let Some(id) = self.playout_delay {
            header.set_extension(id, PLAYOUT_AT_ONCE)?;
        }
        *sequence = sequence.wrapping_add(1);
        self.track.write_rtp(packet).await
    }
}

/// Sends pictures until the queue or the connection ends: in packets of any kind (packetization mode 1), or one unit in each (mode 0).
pub(super) async fn send_pictures(
    out: Outgoing,
    mut queue: mpsc::Receiver<VideoUnit>,
    marks: Arc<Marks>,
    short_units: bool,
) {
    let (mut payloader, mut sequence) = (H264Payloader::default(), rand::random());
    while let Some(unit) = queue.recv().await {
        // 48 kHz to 90 kHz.
        let timestamp = (unit.clock * 15 / 8) as u32;
        let payloads = if short_units { single_units(&unit.data) } else { payloader.payload(PAYLOAD, &unit.data).ok() };
        // Pictures with a unit that is too long come until the encoder has heard of this peer, and then a key frame.
        let Some(payloads) = payloads else { continue };
        marks.expect(timestamp, unit.heard);
        let last = payloads.len().saturating_sub(1);
        for (at, payload) in payloads.into_iter().enumerate() {
            if out.write(&mut sequence, timestamp, at == last, payload).await.is_err() {
                return;
            }
        }
    }
}

/// The units of a picture (H.264, annex B), or nothing if one does not fit into a packet.
fn single_units(data: &Bytes) -> Option<Vec<Bytes>> {
    let mut units = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while at <= data.len() {
        let ends = at == data.len() || data[at..].starts_with(&[0, 0, 1]);
        if let Some(from) = begin.filter(|_| ends) {
            // The zero that makes a start code longer, and those that may follow a unit, belong to none (B.1).
            let length = data[from..at].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if length > PAYLOAD {
                return None;
            }
            if length > 0 {
                units.push(data.slice(from..from + length));
            }
        }
        if ends {
            at += 3;
            begin = Some(at);
        } else {
            at += 1;
        }
    }
    Some(units)
}

/// Sends voice until the queue or the connection ends.
pub(super) async fn send_voice(out: Outgoing, mut queue: mpsc::Receiver<VoiceUnit>) {
    let mut sequence = rand::random();
    while let Some(unit) = queue.recv().await {
        if out.write(&mut sequence, unit.clock as u32, false, unit.data).await.is_err() {
            return;
        }
    }
}

/// Watches the socket for the last packets of pictures, to tell when each has left.
pub(super) struct Marks {
    ssrc: u32,
    waiting: Mutex<VecDeque<(u32, Instant)>>,
    events: Arc<dyn PeerEvents>,
}

impl Marks {
    pub(super) fn new(ssrc: u32, events: Arc<dyn PeerEvents>) -> Arc<Marks> {
        Arc::new(Marks { ssrc, waiting: Mutex::default(), events })
    }

    fn expect(&self, timestamp: u32, heard: Instant) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MARKS {
            waiting.pop_front();
        }
        waiting.push_back((timestamp, heard));
    }

    /// Reads the header of a datagram, which SRTP leaves in the clear.
    pub(super) fn departed(&self, datagram: &[u8]) {
        let word = |at: usize| datagram.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
        let marked = datagram.first().is_some_and(|first| first >> 6 == 2)
            && datagram.get(1).is_some_and(|second| second & 0x80 != 0);
        if !marked || word(8) != Some(self.ssrc) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A packet that is sent again finds its mark gone.
        let Some(at) = waiting.iter().position(|(timestamp, _)| Some(*timestamp) == word(4)) else { return };
        let heard = waiting.drain(..=at).next_back();
        drop(waiting);
        if let Some((_, heard)) = heard {
            self.events.sent(heard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(key: bool) -> VideoUnit {
        VideoUnit { data: Bytes::new(), key, clock: 0, heard: Instant::now(), encoded: Instant::now() }
    }

    #[test]
    fn pictures_are_dropped_up_to_a_key_frame() {
        let (pictures, mut queue) = Pictures::new();
        assert!(
            !pictures.push(unit(false)),
            "nothing can be decoded before the first key frame, which was asked for at the join"
        );
        assert!(!pictures.push(unit(true)));
        for _ in 1..PICTURES {
            assert!(!pictures.push(unit(false)));
        }
        assert!(pictures.push(unit(false)), "a full queue asks for a key frame");
        assert!(queue.try_recv().is_ok());
        assert!(!pictures.push(unit(false)), "there is room, but a picture is missing");
        let again = (0..ASK_AGAIN).filter(|_| pictures.push(unit(false))).count();
        assert_eq!(again, 1, "it asks again when no key frame comes");
        assert!(!pictures.push(unit(true)));
        assert_eq!(queue.len(), PICTURES);
        assert!(pictures.push(unit(true)), "even a key frame has to wait for room");
    }

    #[test]
    fn a_unit_a_packet() {
        let long = [&[0, 0, 1, 0x65][..], &[7; PAYLOAD - 1]].concat();
        let data = [&[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0][..], &long].concat();
        let units = single_units(&data.into()).unwrap();
        assert_eq!(units.iter().map(|unit| unit[..].len()).collect::<Vec<_>>(), [3, 2, PAYLOAD]);
        assert!(units[0] == [0x67, 1, 2][..] && units[1] == [0x68, 3][..] && units[2][..] == long[3..]);
        assert!(single_units(&[&long[..], &[7]].concat().into()).is_none());
        assert_eq!(single_units(&Bytes::from_static(&[1, 2, 3])), Some(Vec::new()));
        assert_eq!(single_units(&Bytes::new()), Some(Vec::new()));
        assert_eq!(single_units(&Bytes::from_static(&[0, 0, 1])), Some(Vec::new()));
    }
}
