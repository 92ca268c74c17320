//! Which lost packets are sent again.
//!
//! The stack answers every entry of every NACK, so a peer that asks for everything again and again gets hundreds of times of what it sends, at the
//! cost of all. Here a packet goes again only if it was sent, after a pause, a few times, and within a share of what was sent anyway.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, Packet, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::shared::marshal::MarshalSize;

use super::layer::Layer;
use super::rate::Bucket;

/// Between two answers for the same packet: about a round trip. A browser that asks sooner has not seen the first one yet.
const PAUSE: Duration = Duration::from_millis(40);
/// How often a packet is sent again; browsers give up after ten.
const TIMES: u8 = 10;
/// Of the bytes that are sent, this share may go again. It repairs a loss of a fifth, at which the congestion estimate is far down.
const SHARE: f32 = 0.25;
/// What may go again at once, bytes: a fifth of a second at the highest bitrate.
const BURST: f32 = 100_000.0;
/// Packets that are remembered, as many as the stack keeps.
const KEPT: usize = 1024;

/// An interceptor that thins out NACKs before the stack's responder sees them, and counts what leaves.
pub(super) struct Repairs {
    streams: HashMap<u32, Vec<Sent>>,
    budget: Bucket,
}

#[derive(Clone, Default)]
struct Sent {
    sequence: u16,
    /// Bytes; none before anything was sent.
    size: usize,
    again: u8,
    last: Option<Instant>,
}

impl Repairs {
    pub(super) fn new() -> Repairs {
        Repairs { streams: HashMap::new(), budget: Bucket::new(BURST, 0.0) }
    }

    fn note(&mut self, source: u32, sequence: u16, size: usize) {
        if let Some(sent) = self.streams.get_mut(&source) {
            sent[usize::from(sequence) % KEPT] = Sent { sequence, size, again: 0, last: None };
            self.budget.add(size as f32 * SHARE);
        }
    }

    /// What of a request is granted, each packet once.
    fn grant(&mut self, now: Instant, nack: &TransportLayerNack) -> Vec<NackPair> {
        let Some(sent) = self.streams.get_mut(&nack.media_ssrc) else { return Vec::new() };
        let mut granted = Vec::new();
        for sequence in nack.nacks.iter().flat_map(|pair| pair.into_iter()) {
            let packet = &mut sent[usize::from(sequence) % KEPT];
            let due = packet.last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
            if packet.sequence != sequence || packet.size == 0 || packet.again >= TIMES || !due {
                continue;
            }
            if self.budget.take(now, packet.size as f32) {
                packet.again += 1;
                packet.last = Some(now);
                granted.push(NackPair { packet_id: sequence, lost_packets: 0 });
            }
        }
        granted
    }
}

impl Layer for Repairs {
    fn arrives(&mut self, mut message: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            for packet in packets.iter_mut() {
                let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() else { continue };
                let nacks = self.grant(message.now, nack);
                *packet = Box::new(TransportLayerNack { nacks, ..*nack });
            }
        }
        Some(message)
    }

    fn leaves(&mut self, message: &TaggedPacket) {
        if let Packet::Rtp(packet) = &message.message.packet
            && !message.message.attributes.iter().any(|attribute| matches!(attribute, Attribute::Retransmission))
        {
            self.note(packet.header.ssrc, packet.header.sequence_number, packet.marshal_size());
        }
    }

    fn sends(&mut self, source: u32, begins: bool) {
        if begins {
            self.streams.insert(source, vec![Sent::default(); KEPT]);
        } else {
            self.streams.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: u32 = 5;
    const SIZE: usize = 1200;

    /// After `count` packets, the first with number 0.
    fn repairs(count: u16) -> Repairs {
        let mut repairs = Repairs::new();
        repairs.sends(SOURCE, true);
        (0..count).for_each(|sequence| repairs.note(SOURCE, sequence, SIZE));
        repairs
    }

    fn ask(source: u32, nacks: Vec<NackPair>) -> TransportLayerNack {
        TransportLayerNack { sender_ssrc: 1, media_ssrc: source, nacks }
    }

    fn all(from: u16) -> NackPair {
        NackPair { packet_id: from, lost_packets: 0xffff }
    }

    #[test]
    fn what_was_lost_goes_again_once() {
        let (mut repairs, now) = (repairs(100), Instant::now());
        let granted = repairs.grant(now, &ask(SOURCE, vec![NackPair { packet_id: 7, lost_packets: 0b101 }]));
        assert_eq!(
            granted.iter().map(|pair| (pair.packet_id, pair.lost_packets)).collect::<Vec<_>>(),
            [(7, 0), (8, 0), (10, 0)]
        );
        assert!(
            repairs.grant(now, &ask(SOURCE, vec![all(7); 253])).len() == 17 - 3,
            "each once, and not the same again at once"
        );
        assert!(repairs.grant(now + PAUSE / 2, &ask(SOURCE, vec![all(7); 253])).is_empty());
        assert_eq!(
            repairs.grant(now + PAUSE, &ask(SOURCE, vec![all(7)])).len(),
            17,
            "the answer may have been lost as well"
        );
        assert!(repairs.grant(now, &ask(SOURCE, vec![all(200)])).is_empty(), "nothing of what was never sent");
        assert!(repairs.grant(now, &ask(SOURCE + 1, vec![all(20)])).is_empty(), "nor of another stream");
        for round in 2..100 {
            repairs.budget.add(BURST);
            let again = repairs.grant(now + PAUSE * round, &ask(SOURCE, vec![all(7)])).len();
            assert_eq!(again > 0, round < u32::from(TIMES), "{round}");
        }
    }

    #[test]
    fn a_flood_of_requests_gets_a_share_of_what_is_sent_anyway() {
        let (mut repairs, start) = (repairs(1000), Instant::now());
        let (mut again, mut sent) = (0, 0);
        for n in 0..10_000u32 {
            let now = start + Duration::from_millis(1) * n;
            // A tenth of a second with 10 packets.
            if n % 10 == 0 {
                sent += SIZE;
                repairs.note(SOURCE, (1000 + n / 10) as u16, SIZE);
            }
            let top = (1000 + n / 10) as u16;
            let nacks = (0..60).map(|back| all(top.wrapping_sub(17 * back))).collect();
            again += repairs.grant(now, &ask(SOURCE, nacks)).len() * SIZE;
        }
        assert!(again as f32 <= BURST + sent as f32 * SHARE + 1.0, "{again} of {sent}");
        assert!(again as f32 > sent as f32 * SHARE * 0.9);
    }

    #[test]
    fn a_loss_of_a_few_per_cent_is_repaired_wholly() {
        let (mut repairs, start, mut refused) = (repairs(0), Instant::now(), 0);
        for n in 0..5000u32 {
            repairs.note(SOURCE, n as u16, SIZE);
            if n % 20 == 0 {
                let nack = ask(SOURCE, vec![NackPair { packet_id: n as u16, lost_packets: 0 }]);
                refused += 1 - repairs.grant(start + Duration::from_millis(5) * n, &nack).len();
            }
        }
        assert_eq!(refused, 0);
    }
}
