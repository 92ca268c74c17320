//! What a session makes, for programs: coefficients on a socket, and recordings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tungstenite::client::IntoClientRequest as _;

use crate::server::{Channel, Server, eventually};

fn drive(server: &Server, query: &str) -> Channel {
    server.socket(&format!("/v1/drive?{query}"))
}

#[test]
fn coefficients_come_as_lines_of_json_while_nobody_watches() {
    let server = Server::start(&["--generator", "warp"]);
    let mut face = drive(&server, "emotion=happy&intensity=2");
    let ready = face.wait("ready");
    let names: Vec<&str> = ready["beta"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!((names.len(), names[17], &ready["fps"]), (64, "jawOpen", &json!(25)));
    assert_eq!(ready["pose"], json!(["pitch", "yaw", "roll", "x", "y", "z"]));

    let mut agent = server.speak(&format!("session={}", ready["session"].as_str().unwrap()));
    agent.say(2.0);
    agent.tell(&json!({ "type": "end" }));
    let frames: Vec<_> = (0..75).map(|_| face.wait("frame")).collect();
    assert!(frames.iter().all(|frame| frame["beta"].as_array().is_some_and(|beta| beta.len() == 64)));
    assert!(frames.iter().all(|frame| frame["pose"].as_array().is_some_and(|pose| pose.len() == 6)));
    let times: Vec<f64> = frames.iter().map(|frame| frame["time_ms"].as_f64().unwrap()).collect();
    // A machine that cannot keep up drops frames; those that come are in order and on the grid of 40 ms, unless the clock jumped: by blocks of 5 ms, once it
    // was 0.4 s behind.
    let is_on_the_grid = |step: f64| (step / if step < 400.0 { 40.0 } else { 5.0 }).fract().abs() < 1e-6;
    assert!(times.windows(2).all(|w| w[1] > w[0] && is_on_the_grid(w[1] - w[0])), "{times:?}");
    let jaw = |frame: &serde_json::Value| frame["beta"][17].as_f64().unwrap();
    let (least, most) = frames.iter().map(jaw).fold((1.0f64, 0.0f64), |(a, b), x| (a.min(x), b.max(x)));
    assert!(most > least + 0.02, "the mouth moves with what is said: {least} to {most}");
    // Nothing is drawn for it.
    assert_eq!(server.json("/v1/stats")["sessions"][0]["video_bytes"], 0);
    agent.wait("spoken");

    // It only tells.
    let mut other = drive(&server, &format!("session={}", ready["session"].as_str().unwrap()));
    other.wait("ready");
    other.tell(&json!({ "type": "end" }));
    assert!(other.is_cut());
    face.wait("frame");

    // Whoever can set no header says the token in the address or among the protocols, as on the other socket.
    let guarded = Server::start(&["--generator", "warp", "--token", "s3cret"]);
    drive(&guarded, "token=s3cret").wait("ready");
    let mut request = format!("ws://{}/v1/drive", guarded.address).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "vultus.v1, bearer.s3cret".parse().unwrap());
    Channel(tungstenite::connect(request).unwrap().0).wait("ready");

    let refused = tungstenite::connect(format!("ws://{}/v1/drive?session=nobody", server.address)).unwrap_err();
    let tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
    assert_eq!(answer.status(), 404);
}

fn films(folder: &Path) -> Vec<PathBuf> {
    let mut films: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    films.sort();
    films
}

/// Frames and seconds of a stream, as ffprobe counts them.
fn probe(film: &Path, stream: &str) -> (u64, f64) {
    let args = ["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(args).arg(film).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    (times.len() as u64, times.last().copied().unwrap_or(0.0))
}

/// Mean RGB of the upper left corner of each picture of a film.
fn corners(film: &Path) -> Vec<[u32; 3]> {
    let filter = ["-vf", "crop=16:16:0:0,scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    let output = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(film).args(filter).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.as_chunks().0.iter().map(|rgb| rgb.map(u32::from)).collect()
}

#[test]
fn a_session_changes_what_is_behind_the_face() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("blue wall.png");
    image::RgbImage::from_pixel(96, 64, image::Rgb([20, 40, 220])).save(&picture).unwrap();
    let (films_in, picture) = (dir.path().to_str().unwrap(), picture.to_str().unwrap());
    let mut server = Server::start(&["--generator", "warp", "--record", films_in, "--background", picture]);
    let list = server.json("/v1/avatars");
    assert_eq!(list["backgrounds"], json!(["portrait", "blur", "picture"]));
    assert_eq!(list["background"], "picture");
    let mut agent = server.speak("avatar=amara&background=%2300ff00");
    agent.wait_for("state", |state| state["background"] == "#00ff00");
    let said = |agent: &mut Channel| {
        agent.say(0.6);
        agent.tell(&json!({ "type": "end" }));
        agent.wait("spoken");
    };
    said(&mut agent);
    for (wanted, told) in [("ff0000", "#ff0000"), ("picture", "picture"), ("blur", "blur"), ("portrait", "portrait")] {
        agent.tell(&json!({ "type": "background", "background": wanted }));
        let state = agent.wait_for("state", |state| state["background"] == told);
        assert_eq!(state["avatar"], "amara");
        said(&mut agent);
    }
    // Another face keeps what is behind it, and nothing that is wrong changes anything.
    agent.tell(&json!({ "type": "background", "background": "#0000ff" }));
    agent.wait_for("state", |state| state["background"] == "#0000ff");
    agent.tell(&json!({ "type": "avatar", "avatar": "jonas" }));
    agent.wait_for("state", |state| state["avatar"] == "jonas" && state["background"] == "#0000ff");
    for (wrong, words) in [
        (json!("none"), "H.264 has none"),
        (json!("blurr"), "did you mean blur?"),
        (json!(picture), "portrait, blur, picture, or give a colour such as #00ff00"),
        (json!(7), "is a text"),
    ] {
        agent.tell(&json!({ "type": "background", "background": wrong }));
        let error = agent.wait("error");
        assert_eq!(error["field"], "background", "{error}");
        assert!(error["error"].as_str().unwrap().contains(words), "{wrong}: {error}");
    }
    said(&mut agent);
    assert_eq!(server.json("/v1/stats")["sessions"][0]["background"], "#0000ff");
    let Err(tungstenite::Error::Http(refused)) = server.try_speak("background=none") else { panic!("it was taken") };
    assert_eq!(refused.status(), 400);
    // Who says nothing has the server's.
    server.speak("").wait_for("state", |state| state["background"] == "picture");

    server.end();
    let all: Vec<[u32; 3]> = films(dir.path())
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "mp4"))
        .flat_map(|film| corners(film))
        .collect();
    for colour in [[0, 255, 0], [255, 0, 0], [20, 40, 220], [0, 0, 255]] {
        let near = |rgb: &&[u32; 3]| rgb.iter().zip(&colour).all(|(a, b)| a.abs_diff(*b) < 24);
        assert!(all.iter().filter(near).count() > 3, "{colour:?} is in no corner: {all:?}");
    }
}

#[test]
fn sessions_are_recorded_and_what_is_recorded_plays() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("films");
    let missing = Server::refused(&["--record", folder.to_str().unwrap()]);
    assert!(missing.contains("--record does not exist"), "{missing}");
    fs::create_dir(&folder).unwrap();
    let mut server = Server::start(&["--generator", "warp", "--record", folder.to_str().unwrap()]);
    let mut agents = [server.speak("avatar=amara"), server.speak("avatar=jonas")];
    for agent in &mut agents {
        agent.say(3.0);
        agent.tell(&json!({ "type": "end" }));
    }
    assert_eq!(agents[0].wait("state")["recording"], json!(true));
    agents.iter_mut().for_each(|agent| drop(agent.wait("spoken")));
    // While they go on, what was written so far plays.
    eventually("two films grow", || {
        films(&folder).iter().filter(|film| fs::metadata(film).unwrap().len() > 10_000).count() == 2
    });
    let so_far: Vec<u64> = films(&folder).iter().map(|film| probe(film, "v").0).collect();
    assert!(so_far.iter().all(|pictures| *pictures > 10), "{so_far:?}");
    // The first ends with its session, the other with the server.
    drop(agents[0].0.close(None));
    server.end();
    let films = films(&folder);
    assert_eq!(films.len(), 2);
    for (film, before) in films.iter().zip(so_far) {
        let (pictures, video) = probe(film, "v");
        let (packets, sound) = probe(film, "a");
        assert!(pictures > before && packets > 100, "{pictures} pictures, {packets} packets");
        assert!(video >= 2.5 && (video - sound).abs() < 1.0, "{video} s of pictures, {sound} s of voice");
        let played =
            Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(film).args(["-f", "null", "-"]).output().unwrap();
        assert!(played.status.success() && played.stderr.is_empty(), "{}", String::from_utf8_lossy(&played.stderr));
    }
}
