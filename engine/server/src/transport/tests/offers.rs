//! Offers in the way of clients that we did not write, and what the answers must keep to (RFC 3264, RFC 9143, RFC 8829).

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::super::{Options, Role, SignalError, Transport, sdp};
use super::client::Log;

const OFFERS: [(&str, &str); 9] = [
    ("chromium", include_str!("../sdp/offers/chromium.sdp")),
    ("firefox", include_str!("../sdp/offers/firefox.sdp")),
    ("safari", include_str!("../sdp/offers/safari.sdp")),
    ("obs", include_str!("../sdp/offers/obs.sdp")),
    ("gstreamer", include_str!("../sdp/offers/gstreamer.sdp")),
    ("gstreamer-whip", include_str!("../sdp/offers/gstreamer-whip.sdp")),
    ("pion", include_str!("../sdp/offers/pion.sdp")),
    ("mediasoup", include_str!("../sdp/offers/mediasoup.sdp")),
    ("bare", include_str!("../sdp/offers/bare.sdp")),
];

fn offer(name: &str) -> String {
    let (_, text) = OFFERS.iter().find(|(known, _)| *known == name).unwrap();
    text.replace('\n', "\r\n")
}

/// The lines of the session, and of each m-section.
fn parts(text: &str) -> Vec<Vec<&str>> {
    let mut parts = vec![Vec::new()];
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            parts.push(Vec::new());
        }
        parts.last_mut().unwrap().push(line);
    }
    parts
}

fn words(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().collect()
}

fn value<'a>(part: &[&'a str], name: &str) -> Option<&'a str> {
    part.iter().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

/// What every client may rely on, whatever it offered.
fn keeps_to_the_rules(offer: &str, answer: &str) {
    let (offered, answered) = (parts(offer), parts(answer));
    assert_eq!(offered.len(), answered.len(), "an m-line for each: {answer}");
    let session = &offered[0];
    let bundle = answered[0].iter().find_map(|line| line.strip_prefix("a=group:BUNDLE "));
    let known: Vec<&str> =
        session.iter().filter_map(|line| line.strip_prefix("a=group:BUNDLE ")).flat_map(words).collect();
    let bundled = bundle.map(words).unwrap_or_default();
    assert!(bundled.iter().all(|mid| known.contains(mid)), "{bundle:?} of {known:?}");
    let order: Vec<usize> = bundled.iter().filter_map(|mid| known.iter().position(|other| other == mid)).collect();
    assert!(order.is_sorted(), "the bundle keeps its order: {bundle:?} of {known:?}");
    for (theirs, ours) in offered[1..].iter().zip(&answered[1..]) {
        let (their_line, our_line) = (words(theirs[0]), words(ours[0]));
        assert_eq!(
            (their_line[0], their_line[2]),
            (our_line[0], our_line[2]),
            "kind and protocol are repeated: {answer}"
        );
        assert_eq!(value(theirs, "mid").filter(|mid| !mid.is_empty()), value(ours, "mid"), "{answer}");
        assert!(our_line[3..].iter().all(|format| their_line[3..].contains(format)), "{our_line:?} of {their_line:?}");
        if our_line[1] == "0" {
            assert!(!bundled.iter().any(|mid| Some(*mid) == value(ours, "mid")), "{answer}");
            continue;
        }
        assert!(ours.iter().any(|line| line.starts_with("a=candidate:")) && ours.contains(&"a=rtcp-mux"), "{answer}");
        let flow = |part: &[&str]| {
            let line = part.iter().chain(session).find(|line| is_direction(line)).copied().unwrap_or("a=sendrecv");
            (line == "a=sendonly" || line == "a=sendrecv", line == "a=recvonly" || line == "a=sendrecv")
        };
        let ((they_send, they_receive), (we_send, we_receive)) = (flow(theirs), flow(ours));
        assert!((they_receive || !we_send) && (they_send || !we_receive), "{answer}");
        for line in ours.iter().filter(|line| line.starts_with("a=extmap:")) {
            let (number, uri) = line.split_once(' ').unwrap();
            let same = |l: &&&str| {
                l.split_once(' ')
                    .is_some_and(|(n, u)| n.split('/').next() == Some(number) && words(u).first() == Some(&uri))
            };
            assert!(theirs.iter().chain(session).any(|l| same(&l)), "{line} was not offered");
        }
        assert!(theirs.contains(&"a=rtcp-rsize") || !ours.contains(&"a=rtcp-rsize"));
        let setup = value(theirs, "setup").or(value(session, "setup"));
        let ours_opens = setup == Some("passive");
        assert_eq!(value(ours, "setup"), Some(if ours_opens { "active" } else { "passive" }), "{setup:?}");
    }
    assert!(answer.lines().all(|line| line.len() < 300) && answer.contains("a=ice-lite\r\n"), "{answer}");
    assert!(session.contains(&"a=extmap-allow-mixed") || !answer.contains("extmap-allow-mixed"));
}

fn is_direction(line: &str) -> bool {
    ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].contains(&line)
}

async fn transport() -> Transport {
    Transport::bind(Options::default()).await.unwrap()
}

async fn ask(transport: &Transport, role: Role, offer: &str) -> Result<String, SignalError> {
    let (peer, answer) = transport.accept(role, offer, Arc::new(Log::default())).await?;
    peer.close().await;
    keeps_to_the_rules(offer, &answer);
    Ok(answer)
}

/// The kinds of m-lines that are not rejected, with what they say about the direction.
fn used(answer: &str) -> Vec<String> {
    let parts = parts(answer);
    let used = parts[1..].iter().filter(|part| words(part[0])[1] != "0");
    used.map(|part| {
        let direction = part.iter().find(|line| is_direction(line)).unwrap();
        format!("{} {}", words(part[0])[0].trim_start_matches("m="), direction.trim_start_matches("a="))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_of_other_clients_are_answered() {
    let transport = transport().await;
    for (name, role, expected) in [
        ("chromium", Role::Watch, &["video sendonly", "audio sendonly"][..]),
        ("chromium", Role::Call, &["video sendonly", "audio sendrecv"]),
        ("chromium", Role::Publish, &["audio recvonly"]),
        ("firefox", Role::Watch, &["audio sendonly", "video sendonly"]),
        ("firefox", Role::Call, &["audio sendrecv", "video sendonly"]),
        ("firefox", Role::Publish, &["audio recvonly"]),
        ("safari", Role::Watch, &["video sendonly", "audio sendonly"]),
        ("safari", Role::Call, &["video sendonly", "audio sendrecv"]),
        ("obs", Role::Publish, &["audio recvonly", "video recvonly"]),
        ("gstreamer", Role::Watch, &["video sendonly", "audio sendonly"]),
        ("gstreamer-whip", Role::Publish, &["video recvonly", "audio recvonly"]),
        ("pion", Role::Watch, &["audio sendonly", "video sendonly"]),
        ("pion", Role::Call, &["audio sendrecv", "video sendonly"]),
        ("mediasoup", Role::Watch, &["audio sendonly", "video sendonly"]),
        ("mediasoup", Role::Call, &["audio sendrecv", "video sendonly"]),
        ("bare", Role::Watch, &["video sendonly"]),
    ] {
        let text = offer(name);
        for text in [text.clone(), text.replace("\r\n", "\n"), format!("{}\r\n\r\n", text.replace("\r\n", " \r\n"))] {
            let answer = ask(&transport, role, &text).await.unwrap_or_else(|error| panic!("{name}, {role:?}: {error}"));
            assert_eq!(used(&answer), expected, "{name}, {role:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_of_every_kind_is_answered_as_it_was_offered() {
    let transport = transport().await;
    let base = offer("gstreamer");
    let one = |payloads: &str, lines: &str| {
        base.replace("SAVPF 96", &format!("SAVPF {payloads}")).replace("a=rtpmap:96 H264/90000\r\n", lines)
    };
    // What is offered, and what the answer's first payload type and its parameters must be.
    for (payloads, lines, chosen, parameters) in [
        ("96", "a=rtpmap:96 H264/90000\r\n", "96", None),
        ("96", "a=rtpmap:96 h264/90000\r\na=fmtp:96 packetization-mode=1\r\n", "96", Some("packetization-mode=1")),
        (
            "96",
            "a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=640c1f;packetization-mode=1\r\n",
            "96",
            Some("packetization-mode=1;profile-level-id=640c1f"),
        ),
        (
            "97 98",
            "a=rtpmap:98 H264/90000\r\na=fmtp:98 profile-level-id=42e01f; packetization-mode=0\r\na=rtpmap:97 H264/90000\r\n\
             a=fmtp:97 packetization-mode=1;profile-level-id=4D0028;level-asymmetry-allowed=1\r\n",
            "97",
            Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4D0028"),
        ),
        (
            "100 101 102",
            "a=rtpmap:100 H264/90000\r\na=fmtp:100 profile-level-id=64001f;packetization-mode=1\r\na=rtpmap:101 rtx/90000\r\n\
             a=fmtp:101 apt=102;rtx-time=3000\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42E01F\r\n",
            "102 101",
            Some("packetization-mode=1;profile-level-id=42E01F"),
        ),
        (
            "58",
            "a=rtpmap:58 H264/90000\r\na=fmtp:58 profile-level-id=58a00a;packetization-mode=0\r\n",
            "58",
            Some("packetization-mode=0;profile-level-id=58a00a"),
        ),
    ] {
        let answer =
            ask(&transport, Role::Watch, &one(payloads, lines)).await.unwrap_or_else(|e| panic!("{lines}: {e}"));
        let video = parts(&answer).into_iter().find(|part| part[0].starts_with("m=video")).unwrap();
        assert_eq!(words(video[0])[3..].join(" "), chosen, "{lines}");
        let payload = words(chosen)[0];
        let fmtp = video.iter().find_map(|l| l.strip_prefix("a=fmtp:")?.strip_prefix(payload)?.strip_prefix(' '));
        assert_eq!(fmtp, parameters, "{answer}");
        assert!(video.contains(&format!("a=rtpmap:{payload} H264/90000").as_str()), "{answer}");
    }
    for fmtp in [
        "profile-level-id=2c1028;packetization-mode=1",
        "profile-level-id=42e01f;packetization-mode=2",
        "profile-level-id=nonsense",
    ] {
        let lines = format!("a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\n");
        let error = ask(&transport, Role::Watch, &one("96", &lines)).await.unwrap_err();
        assert!(matches!(&error, SignalError::NoCodec(why) if why.contains(fmtp)), "{error:?}");
    }
    let error = ask(&transport, Role::Watch, &one("96", "a=rtpmap:96 VP8/90000\r\n")).await.unwrap_err();
    assert!(matches!(&error, SignalError::NoCodec(why) if why.contains("VP8")), "{error:?}");
}

/// Streams need not be named: neither by number nor by track (RFC 8830, RFC 5576).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_need_no_names() {
    let transport = transport().await;
    let without = |text: &str, names: &[&str]| -> String {
        text.lines()
            .filter(|line| !names.iter().any(|name| line.starts_with(name)))
            .map(|line| format!("{line}\r\n"))
            .collect()
    };
    for (name, _) in OFFERS {
        for names in [&["a=ssrc"][..], &["a=msid:"], &["a=ssrc", "a=msid"]] {
            let text = without(&offer(name), names);
            for role in [Role::Watch, Role::Call, Role::Publish] {
                match ask(&transport, role, &text).await {
                    Ok(_) | Err(SignalError::Unsupported(_)) => {}
                    Err(error) => panic!("{name} without {names:?}, {role:?}: {error}"),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_may_be_written_in_many_ways() {
    let transport = transport().await;
    let chromium = offer("chromium");
    let group = "a=group:BUNDLE 0 1\r\n";
    let ice = "a=ice-ufrag:Kq7x\r\na=ice-pwd:u2T8vYb1mN4cR6eW0aZs9dLf\r\n";
    let fingerprint = chromium.lines().find(|line| line.starts_with("a=fingerprint")).unwrap().to_owned() + "\r\n";
    let both = &["video sendonly", "audio sendrecv"][..];
    let second = |from: &str, to: &str| {
        let at = chromium.rfind("m=audio").unwrap();
        format!("{}{}", &chromium[..at], chromium[at..].replace(from, to))
    };
    for (what, text, expected) in [
        ("another order", chromium.replace(group, "a=group:BUNDLE 1 0\r\n"), both),
        ("credentials before all m-lines", chromium.replace(ice, "").replace(group, &format!("{group}{ice}")), both),
        ("credentials in the first m-line only", second(ice, ""), both),
        ("fingerprint in the first m-line only", second(&fingerprint, ""), both),
        ("other credentials in the second", second("Kq7x", "zz9y"), both),
        (
            "odd mids",
            chromium
                .replace("BUNDLE 0 1", "BUNDLE {v:1} ~a/2")
                .replace("mid:0", "mid:{v:1}")
                .replace("mid:1", "mid:~a/2"),
            both,
        ),
        ("no group, one port", chromium.replace(group, ""), both),
        (
            "no group, no mids, one port",
            chromium.replace(group, "").replace("a=mid:0\r\n", "").replace("a=mid:1\r\n", ""),
            both,
        ),
        (
            "several hashes",
            chromium.replace(
                &fingerprint,
                &format!("a=fingerprint:sha-384 AB:CD\r\n{fingerprint}a=fingerprint:sha-512 01\r\n"),
            ),
            both,
        ),
        ("no direction", chromium.replace("a=sendrecv\r\n", "").replace("a=recvonly", "a=sendrecv"), both),
        ("mux only", chromium.replace("a=rtcp-mux\r\n", "a=rtcp-mux-only\r\n"), both),
        ("no reduced size", chromium.replace("a=rtcp-rsize\r\n", ""), both),
        (
            "no extensions",
            chromium.lines().filter(|l| !l.starts_with("a=extmap")).map(|l| format!("{l}\r\n")).collect(),
            both,
        ),
        (
            "extensions of two bytes",
            chromium.replace("a=extmap:4 ", "a=extmap:19 ").replace("a=extmap:5 ", "a=extmap:200 "),
            both,
        ),
    ] {
        let answer = ask(&transport, Role::Call, &text).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(used(&answer), expected, "{what}");
    }
    // Two paths: only one can be answered.
    let apart = [
        chromium.replace(group, "a=group:BUNDLE 0\r\na=group:BUNDLE 1\r\n"),
        chromium.replace(group, "a=group:BUNDLE 1\r\n"),
        chromium.replace(group, "").replace("m=audio 9 ", "m=audio 49170 "),
    ];
    for text in apart {
        assert_eq!(used(&ask(&transport, Role::Watch, &text).await.unwrap()), ["video sendonly"]);
        assert_eq!(used(&ask(&transport, Role::Publish, &text).await.unwrap()), ["audio recvonly"]);
        let error = ask(&transport, Role::Call, &text).await.unwrap_err();
        assert!(matches!(&error, SignalError::Unsupported(why) if why.contains("BUNDLE")), "{error:?}");
    }
    // A microphone whose path is written in the m-line that it shares a bundle with, and that is not used.
    let answer = ask(&transport, Role::Publish, &second(ice, "")).await.unwrap();
    assert_eq!(used(&answer), ["audio recvonly"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_is_said_in_a_sentence() {
    let transport = transport().await;
    let chromium = offer("chromium");
    for (from, to, word) in [
        ("a=rtcp-mux\r\n", "", "a=rtcp-mux"),
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", "ice-lite"),
        ("a=setup:actpass", "a=setup:holdconn", "holdconn"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-512", "sha-256"),
        ("a=sendrecv", "a=inactive", "sends"),
    ] {
        let error = ask(&transport, Role::Call, &chromium.replace(from, to)).await.unwrap_err();
        assert!(matches!(&error, SignalError::Unsupported(why) if why.contains(word)), "{word}: {error:?}");
    }
    for missing in ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"] {
        let error = ask(&transport, Role::Call, &chromium.replace(missing, "a=nothing")).await.unwrap_err();
        assert!(matches!(&error, SignalError::Malformed(why) if why.contains(missing)), "{missing}: {error:?}");
    }
}

/// Offers that were damaged, line by line or letter by letter: each is answered by the rules or refused, never by our own failure.
#[test]
fn damaged_offers_are_answered_or_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let transport = runtime.block_on(transport());
    let damage = prop_oneof![
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Move(from, to)),
        any::<Index>().prop_map(Damage::Drop),
        any::<Index>().prop_map(Damage::Double),
        (any::<Index>(), any::<Index>(), any::<char>()).prop_map(|(line, at, letter)| Damage::Letter(line, at, letter)),
        (any::<Index>(), any::<Index>(), "[0-9]{1,4}")
            .prop_map(|(line, word, number)| Damage::Word(line, word, number)),
        (any::<Index>(), any::<Index>()).prop_map(|(line, at)| Damage::Cut(line, at)),
    ];
    let offers = (0..OFFERS.len(), 0..3_usize, prop::collection::vec(damage, 1..6));
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) });
    let outcome = runner.run(&offers, |(which, role, damages)| {
        let role = [Role::Watch, Role::Call, Role::Publish][role];
        let mut lines: Vec<String> = OFFERS[which].1.lines().map(str::to_owned).collect();
        damages.iter().for_each(|damage| damage.strike(&mut lines));
        let text = lines.join("\r\n");
        match runtime.block_on(ask(&transport, role, &text)) {
            Err(SignalError::Internal(why)) => panic!("{why} for {text}"),
            // What the reader lets through, the stack takes.
            Err(error) => prop_assert!(sdp::Offer::read(role, &text).is_err(), "{} for {}", error, text),
            Ok(_) => {}
        }
        Ok(())
    });
    outcome.unwrap();
}

#[derive(Clone, Debug)]
enum Damage {
    Move(Index, Index),
    Drop(Index),
    Double(Index),
    Letter(Index, Index, char),
    Word(Index, Index, String),
    Cut(Index, Index),
}

impl Damage {
    fn strike(&self, lines: &mut Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let many = lines.len();
        let within = |line: &str, at: &Index| {
            line.char_indices().map(|(at, _)| at).nth(at.index(line.chars().count().max(1))).unwrap_or(0)
        };
        match self {
            Damage::Move(from, to) => {
                let line = lines.remove(from.index(many));
                lines.insert(to.index(many), line);
            }
            Damage::Drop(line) => drop(lines.remove(line.index(many))),
            Damage::Double(line) => {
                let line = line.index(many);
                lines.insert(line, lines[line].clone());
            }
            Damage::Letter(line, at, letter) => {
                let line = &mut lines[line.index(many)];
                let at = within(line, at);
                line.insert(at, *letter);
            }
            Damage::Word(line, word, number) => {
                let line = &mut lines[line.index(many)];
                let mut words: Vec<&str> = line.split(' ').collect();
                let at = word.index(words.len());
                words[at] = number;
                *line = words.join(" ");
            }
            Damage::Cut(line, at) => {
                let line = &mut lines[line.index(many)];
                let at = within(line, at);
                line.truncate(at);
            }
        }
    }
}
