//! A call in a real browser, by the program itself. Needs Chromium; `./test` installs it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No measure of anything: a run that takes longer is not going to end.
const GUARD: Duration = Duration::from_secs(180);

fn vultus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu").arg("latency").args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the end, and gives the exit code and what was written to stdout and stderr.
fn finish(mut child: Child) -> (Option<i32>, String, String) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > GUARD {
            // Politely, so that it takes its browser with it.
            end(&child);
            let output = child.wait_with_output().unwrap();
            panic!("still running after {GUARD:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// As ctrl-C does.
fn end(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn number(json: &Value, path: &str) -> f64 {
    json.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is no number in {json:#}"))
}

#[test]
fn a_browser_sees_the_mouth_answer_the_microphone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latency.json");
    let path = file.to_str().unwrap();
    let run = ["--seconds", "8", "--size", "256", "--interrupts", "2", "--json", path];
    let (code, table, errors) = finish(vultus(&run).spawn().unwrap());
    assert_eq!(code, Some(0), "{errors}");
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();

    assert!(number(&report, "/page/video/frames_decoded") > 30.0, "{report:#}");
    assert!(number(&report, "/fps") > 0.0);
    let (onsets, missed) = (number(&report, "/onsets"), number(&report, "/missed"));
    assert!(onsets >= 2.0, "onsets seen by the page: {onsets}; {report:#}");
    assert!(missed * 2.0 < onsets, "{missed} of {onsets} onsets without an answer; {report:#}");
    for path in ["/mic_to_glass_ms/p50", "/mic_to_glass_ms/p95", "/mic_to_glass_ms/p99", "/mic_to_voice_ms/p50"] {
        let ms = number(&report, path);
        // Later than a second the page would not have taken it for an answer.
        assert!(ms > 0.0 && ms < 1000.0, "{path}: {ms}");
    }
    assert!(number(&report, "/av_offset_ms").abs() < 3000.0);
    for stage in ["capture", "mel", "motion", "face", "generator", "encode", "send", "server"] {
        assert!(number(&report, &format!("/stages_ms/{stage}/p50")) >= 0.0, "{stage}");
    }
    assert!(number(&report, "/stages_ms/server/p95") > 0.0);
    // One of them may find no moment with an open mouth, on a machine that is very busy.
    assert_eq!(number(&report, "/interrupt_ms/tried"), 2.0);
    assert!(number(&report, "/interrupt_ms/voice/p50") >= 0.0);
    assert_eq!((report["size"].as_u64(), report["lookahead"].as_u64()), (Some(256), Some(2)));
    for words in ["lips move on the screen", "voice after picture", "frames a second", "server, all of it"] {
        assert!(table.contains(words), "{words:?} in\n{table}");
    }
}

#[test]
fn a_missing_browser_is_one_sentence() {
    let nowhere = tempfile::tempdir().unwrap();
    let (code, _, errors) = finish(vultus(&[]).env("PATH", nowhere.path()).spawn().unwrap());
    assert_eq!(code, Some(1));
    assert!(errors.contains("apt install chromium") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn ctrl_c_ends_the_browser_too_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = vultus(&["--size", "256"]).env("TMPDIR", folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let step = lines.by_ref().find(|line| line.contains("calling"));
    assert!(step.is_some(), "the page never called");
    end(&child);
    let (code, _, _) = finish(child);
    assert_eq!(code, Some(130));
    // The profile was in there, and whoever still ran would write it anew.
    std::thread::sleep(Duration::from_millis(300));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("vultus-latency")), "{left:?}");
}
