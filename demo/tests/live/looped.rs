//! A sound file over and over.

use std::process::Command;

use crate::server::{Server, eventually};

/// An hour of a tone packs into a few megabytes and unpacks to 700. It is a tone, because a session that hears nothing rests.
#[test]
fn a_long_file_is_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hour.flac");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=f=220:r=8000", "-t", "3600", "-c:a", "flac"])
        .arg(&file)
        .status()
        .unwrap_or_else(|e| panic!("ffmpeg cannot be started ({e}); ./test installs it"));
    assert!(made.success());
    let server = Server::start(&["--generator", "warp", "--loop", file.to_str().unwrap()]);
    // Five seconds of it have been heard and have moved the face: who unpacks all of it before that has done so, and who does it beside that is far into it.
    // The most that was ever held counts.
    eventually("five seconds of the file are heard", || {
        let stats = server.json("/v1/stats");
        stats["sessions"][0]["speaking"] == true && stats["stages_ms"]["motion"]["count"].as_u64() >= Some(5 * 25)
    });
    let most = server.peak();
    assert!(most < 350 << 10, "{most} KiB");
    // The file may go: what is open stays open, and the server too.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(server.get("/healthz", &[]).status(), 200);
}
