//! A camera drives a session's face.

use std::io::{BufRead as _, BufReader, Cursor};
use std::process::{Command, Stdio};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;
use vultus_native::assets::Assets;

use crate::agent::close_code;
use crate::clients;
use crate::server::{Channel, Server};

/// The portrait of an avatar in the middle of a larger picture, turned clockwise by so many radians, as JPEG.
fn picture(turn: f32) -> Vec<u8> {
    let portrait = Assets::embedded().avatar("kenji").unwrap().portrait;
    let side = portrait.side as f32;
    let (sin, cos) = turn.sin_cos();
    let turned = RgbImage::from_fn(640, 480, |x, y| {
        // Shown at 480 pixels.
        let [u, v] = [(x as f32 - 320.0) * side / 480.0, (y as f32 - 240.0) * side / 480.0];
        let [u, v] = [cos * u + sin * v + side / 2.0, cos * v - sin * u + side / 2.0];
        let inside = (0.0..side).contains(&u) && (0.0..side).contains(&v);
        let at = 3 * (v as usize * portrait.side + u as usize);
        Rgb(if inside { portrait.rgb[at..at + 3].try_into().unwrap() } else { [90; 3] })
    });
    let mut jpeg = Cursor::new(Vec::new());
    turned.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

fn mirror(server: &Server, query: &str) -> Channel {
    server.socket(&format!("/v1/mirror?{query}"))
}

/// Shows a picture, and waits until it was looked at.
fn show(camera: &mut Channel, picture: &[u8]) -> serde_json::Value {
    camera.0.send(Message::Binary(picture.to_vec().into())).unwrap();
    camera.wait("seen")
}

#[test]
fn a_head_that_tilts_before_the_camera_tilts_in_the_session() {
    let server = Server::start(&["--generator", "warp"]);
    let mut face = server.socket("/v1/drive");
    let session = format!("session={}", face.wait("ready")["session"].as_str().unwrap());
    let mut camera = mirror(&server, &session);
    assert_eq!(camera.wait("ready")["side_max"], 1920);

    let upright = picture(0.0);
    let first = show(&mut camera, &upright);
    let shares: Vec<f64> = first["face"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect();
    assert!(shares[0] > 0.2 && shares[2] < 0.8 && shares[1] < shares[3], "the face is in the middle: {first}");
    while show(&mut camera, &upright)["calibrated"].as_f64().unwrap() < 1.0 {}

    // A fifth of a radian, for as long as it takes to arrive: frames from before wait to be read.
    let tilted = picture(0.2);
    let mut roll = 0.0f64;
    for _ in 0..300 {
        show(&mut camera, &tilted);
        roll = face.wait("frame")["pose"][2].as_f64().unwrap();
        if roll.abs() > 0.12 {
            break;
        }
    }
    for _ in 0..30 {
        show(&mut camera, &tilted);
        roll = face.wait("frame")["pose"][2].as_f64().unwrap();
    }
    assert!((0.12..0.28).contains(&roll.abs()), "the head tilts by {roll}");

    // No face, no pictures, and what is no message.
    assert_eq!(show(&mut camera, &picture_of_nothing())["face"], json!(null));
    camera.0.send(Message::Text("{\"type\":\"dance\"}".into())).unwrap();
    assert!(camera.wait("error")["error"].as_str().unwrap().contains("not understood"));
    for _ in 0..60 {
        let _ = camera.0.send(Message::Binary(vec![7; 100].into()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(close_code(&mut camera), CloseCode::Invalid, "garbage is not looked at for ever");
    face.wait("frame");
    let mut again = mirror(&server, &session);
    again.wait("ready");
    again.0.send(Message::Binary(vec![7; 2 << 20].into())).ok();
    assert_eq!(close_code(&mut again), CloseCode::Size, "a picture of 2 MiB");
}

/// By a client that is not ours, which encodes H.264.
#[test]
fn a_whip_publishers_camera_moves_the_face() {
    let server = Server::start(&["--generator", "warp"]);
    let folder = tempfile::tempdir().unwrap();
    let [upright, tilted] = [("upright.jpg", 0.0), ("tilted.jpg", 0.2)].map(|(name, turn)| {
        let path = folder.path().join(name);
        std::fs::write(&path, picture(turn)).unwrap();
        path
    });
    let mut publisher = Command::new(clients::folder().join(".venv/bin/python"))
        .arg(clients::folder().join("aiortc_camera.py"))
        .arg(format!("http://{}", server.address))
        .args([&upright, &tilted])
        .arg("12")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(publisher.stdout.take().unwrap()).lines();
    let mut line = || serde_json::from_str::<serde_json::Value>(&said.next().unwrap().unwrap()).unwrap();
    let session = line()["session"].as_str().unwrap().to_owned();
    let mut face = server.socket(&format!("/v1/drive?session={session}"));
    // Where it ends up; a slow machine sees less of the tilted head, and a camera's face is let go some time after its last picture.
    let mut farthest = 0.0f64;
    for _ in 0..275 {
        let roll = face.wait("frame")["pose"][2].as_f64().unwrap();
        farthest = if roll.abs() > farthest.abs() { roll } else { farthest };
    }
    let end = line();
    assert_eq!((&end["state"], &end["ended"]), (&json!("connected"), &json!(200)), "{end}");
    assert!((0.12..0.28).contains(&farthest.abs()), "the head tilts by {farthest}");
    assert!(publisher.wait().unwrap().success());
}

fn picture_of_nothing() -> Vec<u8> {
    let mut jpeg = Cursor::new(Vec::new());
    RgbImage::from_fn(320, 240, |x, y| Rgb([(x / 2) as u8, (y / 2) as u8, 99]))
        .write_to(&mut jpeg, ImageFormat::Jpeg)
        .unwrap();
    jpeg.into_inner()
}
