//! What of the datagrams that come from a peer's own address may reach its stack.
//!
//! A source address can be forged, so what comes from there is the peer's only if it is signed: binding requests with its ICE password, which the
//! mux has checked; answers to such requests, DTLS and SRTP, whose signatures the stack checks. Everything else that the stack would believe is
//! kept from it, and so is whatever would make it hold state for nothing, before it looks at any signature. A peer itself may be
//! hostile too: what it may send a second is far above what a microphone needs and far below what others would notice.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::time::Instant;

use super::dtls::{self, Stage};
use super::rate::Bucket;
use super::stun;

/// The shortest datagram with signed media: a header and the shortest tag, bytes.
const MEDIA: usize = 16;
/// Sources that are known at a time. A browser has two or three, and a new one whenever its microphone is chosen anew.
const SOURCES: usize = 64;

/// Handshake messages that are remembered to know one that comes again. A handshake has less than ten.
const MESSAGES: usize = 32;

/// One of these for each peer.
pub(super) struct Gate {
    stage: Stage,
    /// Where the handshake ended.
    connected: Option<SocketAddr>,
    /// Hashes of the handshake messages that went on, the oldest first.
    messages: VecDeque<u64>,
    hasher: RandomState,
    checks: Bucket,
    answers: Bucket,
    bindings: Bucket,
    records: Bucket,
    media: Bucket,
    new_sources: Bucket,
    /// The oldest first, by their last datagram.
    sources: Vec<u32>,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate {
            stage: Stage::Open { asked: false },
            connected: None,
            messages: VecDeque::new(),
            hasher: RandomState::new(),
            // A browser checks its candidate pairs every 50 ms, later every second or less.
            checks: Bucket::new(100.0, 50.0),
            // The stack asks back when it is asked by an address that it does not use yet.
            answers: Bucket::new(100.0, 10.0),
            // A browser moves between a few networks. The stack remembers each address for as long as it lives.
            bindings: Bucket::new(16.0, 0.2),
            // A handshake has ten records or twenty, and each flight that was lost comes again.
            records: Bucket::new(64.0, 16.0),
            // Opus has at most 400 packets a second, browsers send 50 or 100, and reports come now and then.
            media: Bucket::new(2000.0, 1000.0),
            // SRTP remembers each source before it knows whether it is true.
            new_sources: Bucket::new(16.0, 0.2),
            sources: Vec::new(),
        }
    }

    /// Sees a datagram that leaves for the peer. True when there is no need to see more.
    pub(super) fn depart(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.stage = self.stage.after(datagram);
        if self.stage == Stage::Done {
            self.connected.get_or_insert(to);
        }
        self.connected.is_some()
    }

    /// Whether one more binding request, whose signature is good, may be answered.
    pub(super) fn check(&mut self, now: Instant) -> bool {
        self.checks.take(now, 1.0)
    }

    /// Whether the peer may have one more address.
    pub(super) fn bind(&mut self, now: Instant) -> bool {
        self.bindings.take(now, 1.0)
    }

    /// What of a datagram that is no binding request may go on, and from where the stack shall believe it to be.
    pub(super) fn admit<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<(SocketAddr, Cow<'a, [u8]>)> {
        // RFC 7983, section 7.
        match datagram.first()? {
            0..=3 if stun::answers(datagram) => self.answers.take(now, 1.0).then_some((from, Cow::Borrowed(datagram))),
            20..=63 => {
                let mut fresh = Vec::new();
                let is_new = |message: &[u8]| {
                    let hash = self.hasher.hash_one(message);
                    let is_new = !self.messages.contains(&hash) && !fresh.contains(&hash);
                    if is_new {
                        fresh.push(hash);
                    }
                    is_new
                };
                let (records, count) = dtls::admissible(datagram, self.stage, is_new)?;
                // The stack has one connection an address. A browser that moved goes on with the one that it has.
                let from = self.connected.unwrap_or(from);
                if !self.records.take(now, count as f32) {
                    // Nothing of it went on, so all of it may come again.
                    return None;
                }
                self.messages.extend(fresh);
                self.messages.drain(..self.messages.len().saturating_sub(MESSAGES));
                Some((from, records))
            }
            128..=191 if !matches!(self.stage, Stage::Open { .. }) && datagram.len() >= MEDIA => {
                let source = source(datagram)?;
                (self.knows(now, source) && self.media.take(now, 1.0)).then_some((from, Cow::Borrowed(datagram)))
            }
            _ => None,
        }
    }

    fn knows(&mut self, now: Instant, source: u32) -> bool {
        if self.sources.last() == Some(&source) {
            return true;
        }
        match self.sources.iter().position(|known| *known == source) {
            Some(at) => {
                self.sources.remove(at);
            }
            None if !self.new_sources.take(now, 1.0) => return false,
            None if self.sources.len() == SOURCES => {
                self.sources.remove(0);
            }
            None => {}
        }
        self.sources.push(source);
        true
    }
}

/// Who sent a packet of RTP or RTCP (told apart by RFC 5761, section 4), which is in the clear.
fn source(datagram: &[u8]) -> Option<u32> {
    let at = if (192..=223).contains(datagram.get(1)?) { 4 } else { 8 };
    Some(u32::from_be_bytes(datagram.get(at..at + 4)?.try_into().ok()?))
}

/// What is read of a datagram before the stack sees it: whether it is a check that names a session, whether it ends one, and how many of its
/// records are let through while a handshake is open and when it is done.
pub(crate) fn first_look(datagram: &[u8]) -> (bool, bool, [Option<usize>; 2]) {
    let records = |stage| dtls::admissible(datagram, stage, |_| true).map(|(_, count)| count);
    let stages = [Stage::Open { asked: false }, Stage::Done];
    (stun::request(datagram).is_some(), dtls::ends(datagram), stages.map(records))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::dtls::tests::{fragment, record};
    use super::*;

    fn media(source: u32) -> Vec<u8> {
        [&[0x80, 111, 0, 1, 0, 0, 0, 1][..], &source.to_be_bytes(), &[0; 40]].concat()
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn finished() -> Vec<u8> {
        record(22, 1, &[7; 40])
    }

    fn connected() -> Gate {
        let mut gate = Gate::new();
        assert!(gate.depart(address(1), &finished()));
        gate
    }

    #[test]
    fn nothing_unsigned_passes() {
        let (mut gate, now) = (connected(), Instant::now());
        // Questions without a signature, indications, errors, TURN, ZRTP, QUIC, and what is no protocol at all.
        let stun = |first, second| [&[first, second, 0, 40, 0x21, 0x12, 0xa4, 0x42][..], &[7; 52]].concat();
        for first in (0..20).chain(64..128).chain(192..=255) {
            for second in [0, 1, 3, 0x11] {
                if (first, second) != (1, 1) {
                    assert!(gate.admit(now, address(1), &stun(first, second)).is_none(), "{first}");
                }
            }
        }
        let answers = (0..1000).filter(|_| gate.admit(now, address(1), &stun(1, 1)).is_some()).count();
        assert!((50..=100).contains(&answers), "the stack looks at the signature of {answers} answers");
        assert!(gate.admit(now, address(1), &[]).is_none());
        assert!(gate.admit(now, address(1), &media(1)[..15]).is_none());
        assert!(gate.admit(now, address(1), &record(20, 0, &[1])).is_none());
        assert!(gate.admit(now, address(1), &media(1)).is_some());
    }

    #[test]
    fn media_has_no_meaning_before_there_are_keys() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        assert!(gate.admit(now, address(1), &media(1)).is_none());
        assert!(!gate.depart(address(1), &record(22, 0, &fragment(2, 100, 0, 100, 100))));
        assert!(gate.admit(now, address(1), &media(1)).is_none());
        assert!(gate.depart(address(1), &finished()));
        assert!(gate.admit(now, address(1), &media(1)).is_some());
        // Where it was us who opened the handshake, the peer's last word is still to come when we have keys.
        let mut gate = Gate::new();
        assert!(!gate.depart(address(1), &record(22, 0, &fragment(1, 100, 0, 100, 100))));
        assert!(!gate.depart(address(1), &finished()));
        assert!(gate.admit(now, address(1), &media(1)).is_some());
        assert!(gate.admit(now, address(1), &record(20, 0, &[1])).is_some());
        assert!(gate.depart(address(1), &media(2)));
        assert!(gate.admit(now, address(1), &record(20, 0, &[1])).is_none());
    }

    /// A message with this number.
    fn message(number: u8) -> Vec<u8> {
        let mut message = fragment(1, 100, 0, 100, 100);
        message[5] = number;
        record(22, 0, &message)
    }

    #[test]
    fn a_message_that_comes_again_stops_no_timer() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        let mut passed = |datagram: &[u8]| gate.admit(now, address(1), datagram).map(|(_, kept)| kept.into_owned());
        for _ in 0..3 {
            assert!(passed(&message(0)).is_some(), "the request to verify has no timer");
        }
        assert!(passed(&message(1)).is_some());
        let mut again = message(1);
        again[10] = 77;
        assert_eq!((passed(&message(1)), passed(&again)), (None, None));
        // What did not come the first time goes on.
        assert_eq!(passed(&[message(1), message(2)].concat()), Some(message(2)));
        let finished = [record(20, 0, &[1]), finished()].concat();
        assert_eq!(passed(&[message(2), finished.clone()].concat()), Some(finished));
    }

    #[test]
    fn what_found_no_measure_may_come_again() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        // First messages may repeat, so they use up what a peer may send at once.
        while gate.admit(now, address(1), &message(0)).is_some() {}
        assert!(gate.admit(now, address(1), &message(1)).is_none());
        let later = now + std::time::Duration::from_secs(2);
        assert!(gate.admit(later, address(1), &message(1)).is_some(), "it had not gone on");
        assert!(gate.admit(later, address(1), &message(1)).is_none(), "now it has");
    }

    #[test]
    fn a_browser_that_moved_says_goodbye_on_the_connection_that_it_has() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        let hello = record(22, 0, &fragment(1, 100, 0, 100, 100));
        assert_eq!(gate.admit(now, address(1), &hello).unwrap().0, address(1));
        assert!(gate.depart(address(1), &finished()) && gate.depart(address(2), &media(2)));
        assert_eq!(gate.admit(now, address(2), &record(21, 1, &[0; 30])).unwrap().0, address(1));
        assert_eq!(gate.admit(now, address(2), &media(1)).unwrap().0, address(2));
    }

    #[test]
    fn forged_sources_do_not_pile_up_and_the_true_ones_go_on() {
        let (mut gate, start) = (connected(), Instant::now());
        let mut passed = 0;
        for n in 0..200_000u32 {
            // 20,000 forged a second, 50 true ones, for ten seconds.
            let now = start + Duration::from_micros(u64::from(n) * 50);
            if n % 400 == 0 {
                assert!(gate.admit(now, address(1), &media(7)).is_some(), "{n}");
            }
            passed += usize::from(gate.admit(now, address(1), &media(n.wrapping_mul(2_654_435_761))).is_some());
        }
        assert!(passed < 30 && gate.sources.len() < 30, "{passed}");
        // For a day.
        for second in 0..86_400 {
            gate.admit(start + Duration::from_secs(second), address(1), &media(second as u32));
        }
        assert!(gate.sources.len() <= SOURCES);
    }

    #[test]
    fn what_a_peer_may_send_is_enough_and_not_more() {
        let start = Instant::now();
        let passed = |per_second: u32, datagram: &[u8], connected: bool| {
            let mut gate = Gate::new();
            if connected {
                gate.depart(address(1), &finished());
            }
            let due = |n: u32| start + Duration::from_secs(1) * n / per_second;
            (0..per_second * 10).filter(|n| gate.admit(due(*n), address(1), datagram).is_some()).count()
        };
        assert_eq!(passed(900, &media(1), true), 9000);
        assert!(passed(20_000, &media(1), true) < 12_100);
        assert_eq!(passed(5, &record(22, 0, &fragment(11, 3, 0, 3, 3)), false), 50);
        assert!(passed(20_000, &record(22, 1, &[7; 100]), false) < 300);
        assert!(passed(20_000, &record(21, 1, &[7; 100]), true) < 300);
        let many = record(22, 1, &[7; 20]).repeat(60);
        assert!(passed(20_000, &many, true) < 5);
    }

    proptest! {
        #[test]
        fn whatever_comes_the_gate_holds(datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..60)) {
            let (mut before, mut after) = (Gate::new(), connected());
            for datagram in datagrams {
                before.admit(Instant::now(), address(1), &datagram);
                if let Some((_, kept)) = after.admit(Instant::now(), address(2), &datagram) {
                    prop_assert!(kept.len() <= datagram.len() && matches!(kept[0], 1 | 20..=63 | 128..=191));
                }
            }
        }
    }
}
