//! Just enough of DTLS 1.2 (RFC 6347) to see a connection begin and end, and to keep from the stack what nobody signed.
//!
//! A record of epoch 0 carries no signature, so anyone who can forge the browser's address can write one. The stack believes some of them at any
//! time: an alert, or a ChangeCipherSpec that it answers with an alert of its own. It also trusts what handshake fragments say of themselves, and
//! puts them together by recursion, so that some hundred datagrams of empty fragments keep a thread busy for minutes.

use std::borrow::Cow;
use std::ops::Range;

const HEADER: usize = 13;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Type, length, sequence number, offset and length of the fragment (RFC 6347, section 4.2.2).
const FRAGMENT_HEADER: usize = 12;
/// What a client sends unsigned: ClientHello, Certificate, ClientKeyExchange, CertificateVerify.
const FROM_A_CLIENT: &[u8] = &[CLIENT_HELLO, 11, 16, 15];
/// What a server sends unsigned: HelloVerifyRequest, ServerHello, NewSessionTicket, Certificate, ServerKeyExchange, CertificateRequest,
/// ServerHelloDone.
const FROM_A_SERVER: &[u8] = &[3, 2, 4, 11, 12, 13, 14];
const CLIENT_HELLO: u8 = 1;
/// The longest handshake message that is put together, bytes; chains of certificates are a tenth of it.
const MESSAGE: usize = 16 * 1024;
/// Handshake messages end with number 6 or 7 on either side.
const LAST_MESSAGE: u16 = 15;
/// The shortest fragment that is not the last of its message, bytes. Real ones fill a path's datagram.
const FRAGMENT: usize = 64;
/// The longest signed record that is taken, bytes of content. Finished and alerts need less than a hundred, and there are no data channels.
const SIGNED: usize = 160;

/// Whether a datagram that leaves is an encrypted alert. The stack writes one in answer to the browser's goodbye (close_notify), which it
/// tells nobody about, when the connection is broken for good, and when we say goodbye ourselves: in any case it is the last of the connection.
pub(super) fn ends(datagram: &[u8]) -> bool {
    records(datagram).any(|record| record.kind == ALERT && record.epoch > 0)
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has keys. `asked` says whether it was us who opened it, as its client.
    Open { asked: bool },
    /// We have keys, and the peer, who answers as server, still has to send its last flight.
    Signing,
    /// Both sides have keys, and what has no signature has no meaning.
    Done,
}

impl Stage {
    /// How far it is once this datagram has left.
    pub(super) fn after(self, datagram: &[u8]) -> Stage {
        // Media has to be encrypted. It begins when the stack holds the handshake for done.
        if datagram.first().is_some_and(|first| (128..192).contains(first)) {
            return Stage::Done;
        }
        records(datagram).filter(|record| record.kind == HANDSHAKE).fold(self, |stage, record| match stage {
            Stage::Open { asked } if record.epoch == 0 => {
                Stage::Open { asked: asked || datagram.get(record.content.start) == Some(&CLIENT_HELLO) }
            }
            // Our Finished. A server's is the last word of the handshake.
            Stage::Open { asked: true } => Stage::Signing,
            Stage::Open { asked: false } => Stage::Done,
            done => done,
        })
    }
}

/// What of a datagram the stack may see, with the number of its records; `None` if that is nothing.
///
/// Before the handshake is done these are the unsigned records that the peer's side of it is made of, and signed ones. After it only
/// signed ones, whose signature the stack checks: the unsigned part of a last flight that is sent again is not needed, since the Finished
/// that belongs to it is signed and has the stack repeat its answer (RFC 6347, section 4.2.4).
///
/// `is_new` is asked about each handshake message but the first. One that comes again says that our answer was lost, and must not reach the
/// stack: it would stop the timer by which it sends the answer again.
pub(super) fn admissible(
    datagram: &[u8],
    stage: Stage,
    mut is_new: impl FnMut(&[u8]) -> bool,
) -> Option<(Cow<'_, [u8]>, usize)> {
    let all: Vec<Record> = records(datagram).collect();
    // The stack refuses the whole of a datagram whose lengths do not add up.
    if all.last()?.whole.end != datagram.len() {
        return None;
    }
    let mut admitted = |record: &&Record| {
        let content = &datagram[record.content.clone()];
        // The first message is answered by a request to verify, which has no timer.
        let may_repeat = (record.epoch, record.kind) != (0, HANDSHAKE) || content.get(4..6) == Some(&[0, 0]);
        record.admissible(content, stage) && (may_repeat || is_new(content))
    };
    let kept: Vec<&Record> = all.iter().filter(&mut admitted).collect();
    match kept.len() {
        0 => None,
        count if count == all.len() => Some((Cow::Borrowed(datagram), count)),
        count => Some((kept.iter().flat_map(|record| &datagram[record.whole.clone()]).copied().collect(), count)),
    }
}

/// A record's header, and where its bytes stand in the datagram.
struct Record {
    kind: u8,
    version: [u8; 2],
    epoch: u16,
    whole: Range<usize>,
    content: Range<usize>,
}

impl Record {
    fn admissible(&self, content: &[u8], stage: Stage) -> bool {
        // DTLS 1.0 stands on the first ClientHello of clients that speak 1.2.
        if !matches!(self.version, [254, 253 | 255]) || content.is_empty() {
            return false;
        }
        let messages = if matches!(stage, Stage::Open { asked: false }) { FROM_A_CLIENT } else { FROM_A_SERVER };
        match (self.epoch, self.kind) {
            (0, HANDSHAKE) => stage != Stage::Done && fragments(content, messages),
            (0, CHANGE_CIPHER_SPEC) => stage != Stage::Done && content == [1],
            // There is no renegotiation, so no later epoch.
            (1, HANDSHAKE | ALERT) => content.len() <= SIGNED,
            _ => false,
        }
    }
}

/// Whether the content of a handshake record is whole messages of these kinds, or one fragment of such a message that says nothing impossible of
/// itself.
fn fragments(mut content: &[u8], messages: &[u8]) -> bool {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    while !content.is_empty() {
        let Some((header, rest)) = content.split_at_checked(FRAGMENT_HEADER) else { return false };
        let (length, offset, part) = (number(&header[1..4]), number(&header[6..9]), number(&header[9..12]));
        let sequence = u16::from_be_bytes([header[4], header[5]]);
        if !messages.contains(&header[0]) || sequence > LAST_MESSAGE || length > MESSAGE || part > rest.len() {
            return false;
        }
        if part == length {
            content = &rest[part..];
            if offset != 0 {
                return false;
            }
        } else {
            let last = offset + part == length;
            return part == rest.len() && offset + part <= length && (last && part > 0 || part >= FRAGMENT);
        }
    }
    true
}

/// The records of a datagram that is DTLS by its first byte (RFC 7983), up to the first that is not complete.
fn records(datagram: &[u8]) -> impl Iterator<Item = Record> {
    let end = datagram.first().filter(|first| (20..64).contains(*first)).map_or(0, |_| datagram.len());
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = datagram[..end].get(at..at + HEADER)?;
        let content = at + HEADER..at + HEADER + usize::from(u16::from_be_bytes([header[11], header[12]]));
        if content.end > end {
            return None;
        }
        let whole = at..content.end;
        at = content.end;
        let epoch = u16::from_be_bytes([header[3], header[4]]);
        Some(Record { kind: header[0], version: [header[1], header[2]], epoch, whole, content })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn record(kind: u8, epoch: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = (content.len() as u16).to_be_bytes();
        let mut record = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1, high, low];
        record.extend(content);
        record
    }

    /// A handshake message of which a part is there.
    pub(crate) fn fragment(kind: u8, length: u32, offset: u32, part: u32, content: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(&length.to_be_bytes()[1..]);
        bytes.extend([0, 0]);
        bytes.extend(&offset.to_be_bytes()[1..]);
        bytes.extend(&part.to_be_bytes()[1..]);
        bytes.resize(FRAGMENT_HEADER + content, 7);
        bytes
    }

    fn kept(datagram: &[u8], connected: bool) -> Option<Vec<u8>> {
        let stage = if connected { Stage::Done } else { Stage::Open { asked: false } };
        admissible(datagram, stage, |_| true).map(|(bytes, _)| bytes.into_owned())
    }

    #[test]
    fn ends_and_beginnings_are_seen() {
        assert!(
            ends(&record(ALERT, 1, &[1, 0])) && !ends(&record(ALERT, 0, &[1, 0])) && !ends(&record(HANDSHAKE, 1, &[1]))
        );
        assert!(!ends(&[]) && !ends(b"\x80\xff") && !ends(&[ALERT, 254]));
        let finished = [record(CHANGE_CIPHER_SPEC, 0, &[1]), record(HANDSHAKE, 1, &[1; 40])].concat();
        let (open, asked) = (Stage::Open { asked: false }, Stage::Open { asked: true });
        let hello = record(HANDSHAKE, 0, &fragment(1, 100, 0, 100, 100));
        let server = record(HANDSHAKE, 0, &fragment(2, 100, 0, 100, 100));
        assert_eq!(
            (open.after(&server), open.after(&finished), open.after(&finished[..14])),
            (open, Stage::Done, open)
        );
        let certificate = record(HANDSHAKE, 0, &fragment(11, 100, 0, 100, 100));
        assert_eq!((open.after(&certificate), asked.after(&certificate)), (open, asked));
        assert_eq!((open.after(&hello), asked.after(&finished), asked.after(&hello)), (asked, Stage::Signing, asked));
        assert_eq!(
            (Stage::Signing.after(&finished), Stage::Signing.after(b"\x80media")),
            (Stage::Signing, Stage::Done)
        );
        assert_eq!((open.after(&record(ALERT, 0, &[2, 40])), Stage::Done.after(&hello)), (open, Stage::Done));
        assert_eq!((open.after(b"\x00\x01stun"), open.after(&[])), (open, open));
    }

    #[test]
    fn a_server_may_shake_hands_with_us() {
        let asked = Stage::Open { asked: true };
        let admitted = |datagram: &[u8], stage| admissible(datagram, stage, |_| true).is_some();
        let last = [record(CHANGE_CIPHER_SPEC, 0, &[1]), record(HANDSHAKE, 1, &[1; 40])].concat();
        for kind in 0..=255 {
            let message = record(HANDSHAKE, 0, &fragment(kind, 100, 0, 100, 100));
            let expected = [2, 3, 4, 11, 12, 13, 14].contains(&kind);
            assert_eq!((admitted(&message, asked), admitted(&message, Stage::Signing)), (expected, expected), "{kind}");
            assert!(!admitted(&message, Stage::Done));
        }
        assert_eq!(admissible(&last, Stage::Signing, |_| true).map(|(bytes, _)| bytes.len()), Some(last.len()));
        assert_eq!(admissible(&last, Stage::Done, |_| true).map(|(bytes, _)| bytes.len()), Some(last.len() - 14));
    }

    #[test]
    fn once_connected_only_what_is_signed_is_let_through() {
        for kind in 0..=255 {
            for content in [&[][..], &[1], &[2, 0], &[0; 40], &[1; 200]] {
                assert_eq!(kept(&record(kind, 0, content), true), None, "{kind} {content:?}");
                assert_eq!(kept(&record(kind, 2, content), true), None, "{kind} {content:?}");
            }
            let signed = record(kind, 1, &[9; 40]);
            let expected = matches!(kind, ALERT | HANDSHAKE).then(|| signed.clone());
            assert_eq!(kept(&signed, true), expected, "{kind}");
            assert_eq!(kept(&record(kind, 1, &[]), true), None);
        }
        assert_eq!(kept(&record(HANDSHAKE, 1, &[9; 1000]), true), None, "no signed handshake message is so long");
    }

    #[test]
    fn of_a_last_flight_that_comes_again_the_signed_end_is_kept() {
        let finished = record(HANDSHAKE, 1, &[9; 40]);
        let exchange = record(HANDSHAKE, 0, &fragment(16, 33, 0, 33, 33));
        let flight = [exchange, record(CHANGE_CIPHER_SPEC, 0, &[1]), finished.clone()].concat();
        assert_eq!(kept(&flight, false).as_ref(), Some(&flight));
        assert_eq!(kept(&flight, true), Some(finished));
        for length in 1..flight.len() {
            assert_eq!(kept(&flight[..length], true), None, "{length}");
        }
    }

    #[test]
    fn before_the_connection_a_client_may_shake_hands_and_nothing_else() {
        let hello = fragment(1, 200, 0, 200, 200);
        assert!(kept(&record(HANDSHAKE, 0, &hello), false).is_some());
        assert!(kept(&record(HANDSHAKE, 0, &fragment(1, 1600, 0, 1100, 1100)), false).is_some());
        assert!(kept(&record(HANDSHAKE, 0, &fragment(1, 1600, 1100, 500, 500)), false).is_some());
        assert!(kept(&record(HANDSHAKE, 0, &[hello.clone(), fragment(11, 0, 0, 0, 0)].concat()), false).is_some());
        for (why, content) in [
            ("a server's message", fragment(2, 200, 0, 200, 200)),
            ("a request to verify", fragment(3, 20, 0, 20, 20)),
            ("sixteen megabytes", fragment(11, 0xff_ffff, 0, 1000, 1000)),
            ("more than there is", fragment(11, 2000, 0, 1500, 1000)),
            ("beyond its end", fragment(11, 1000, 900, 200, 200)),
            ("nothing, of nothing, further on", fragment(11, 0, 5, 1, 0)),
            ("nothing of something", fragment(11, 100, 0, 0, 0)),
            ("crumbs", fragment(11, 1000, 3, 1, 1)),
            ("something after a fragment", [fragment(11, 1000, 0, 100, 100), hello.clone()].concat()),
            ("half a header", hello[..8].to_vec()),
            ("half a second one", [hello.clone(), hello[..8].to_vec()].concat()),
        ] {
            assert_eq!(kept(&record(HANDSHAKE, 0, &content), false), None, "{why}");
        }
        assert_eq!(kept(&record(ALERT, 0, &[2, 40]), false), None);
        assert_eq!(kept(&record(23, 0, b"data"), false), None);
        assert_eq!(kept(&record(CHANGE_CIPHER_SPEC, 0, &[2]), false), None);
        assert_eq!(kept(&record(CHANGE_CIPHER_SPEC, 0, &[1, 1]), false), None);
        // The unified header of DTLS 1.3 (RFC 9147, section 4), and a version that nobody has.
        assert_eq!(kept(&[&[0x2f, 0, 1, 0, 40][..], &[9; 40]].concat(), false), None);
        let mut old = record(HANDSHAKE, 0, &hello);
        old[2] = 252;
        assert_eq!(kept(&old, false), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_cut_down_to_records_that_are_whole(
            datagram in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..400),
                proptest::collection::vec(
                    (20u8..26, 0u8..3, proptest::collection::vec(any::<u8>(), 0..60))
                        .prop_map(|(kind, epoch, content)| record(kind, epoch, &content)),
                    0..6,
                )
                .prop_map(|records| records.concat()),
            ],
            cut in any::<prop::sample::Index>(),
            stage in prop::sample::select(vec![
                Stage::Open { asked: false },
                Stage::Open { asked: true },
                Stage::Signing,
                Stage::Done,
            ]),
        ) {
            let datagram = &datagram[..datagram.len() - cut.index(datagram.len() + 1).min(3)];
            let (_, _) = (ends(datagram), stage.after(datagram));
            if let Some((bytes, count)) = admissible(datagram, stage, |_| true) {
                prop_assert!(count > 0 && bytes.len() <= datagram.len());
                prop_assert_eq!(records(&bytes).count(), count);
                prop_assert!(records(&bytes).last().is_some_and(|record| record.whole.end == bytes.len()));
                prop_assert!(stage != Stage::Done || records(&bytes).all(|record| record.epoch == 1));
                // What is admitted once is admitted again.
                prop_assert_eq!(admissible(&bytes, stage, |_| true).map(|(again, _)| again.into_owned()), Some(bytes.into_owned()));
            }
        }
    }
}
