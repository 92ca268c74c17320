//! Every no is JSON, with a sentence, and says nothing of where files are on the server.

use serde_json::Value;

use super::hostile::OFFER;
use super::server::Server;

const GET: &str = "GET";

/// A whole answer: status, headers, the sentence.
fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let connection = if headers.contains("Upgrade:") { "close, Upgrade" } else { "close" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n{headers}{length}\r\n{body}"
    );
    let answer = server.ask(request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
    let status = head[9..12].parse().unwrap();
    let error = if status < 400 {
        String::new()
    } else {
        assert!(head.to_lowercase().contains("content-type: application/json"), "{method} {path}: {head}");
        let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{method} {path}: {body:?}"));
        value["error"].as_str().unwrap_or_else(|| panic!("{method} {path}: {body}")).to_owned()
    };
    (status, head.to_lowercase(), error)
}

#[test]
fn every_refusal_is_a_sentence_in_json() {
    let server = Server::start(&["--max-sessions", "1"]);
    let sdp = "Content-Type: application/sdp\r\n";
    let socket = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let old = socket.replace("13", "8");
    let long = "a".repeat(70_000);
    for (method, path, headers, body, status) in [
        (GET, "/nothing", "", "", 404),
        (GET, "/v1/nothing", "", "", 404),
        (GET, "/v1/nothing/at/all", "", "", 404),
        (GET, "/v1/avatars/nobody.jpg", "", "", 404),
        // What no handler sees: the router's own extractors.
        (GET, "/v1/avatars/%ff.jpg", "", "", 400),
        (GET, "/%ff", "", "", 404),
        ("DELETE", "/v1/whep/%ff", "", "", 400),
        ("DELETE", "/v1/whep/nobody", "", "", 404),
        ("PUT", "/v1/stats", "", "", 405),
        ("POST", "/", "", "", 405),
        ("POST", "/v1/speak", "", "", 405),
        ("PATCH", "/v1/whip", sdp, "x", 405),
        ("BREW", "/v1/avatars", "", "", 405),
        ("POST", "/v1/whep", sdp, &long, 413),
        ("POST", "/v1/whep", "", OFFER, 415),
        ("POST", "/v1/whep", "Content-Type: text/plain\r\n", OFFER, 415),
        ("POST", "/v1/whep?intensity=x", sdp, OFFER, 400),
        ("POST", "/v1/whep?intensity=9", sdp, OFFER, 400),
        ("POST", "/v1/whep?emotion=%ff", sdp, OFFER, 400),
        ("POST", "/v1/whep?session=nobody", sdp, OFFER, 404),
        ("POST", "/v1/whep?avatar=../../etc/passwd", sdp, OFFER, 404),
        (GET, "/v1/speak", "", "", 426),
        (GET, "/v1/speak", &old, "", 426),
        (GET, "/v1/speak?rate=1", socket, "", 400),
        (GET, "/v1/speak?rate=8000&rate=9000", socket, "", 400),
        (GET, "/v1/speak?format=mp3", socket, "", 400),
        (GET, "/v1/speak?avatar=nobody", socket, "", 404),
        (GET, "/v1/speak?session=nobody", socket, "", 404),
        (GET, "/v1/stats", "Origin: http://evil.example\r\n", "", 403),
    ] {
        let (got, head, error) = ask(&server, method, path, headers, body);
        assert_eq!(got, status, "{method} {path}: {error}");
        assert!(error.chars().count() > 10, "{method} {path}: {error:?}");
        assert!(!error.contains("weights") && !error.contains(".avatar"), "{method} {path}: {error}");
        assert_eq!(status == 405, head.contains("\r\nallow: "), "{method} {path}: {head}");
    }
    let mut holder = server.speak("");
    holder.wait("ready");
    let (got, head, error) = ask(&server, GET, "/v1/speak", socket, "");
    assert_eq!(got, 503, "{error}");
    assert!(head.contains("retry-after: "), "{head}");
    let guarded = Server::start(&["--token", "s3cret"]);
    for path in ["/v1/stats", "/metrics", "/v1/nothing"] {
        let (got, head, _) = ask(&guarded, GET, path, "", "");
        assert!(got == 401 && head.contains("www-authenticate: bearer"), "{path}: {head}");
    }
}

#[test]
fn an_avatar_that_cannot_be_read_any_more_is_told_by_name_not_by_place() {
    // A folder of weights, one of whose avatars is broken after the server has started.
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights");
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    copy(weights.as_ref(), folder.path());
    std::fs::create_dir(folder.path().join("avatars")).unwrap();
    copy(&std::path::Path::new(weights).join("avatars"), &folder.path().join("avatars"));
    let place = folder.path().to_str().unwrap();
    let server = Server::start(&["--weights", place, "--generator", "warp"]);
    std::fs::write(folder.path().join("avatars/jonas.avatar"), "broken").unwrap();

    let (status, _, error) = ask(&server, GET, "/v1/avatars/jonas.jpg", "", "");
    assert!(status == 500 && !error.contains(place) && !error.contains("jonas.avatar"), "{status} {error}");
    let mut agent = server.speak("");
    agent.tell(&serde_json::json!({ "type": "avatar", "avatar": "jonas" }));
    let told = agent.wait("error").to_string();
    assert!(!told.contains(place) && told.contains("avatar"), "{told}");
    let Err(tungstenite::Error::Http(refused)) = server.try_speak("avatar=jonas") else { panic!("it was opened") };
    let body = String::from_utf8(refused.into_body().unwrap()).unwrap();
    assert!(!body.contains(place), "{body}");
}
