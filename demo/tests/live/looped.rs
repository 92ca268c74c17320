//! A sound file over and over.

use std::process::Command;
use std::time::Duration;

use crate::server::{Server, eventually};

/// An hour of silence packs into half a megabyte and unpacks to 700.
#[test]
fn a_long_file_is_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hour.flac");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "3600", "-c:a", "flac"])
        .arg(&file)
        .status()
        .unwrap_or_else(|e| panic!("ffmpeg cannot be started ({e}); ./test installs it"));
    assert!(made.success());
    let server = Server::start(&["--generator", "warp", "--loop", file.to_str().unwrap()]);
    eventually("the session is there", || {
        server.json("/v1/stats")["sessions"].as_array().is_some_and(|all| !all.is_empty())
    });
    // It has time to fill whatever it keeps.
    std::thread::sleep(Duration::from_secs(2));
    let (resident, ..) = server.held();
    assert!(resident < 350 << 10, "{resident} KiB");
    // The file may go: what is open stays open, and the server too.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(server.get("/healthz", &[]).status(), 200);
}
