//! Clients that stall, flood, vanish and break the rules: each gets its answer or is cut, and others do not notice.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use serde_json::json;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use super::server::{Server, eventually};

/// What a browser offers that wants to watch; it will never connect.
pub(crate) const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=rtcp-mux\r\na=mid:0\r\na=recvonly\r\na=rtpmap:102 H264/90000\r\n\
    a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

/// The first line of what comes back.
fn status(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is cut after the answer is still one that was answered.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
#[cfg(unix)]
fn half_sent_requests_keep_nobody_out() {
    // Fewer file handles than connections: accepting fails.
    let server = Server::start_with_files(64, &[]);
    let half: Vec<_> = (0..120).map(|_| server.begin("GET / HTTP/1.1\r\nHost: local")).collect();
    assert_eq!(server.get("/healthz", &[]).status(), 200);
    for mut stream in half {
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(!matches!(end, Err(std::io::ErrorKind::WouldBlock)), "a half-sent request is waited for, for ever");
    }
    assert_eq!(server.get("/healthz", &[]).status(), 200);
}

#[test]
fn idle_connections_give_way_and_a_conversation_does_not() {
    let server = Server::start(&[]);
    let mut agent = server.speak("");
    agent.wait("ready");
    let idle: Vec<_> = (0..400).map(|_| server.begin("GET /healthz HTTP/1.1\r\n")).collect();
    agent.say(0.1);
    agent.tell(&json!({ "type": "end" }));
    agent.wait("spoken");
    assert_eq!(server.get("/healthz", &[]).status(), 200);
    drop(idle);
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let server = Server::start(&[]);
    let head = "Host: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 500\r\n\r\nv=0\r\n";
    let stream = server.begin(&format!("POST /v1/whep HTTP/1.1\r\n{head}"));
    assert!(status(stream).contains("408"));
}

#[test]
fn a_request_with_two_hosts_is_refused() {
    let server = Server::start(&[]);
    let request = "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(status(server.begin(request)).contains("400"));
}

#[test]
fn one_address_cannot_hold_all_places_and_what_it_holds_is_free_again() {
    let server = Server::start(&["--max-sessions", "2"]);
    assert_eq!(server.offer("/v1/whep", "application/sdp", OFFER.as_bytes()).status(), 201);
    let second = server.offer("/v1/whep", "application/sdp", OFFER.as_bytes());
    assert_eq!(second.status(), 429);
    assert!(second.headers().contains_key("retry-after"));
    server.speak("").wait("ready");
    eventually("an offer that nobody connects to is given up", || server.json("/v1/stats")["peers"] == 0);
    assert_eq!(server.offer("/v1/whep", "application/sdp", OFFER.as_bytes()).status(), 201);
}

#[test]
fn offers_whose_client_hangs_up_leave_nothing_behind() {
    let server = Server::start(&["--max-sessions", "8"]);
    // The second kind fails late, when the connection is being set up.
    for body in [OFFER.to_owned(), OFFER.replace("a=fingerprint", "a=nothing")] {
        for n in 0..12 {
            let head = "Host: localhost\r\nContent-Type: application/sdp\r\n";
            let stream =
                server.begin(&format!("POST /v1/whep HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()));
            std::thread::sleep(std::time::Duration::from_millis(n % 6 * 4));
            stream.shutdown(Shutdown::Both).unwrap();
        }
    }
    eventually("all places are free", || {
        let stats = server.json("/v1/stats");
        stats["peers"] == 0 && stats["sessions"] == json!([])
    });
}

#[test]
fn a_message_that_is_too_long_is_named_as_the_reason() {
    let server = Server::start(&[]);
    let mut agent = server.speak("");
    agent.wait("ready");
    // A frame's head, RFC 6455 section 5.2: binary, masked, and the length in eight bytes.
    let head = [&[0x82, 0xff][..], &17_000_000u64.to_be_bytes(), &[1, 2, 3, 4]].concat();
    let tungstenite::stream::MaybeTlsStream::Plain(stream) = agent.0.get_mut() else { panic!("loopback is plain") };
    stream.write_all(&head).unwrap();
    assert!(agent.wait("error")["error"].as_str().unwrap().contains("16384 KiB"));
    let closed = loop {
        match agent.0.read() {
            Ok(Message::Close(frame)) => break frame,
            Ok(_) => {}
            Err(error) => panic!("it was cut without a close: {error}"),
        }
    };
    assert_eq!(closed.unwrap().code, CloseCode::Size);
}

#[test]
fn every_utterance_is_reported_even_when_they_come_at_once() {
    let server = Server::start(&[]);
    let mut agent = server.speak("rate=24000");
    for _ in 0..3 {
        agent.say(0.3);
        agent.tell(&json!({ "type": "end" }));
    }
    // One with nothing in it.
    agent.tell(&json!({ "type": "end" }));
    for (utterance, length) in [(1, 300), (2, 300), (3, 300), (4, 0)] {
        let spoken = agent.wait("spoken");
        let near = spoken["position_ms"].as_i64().is_some_and(|ms| (ms - length).abs() <= 20);
        assert!(spoken["utterance"] == utterance && near, "{utterance}, {length} ms: {spoken}");
    }
    // Ends beyond all measure are refused, and end nothing.
    agent.say(5.0);
    for _ in 0..1100 {
        agent.tell(&json!({ "type": "end" }));
    }
    assert!(agent.wait("error")["error"].as_str().unwrap().contains("utterances"));
    agent.tell(&json!({ "type": "interrupt" }));
    agent.wait("interrupted");
    agent.say(0.1);
    agent.tell(&json!({ "type": "end" }));
    agent.wait("spoken");
}

#[test]
fn a_client_that_does_not_read_is_cut_and_others_do_not_notice() {
    let server = Server::start(&[]);
    let mut deaf = server.speak("");
    deaf.wait("ready");
    let mut good = server.speak("");
    good.say(0.2);
    good.tell(&json!({ "type": "end" }));
    good.wait("spoken");
    // Floods of answers that it does not read.
    let stream = deaf.0.get_mut();
    let tungstenite::stream::MaybeTlsStream::Plain(stream) = stream else { panic!("loopback is plain") };
    stream.set_write_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
    for _ in 0..200_000 {
        match deaf.0.send(Message::text("[]")) {
            Ok(()) => {}
            Err(Error::Io(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    good.say(0.2);
    good.tell(&json!({ "type": "end" }));
    good.wait("spoken");
    let stream = deaf.0.get_mut();
    let tungstenite::stream::MaybeTlsStream::Plain(stream) = stream else { panic!("loopback is plain") };
    let _ = stream.flush();
}
