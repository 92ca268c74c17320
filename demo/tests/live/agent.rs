//! Agents and text-to-speech on the speak socket, as they really are: any chunks, whole files, minutes at once, and an interrupt on top.

use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use super::server::{Channel, Server};

/// A tone with 16 bits.
fn tone(rate: u32, seconds: f32) -> Vec<u8> {
    let samples =
        (0..(rate as f32 * seconds) as u32).map(|n| (9000.0 * (n as f32 * 1200.0 / rate as f32).sin()) as i16);
    samples.flat_map(i16::to_le_bytes).collect()
}

fn wav(rate: u32, channels: u16, pcm: &[u8], length: u32) -> Vec<u8> {
    let block = 2 * channels;
    let mut out = [&b"RIFF"[..], &length.wrapping_add(36).to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0"].concat();
    out.extend(channels.to_le_bytes());
    out.extend([rate, rate * u32::from(block)].map(u32::to_le_bytes).concat());
    out.extend([block, 16].map(u16::to_le_bytes).concat());
    out.extend([&b"data"[..], &length.to_le_bytes(), pcm].concat());
    out
}

fn send(agent: &mut Channel, bytes: Vec<u8>) {
    agent.0.send(Message::binary(bytes)).unwrap();
}

/// Ends the utterance and gives its length as the server says it, milliseconds.
fn ended(agent: &mut Channel) -> i64 {
    agent.tell(&json!({ "type": "end" }));
    agent.wait("spoken")["position_ms"].as_i64().unwrap()
}

pub(crate) fn close_code(agent: &mut Channel) -> CloseCode {
    loop {
        match agent.0.read() {
            Ok(Message::Close(frame)) => return frame.expect("a reason").code,
            Ok(_) => {}
            Err(error) => panic!("it was cut without a close: {error}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_is_stopped_says_so() {
    let mut server = Server::start(&[]);
    let mut sockets = ["/v1/speak", "/v1/drive", "/v1/mirror"].map(|path| server.socket(path));
    sockets.iter_mut().for_each(|socket| {
        socket.wait("ready");
    });
    server.end();
    sockets.iter_mut().for_each(|socket| assert_eq!(close_code(socket), CloseCode::Away));
}

#[test]
fn chunks_of_any_size_and_whole_files_are_said() {
    let server = Server::start(&[]);
    let near = |agent: &mut Channel, want: i64, what: &str| {
        let said = ended(agent);
        assert!((said - want).abs() <= 20, "{what}: {said} ms said of {want}");
    };
    let mut agent = server.speak("");
    for piece in tone(24_000, 0.8).chunks(4063) {
        send(&mut agent, piece.to_vec());
    }
    near(&mut agent, 800, "s16le in pieces of 4063 bytes");
    // A WAV a sentence, one with its length and one without, at other rates; the header in two messages.
    let (first, second) = (tone(16_000, 0.4), tone(44_100, 0.4));
    let file = wav(16_000, 1, &first, first.len() as u32);
    send(&mut agent, file[..17].to_vec());
    send(&mut agent, file[17..].to_vec());
    send(&mut agent, wav(44_100, 1, &second, u32::MAX));
    near(&mut agent, 800, "two files");
    // Two channels are half as long.
    send(&mut agent, wav(24_000, 2, &tone(24_000, 0.8), 0));
    near(&mut agent, 400, "two channels");
    // Whatever is left is told, and ends nothing.
    send(&mut agent, vec![0; 4801]);
    agent.tell(&json!({ "type": "end" }));
    let odd = agent.wait("error");
    assert_eq!((&odd["code"], &odd["byte"]), (&json!("odd_byte"), &json!(4800)), "{odd}");
    agent.wait("spoken");

    let mut phone = server.speak("rate=8000&format=mulaw");
    send(&mut phone, vec![0x55; 4001]);
    near(&mut phone, 500, "µ-law");
    let mut floats = server.speak("rate=48000&format=f32le&channels=2");
    for piece in [0.1f32; 38_400].map(f32::to_le_bytes).concat().chunks(1001) {
        send(&mut floats, piece.to_vec());
    }
    near(&mut floats, 400, "f32le, two channels");
    let mut texts = server.speak("rate=24000");
    for _ in 0..10 {
        texts.tell(&json!({ "type": "audio", "data": "AAAA".repeat(400) }));
    }
    near(&mut texts, 250, "base64");
}

#[test]
fn a_file_that_contradicts_the_address_is_an_error_with_its_field() {
    let server = Server::start(&[]);
    let mut agent = server.speak("rate=24000&format=s16le");
    assert_eq!(agent.wait("ready")["rate"], 24_000);
    send(&mut agent, wav(44_100, 1, &tone(44_100, 0.1), 0));
    let error = agent.wait("error");
    assert_eq!((&error["field"], &error["byte"]), (&json!("rate"), &json!(20)), "{error}");
    assert!(error["error"].as_str().unwrap().contains("44100"));
    assert_eq!(close_code(&mut agent), CloseCode::Invalid);
    for (query, words) in [
        ("format=mp3", "alaw"),
        ("rate=4000", "8000 to 192000"),
        ("rate=fast", "8000 to 192000"),
        ("channels=0", "1 to 32"),
        ("intensity=x", "intensity"),
    ] {
        let Err(tungstenite::Error::Http(refused)) = server.try_speak(query) else { panic!("{query} was taken") };
        assert_eq!(refused.status(), 400, "{query}");
        let body = String::from_utf8(refused.into_body().unwrap()).unwrap();
        let error: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(error["error"].as_str().unwrap().contains(words), "{query}: {body}");
    }
}

#[test]
fn five_minutes_at_once_are_taken_and_an_interrupt_right_behind_them_is_seen() {
    let server = Server::start(&[]);
    for size in [16 << 20, 4063] {
        let mut agent = server.speak("rate=24000");
        let minutes = tone(24_000, 300.0);
        let begun = Instant::now();
        for piece in minutes.chunks(size) {
            send(&mut agent, piece.to_vec());
        }
        agent.tell(&json!({ "type": "end", "id": "long" }));
        assert_eq!(agent.wait("started")["utterance"], 1);
        agent.wait_for("stats", |stats| stats["queued_ms"].as_u64() > Some(240_000));
        eprintln!("five minutes in pieces of {size} bytes: {:?} until they were told to wait", begun.elapsed());
        // Once more, and nothing of it has been said when the interrupt goes out behind it.
        for piece in minutes.chunks(size) {
            send(&mut agent, piece.to_vec());
        }
        let sent = Instant::now();
        agent.tell(&json!({ "type": "interrupt" }));
        let told = agent.wait("interrupted");
        let took = sent.elapsed();
        eprintln!("interrupted {took:?} after it was sent behind five minutes: {told}");
        assert_eq!((&told["utterance"], &told["id"]), (&json!(1), &json!("long")));
        let position = told["position_ms"].as_u64().unwrap();
        assert!(position > 0 && position < 60_000, "{told}");
        agent.wait_for("stats", |stats| stats["queued_ms"] == 0 && stats["speaking"] == false);
        // And it goes on with what comes next.
        send(&mut agent, tone(24_000, 0.2));
        assert!((180..=220).contains(&ended(&mut agent)));
    }
}

#[test]
fn an_agent_learns_what_was_said_and_how_far_it_got() {
    let server = Server::start(&[]);
    let mut agent = server.speak("");
    let session = agent.wait("ready")["session"].as_str().unwrap().to_owned();
    let mut button = server.speak(&format!("session={session}"));
    for id in ["a", "b"] {
        agent.tell(&json!({ "type": "begin", "id": id }));
        agent.say(if id == "a" { 0.4 } else { 20.0 });
        agent.tell(&json!({ "type": "end" }));
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(agent.next_of(&["started", "spoken", "interrupted"]));
    }
    assert_eq!(seen[0], json!({ "type": "started", "utterance": 1, "id": "a" }));
    assert_eq!((&seen[1]["type"], &seen[1]["id"]), (&json!("spoken"), &json!("a")));
    assert_eq!(seen[2], json!({ "type": "started", "utterance": 2, "id": "b" }));
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(1500));
    // Anybody in the session may; the socket that speaks is told which of its own was cut, the others only that it was.
    button.tell(&json!({ "type": "interrupt" }));
    let told = agent.next_of(&["started", "spoken", "interrupted"]);
    let most = begun.elapsed().as_millis() as u64 + 200;
    assert_eq!((&told["type"], &told["utterance"], &told["id"]), (&json!("interrupted"), &json!(2), &json!("b")));
    let position = told["position_ms"].as_u64().unwrap();
    assert!((300..=most).contains(&position), "{position} ms of at most {most}");
    let other = button.wait("interrupted");
    assert!(other.get("utterance").is_none() && other["position_ms"] == position, "{other}");
    // Where nothing is said, an interrupt is answered all the same.
    button.tell(&json!({ "type": "interrupt" }));
    assert_eq!(button.wait("interrupted")["position_ms"], 0);
}

#[test]
fn an_agent_that_vanishes_in_mid_utterance_leaves_the_floor() {
    let server = Server::start(&[]);
    let mut agent = server.speak("");
    let session = agent.wait("ready")["session"].as_str().unwrap().to_owned();
    let mut next = server.speak(&format!("session={session}"));
    agent.say(60.0);
    // What has not been read is lost with the socket; this much is in the session by then.
    next.wait_for("stats", |stats| stats["speaking"] == true && stats["queued_ms"].as_u64() > Some(10_000));
    agent.0.send(Message::binary(vec![1])).unwrap();
    drop(agent);
    next.tell(&json!({ "type": "interrupt" }));
    next.wait("interrupted");
    next.say(0.2);
    assert!((180..=220).contains(&ended(&mut next)));
}

#[test]
fn a_flood_of_pings_is_cut_and_others_do_not_notice() {
    let server = Server::start(&[]);
    let mut good = server.speak("");
    let mut bad = server.speak("");
    bad.wait("ready");
    for _ in 0..30_000 {
        if bad.0.send(Message::Ping(vec![0u8; 100].into())).is_err() {
            break;
        }
    }
    assert!(bad.is_cut());
    good.say(0.2);
    assert!((180..=220).contains(&ended(&mut good)));
}
