//! A publisher's camera: packets of H.264 (RFC 6184) in, whole pictures out.
//!
//! A picture that needs one that was lost is no use, so after a gap nothing is handed out up to the next key frame, which the publisher is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rtc::rtp::Packet;
use rtc::rtp::codec::h264::H264Packet;
use rtc::rtp::packetizer::Depacketizer as _;
use tokio::sync::mpsc;

use super::events::PeerEvents;

/// Packets that wait to be put together, about a second. When it is full, the newest is dropped, which is a gap.
const PACKETS: usize = 1024;
/// Packets that a missing one is waited for.
const REORDERED: usize = 32;
/// Longest picture, bytes. A key frame of 1920 × 1080 has a tenth.
const PICTURE: usize = 4 << 20;

/// The receiving end of a camera's queue, and what its publisher is to be asked for.
pub(super) struct Camera {
    packets: mpsc::Receiver<Packet>,
    needs: Arc<AtomicBool>,
}

/// The sending end.
pub(super) struct Lens {
    pub(super) payload: u8,
    packets: mpsc::Sender<Packet>,
    /// A key frame is needed.
    pub(super) needs: Arc<AtomicBool>,
}

/// The two ends of the queue of a camera whose packets have this payload type.
pub(super) fn open(payload: u8) -> (Lens, Camera) {
    let ((sender, packets), needs) = (mpsc::channel(PACKETS), Arc::new(AtomicBool::new(true)));
    (Lens { payload, packets: sender, needs: needs.clone() }, Camera { packets, needs })
}

impl Lens {
    pub(super) fn take(&self, packet: &Packet) {
        let _ = self.packets.try_send(packet.clone());
    }
}

/// Tells of a camera's pictures until the connection ends.
pub(super) async fn see(mut camera: Camera, events: Arc<dyn PeerEvents>) {
    let mut assembly = Assembly::default();
    while let Some(packet) = camera.packets.recv().await {
        assembly.push(packet, |picture| events.camera(picture));
        camera.needs.store(!assembly.whole, Relaxed);
    }
}

/// See the module's text.
#[derive(Default)]
struct Assembly {
    source: u32,
    /// Number of the packet that is next, counted on beyond 16 bits; none before the first.
    next: Option<u64>,
    early: BTreeMap<u64, Packet>,
    units: H264Packet,
    /// Bytes that `units` holds of a unit that has not ended.
    held: usize,
    picture: Vec<u8>,
    timestamp: u32,
    /// Something of `picture` is missing.
    torn: bool,
    /// Everything since a key frame has come, and could be taken.
    whole: bool,
}

impl Assembly {
    /// Takes a packet, and hands on what it completes: access units with start codes (H.264, annex B). `take` says whether it could.
    fn push(&mut self, packet: Packet, mut take: impl FnMut(&[u8]) -> bool) {
        if self.next.is_none() || self.source != packet.header.ssrc {
            let (source, next) = (packet.header.ssrc, Some(0x1_0000 + u64::from(packet.header.sequence_number)));
            *self = Self { source, next, ..Self::default() };
        }
        let Some(mut next) = self.next else { return };
        let ahead = packet.header.sequence_number.wrapping_sub(next as u16).cast_signed();
        if ahead < 0 {
            return;
        }
        self.early.insert(next + u64::from(ahead.unsigned_abs()), packet);
        loop {
            while let Some(packet) = self.early.remove(&next) {
                next += 1;
                self.read(&packet, &mut take);
            }
            if self.early.len() < REORDERED {
                break;
            }
            // What has not come by now will not.
            next = self.early.keys().next().copied().unwrap_or(next);
            self.lose();
        }
        self.next = Some(next);
    }

    fn lose(&mut self) {
        (self.units, self.held, self.torn, self.whole) = (H264Packet::default(), 0, true, false);
    }

    fn read(&mut self, packet: &Packet, take: &mut impl FnMut(&[u8]) -> bool) {
        // Empty packets only probe the path.
        let [indicator, rest @ ..] = &packet.payload[..] else { return };
        if packet.header.timestamp != self.timestamp {
            self.end(take);
            self.timestamp = packet.header.timestamp;
        }
        // A fragment that begins a unit ends one whose end was never sent (FU-A, section 5.8).
        if indicator & 31 == 28 && rest.first().is_some_and(|header| header & 128 != 0) {
            (self.units, self.held) = (H264Packet::default(), 0);
        }
        self.held += packet.payload.len();
        match self.units.depacketize(&packet.payload) {
            Ok(bytes) if self.held.max(self.picture.len() + bytes.len()) <= PICTURE => {
                if !bytes.is_empty() {
                    self.held = 0;
                }
                self.picture.extend_from_slice(&bytes);
            }
            _ => {
                self.picture.clear();
                self.lose();
            }
        }
        if packet.header.marker {
            self.end(take);
        }
    }

    /// The picture is over.
    fn end(&mut self, take: &mut impl FnMut(&[u8]) -> bool) {
        if !self.torn {
            self.whole |= is_key(&self.picture);
            if self.whole && !self.picture.is_empty() {
                self.whole = take(&self.picture);
            }
        }
        self.picture.clear();
        self.torn = false;
    }
}

/// Whether a picture can be decoded without any other: one of its units is a slice of an IDR picture.
fn is_key(picture: &[u8]) -> bool {
    picture.windows(4).any(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 31 == 5)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn packet(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Packet {
        let mut packet = Packet { payload: Bytes::copy_from_slice(payload), ..Packet::default() };
        (packet.header.sequence_number, packet.header.timestamp, packet.header.marker) = (sequence, timestamp, marker);
        packet
    }

    /// Pictures in two fragments each, every tenth a key frame, from a number that soon begins again.
    fn stream(pictures: u32) -> Vec<Packet> {
        let pair = |n: u32| {
            let kind = if n.is_multiple_of(10) { 5 } else { 1 };
            let at = 65_530_u16.wrapping_add(2 * n as u16);
            [
                packet(at, 3600 * n, false, &[28, 128 | kind, n as u8]),
                packet(at.wrapping_add(1), 3600 * n, true, &[28, 64 | kind, 7]),
            ]
        };
        (0..pictures).flat_map(pair).collect()
    }

    /// Numbers of the pictures that come out.
    fn seen(packets: impl IntoIterator<Item = Packet>) -> Vec<u8> {
        let (mut assembly, mut out) = (Assembly::default(), Vec::new());
        for packet in packets {
            assembly.push(packet, |picture| {
                assert_eq!((&picture[..4], picture.len()), (&[0, 0, 0, 1][..], 7), "{picture:?}");
                out.push(picture[5]);
                true
            });
        }
        out
    }

    #[test]
    fn pictures_are_put_together_whatever_order_their_packets_come_in() {
        let straight: Vec<u8> = (0..40).collect();
        assert_eq!(seen(stream(40)), straight);
        let mut crossed = stream(40);
        for n in (1..70).step_by(6) {
            crossed.swap(n, n + 3);
        }
        let twice = crossed.iter().flat_map(|packet| [packet.clone(), packet.clone()]);
        assert_eq!(seen(twice), straight);
    }

    #[test]
    fn after_a_gap_the_next_picture_is_a_key_frame_and_it_is_asked_for() {
        let mut packets = stream(60);
        packets.remove(27);
        let want: Vec<u8> = (0..13).chain(20..60).collect();
        assert_eq!(seen(packets), want);
        let mut assembly = Assembly::default();
        let mut late = stream(60).into_iter().skip(2);
        late.by_ref().take(18).for_each(|packet| assembly.push(packet, |_| panic!("no key frame has come")));
        assert!(!assembly.whole);
        late.by_ref().take(2).for_each(|packet| assembly.push(packet, |_| true));
        assert!(assembly.whole);
        late.by_ref().take(2).for_each(|packet| assembly.push(packet, |_| false));
        assert!(!assembly.whole, "what could not be taken is as good as lost");
    }

    #[test]
    fn a_unit_without_an_end_is_not_kept_for_ever() {
        let mut assembly = Assembly::default();
        for n in 0..20_000_u16 {
            assembly.push(packet(n, 0, false, &[&[28, 1][..], &[9; 1200]].concat()), |_| panic!("nothing ends"));
            assert!(assembly.held <= PICTURE && assembly.picture.len() <= PICTURE);
        }
    }

    proptest! {
        #[test]
        fn any_packets_are_survived(packets in prop::collection::vec(
            (any::<u16>(), 0..4_u32, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..200)
        ) {
            let mut assembly = Assembly::default();
            for (sequence, timestamp, marker, payload) in packets {
                assembly.push(packet(sequence % 64, timestamp, marker, &payload), |_| true);
            }
            prop_assert!(assembly.early.len() < REORDERED);
        }
    }
}
