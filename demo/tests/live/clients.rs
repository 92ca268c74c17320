//! Clients that are not ours, in Python, against the program as it is: aiortc and GStreamer. `./test` installs them. (aiortc's camera is among the tests of cameras.)

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::server::{Server, eventually};

/// Seconds for which aiortc calls; the time after which a peer that is taken for silent would be hung up fits in twice.
const CALL: u32 = 60;
/// Seconds for which GStreamer watches.
const WATCH: u32 = 12;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// What a script prints at its end.
fn run(python: &Path, script: &str, arguments: &[&str]) -> Value {
    assert!(python.exists(), "{} is missing: run ./test, which installs the clients", python.display());
    let output = Command::new(python)
        .arg(folder().join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{script}: {error}: {said}"))
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name} is no number: {report}"))
}

#[test]
fn aiortc_speaks_and_watches_for_a_minute() {
    let server = Server::start(&["--generator", "warp"]);
    let speech = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights/sample.wav");
    let url = format!("http://{}", server.address);
    let report = run(&folder().join(".venv/bin/python"), "aiortc_call.py", &[&url, speech, &CALL.to_string()]);

    assert_eq!(report["lost"], json!([]), "{report}");
    assert_eq!(report["states"], json!(["connected", "connected"]), "{report}");
    assert_eq!(report["ended"], json!([200, 200]), "{report}");
    assert_eq!(report["size"], json!([256, 256]), "{report}");
    // Of 25 pictures and 50 packets of voice a second; a slow machine makes fewer of the first.
    let seconds = f64::from(CALL);
    // None is shown or played twice; a second more than asked for may be in the count.
    assert!((5.0 * seconds..=25.0 * (seconds + 5.0)).contains(&number(&report, "pictures")), "{report}");
    assert!((25.0 * seconds..=50.0 * (seconds + 5.0)).contains(&number(&report, "voice")), "{report}");
    assert!(number(&report, "longest_gap") < 10.0, "{report}");
    assert!(number(&report, "loudest") > 0.01, "the voice of the face is the microphone's: {report}");
    // Before and after its number and time jumped.
    for half in 0..2 {
        assert!(
            report["heard"][half].as_f64().unwrap() > 0.25 * seconds,
            "seconds in which the microphone was heard: {report}"
        );
    }
    eventually("both are gone", || server.json("/v1/stats")["peers"] == 0);
}

/// Once by H.264's name alone, which means packets of one unit each (RFC 6184, packetization-mode 0), and once with a profile and mode 1.
#[test]
#[cfg(target_os = "linux")]
fn gstreamer_watches() {
    let server = Server::start(&["--generator", "warp"]);
    let url = format!("http://{}", server.address);
    for fmtp in [&[][..], &["packetization-mode=(string)1", "profile-level-id=(string)640c1f"]] {
        let seconds = WATCH.to_string();
        let report =
            run(Path::new("/usr/bin/python3"), "gstreamer_watch.py", &[&[&*url, &*seconds][..], fmtp].concat());
        assert_eq!((&report["failed"], &report["ended"]), (&Value::Null, &json!(200)), "{report}");
        assert!(number(&report, "pictures") > 2.0 * f64::from(WATCH), "{report}");
        assert!(number(&report, "voice") > 10.0 * f64::from(WATCH), "{report}");
        assert!(number(&report, "longest_gap") < 10.0, "{report}");
        eventually("it is gone", || server.json("/v1/stats")["peers"] == 0);
    }
}
