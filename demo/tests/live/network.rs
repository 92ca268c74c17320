//! Where the server can be reached: behind a reverse proxy, behind NAT, by IPv6.

use std::process::Command;

use super::hostile::OFFER;
use super::server::{Server, sentence};

#[test]
fn behind_a_proxy_it_answers_to_its_public_names() {
    let refused =
        Command::new(env!("CARGO_BIN_EXE_vultus")).args(["serve", "--public-name", "a.example"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("--token"));

    let names = ["--public-name", "avatar.example", "--public-name", "other.example", "--token", "s3cret"];
    let server = Server::start(&names);
    let token = ("Authorization", "Bearer s3cret");
    for (host, origin, status) in [
        ("avatar.example", "https://avatar.example", 200),
        ("other.example", "https://other.example", 200),
        ("localhost", "https://avatar.example", 200),
        ("avatar.example", "https://evil.example", 403),
        ("evil.example", "https://evil.example", 403),
    ] {
        let response = server.get("/v1/stats", &[("Host", host), ("Origin", origin), token]);
        assert_eq!(response.status(), status, "{host} {origin}");
    }
    assert!(sentence(server.get("/", &[("Host", "evil.example")])).contains("--public-name"));
}

fn answer(arguments: &[&str]) -> String {
    let server = Server::start(arguments);
    let mut answer = server.offer("/v1/whep", "application/sdp", OFFER.as_bytes());
    assert_eq!(answer.status(), 201);
    answer.body_mut().read_to_string().unwrap()
}

#[test]
fn the_answer_says_where_media_are_sent() {
    for (arguments, address) in [
        (&["--public-address", "203.0.113.7"][..], "203.0.113.7"),
        (&["--media-bind", "0.0.0.0", "--public-address", "203.0.113.8"], "203.0.113.8"),
        (&["--media-bind", "127.0.0.2"], "127.0.0.2"),
        (&["--host", "::1"], "::1"),
        (&["--host", "::1", "--public-address", "2001:db8::7"], "2001:db8::7"),
    ] {
        let answer = answer(arguments);
        let candidates: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
        assert!(!candidates.is_empty(), "{answer}");
        assert!(candidates.iter().all(|line| line.split(' ').nth(4) == Some(address)), "{arguments:?}: {answer}");
    }
}
