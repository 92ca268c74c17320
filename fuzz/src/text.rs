//! Damage to text: lines, words, numbers, JSON.

use crate::damage;
use crate::rng::Rng;

/// What stands in offers.
const WORDS: [&str; 30] = [
    "v=0",
    "m=video 9 UDP/TLS/RTP/SAVPF 102",
    "m=audio 0 UDP/TLS/RTP/SAVPF 111",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "a=group:BUNDLE 0 1",
    "a=bundle-only",
    "a=mid:0",
    "a=mid:",
    "a=recvonly",
    "a=sendrecv",
    "a=inactive",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=setup:active",
    "a=setup:holdconn",
    "a=ice-ufrag:a",
    "a=ice-pwd:",
    "a=ice-options:trickle renomination",
    "a=fingerprint:sha-256 00",
    "a=rtpmap:102 H264/90000",
    "a=rtpmap:102 h264/90000/2",
    "a=fmtp:102 packetization-mode=1;profile-level-id=64001f",
    "a=fmtp:102 packetization-mode=1;profile-level-id=42e01fffffff",
    "a=rtpmap:111 opus/48000/2",
    "a=ssrc:4294967295 cname:x",
    "a=ssrc-group:FID 1 2",
    "a=msid:- x",
    "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=simulcast:send a;b",
    "a=candidate:1 1 udp 1 ::1 9 typ host",
];
const NUMBERS: [&str; 12] =
    ["0", "-1", "1", "65535", "65536", "255", "256", "4294967296", "18446744073709551616", "1e400", "NaN", ""];

/// Damages one line.
pub(crate) fn lines(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let (at, to) = (rng.below(lines.len()), rng.below(lines.len()));
    match rng.below(9) {
        0 => {
            lines.remove(at);
        }
        1 => lines.insert(to, lines[at].clone()),
        2 => lines.swap(at, to),
        3 => lines.insert(at, format!("{}\r", rng.pick(&WORDS)).into_bytes()),
        4 | 5 => number(&mut lines[at], rng),
        6 => {
            let other: Vec<&[u8]> = rng.pick(others).split(|b| *b == b'\n').collect();
            let from = rng.below(other.len());
            let many = 1 + rng.near_the_start(16);
            for line in other[from..].iter().take(many).rev() {
                lines.insert(at, line.to_vec());
            }
        }
        7 => {
            let times = 1 << rng.below(8);
            let line = lines[at].clone();
            lines.splice(at..at, std::iter::repeat_n(line, times));
        }
        _ => damage::once(&mut lines[at], others, rng),
    }
    *bytes = lines.join(&b'\n');
    bytes.truncate(damage::LONGEST);
}

/// Puts another number where one is.
fn number(line: &mut Vec<u8>, rng: &mut Rng) {
    let starts: Vec<usize> = (0..line.len())
        .filter(|&at| line[at].is_ascii_digit() && (at == 0 || !line[at - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return;
    }
    let at = *rng.pick(&starts);
    let end = line[at..].iter().position(|b| !b.is_ascii_digit()).map_or(line.len(), |n| at + n);
    line.splice(at..end, rng.pick(&NUMBERS).bytes());
}

/// Damages one value, key or bracket.
pub(crate) fn json(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const VALUES: [&str; 14] = [
        "null",
        "true",
        "\"\"",
        "[]",
        "{}",
        "1e999",
        "-0.0",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "interrupt",
        "end",
        "2.5",
        "\"happy\"",
        "99999999999999999999",
    ];
    let marks: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, b)| b",:{}[]\"".contains(b)).map(|(at, _)| at).collect();
    if marks.is_empty() {
        bytes.extend_from_slice(rng.pick(&VALUES).as_bytes());
        return;
    }
    let (at, to) = (*rng.pick(&marks), *rng.pick(&marks));
    match rng.below(6) {
        0 => bytes[at] = *rng.pick(b",:{}[]\""),
        1 => number(bytes, rng),
        2 => {
            let end = marks.iter().copied().find(|end| *end > at).unwrap_or(bytes.len());
            bytes.splice(at + 1..end, rng.pick(&VALUES).bytes());
        }
        3 => {
            let piece = bytes[at.min(to)..at.max(to)].to_vec();
            damage::insert(bytes, at, &piece);
        }
        4 => {
            let deep = 1 << rng.below(16);
            damage::insert(bytes, at, &vec![*rng.pick(b"[{"); deep]);
        }
        _ => {
            bytes.drain(at.min(to)..at.max(to));
        }
    }
}
