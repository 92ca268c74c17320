//! Films from end to end, by the program itself. Needs `ffprobe`; `./test` installs it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights/sample.wav");

/// The first seconds of the sample speech, which is 16-bit mono at 16 kHz.
fn clip(dir: &Path, seconds: f64) {
    let sample = fs::read(SAMPLE).unwrap();
    let at = sample.windows(4).position(|w| w == b"data").unwrap() + 8;
    let data: Vec<u8> = sample[at..].iter().copied().cycle().take((seconds * 16_000.0) as usize * 2).collect();
    let mut wav = sample[..at].to_vec();
    wav[4..8].copy_from_slice(&(at as u32 - 8 + data.len() as u32).to_le_bytes());
    wav[at - 4..at].copy_from_slice(&(data.len() as u32).to_le_bytes());
    wav.extend(data);
    fs::write(dir.join("speech.wav"), wav).unwrap();
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu");
    command
}

fn vultus(dir: &Path, arguments: &[&str]) -> Output {
    let output = program().current_dir(dir).args(arguments).output().expect("the binary was just built");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn probe(file: &Path, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", entries, "-of", "default=nw=1"])
        .arg(file)
        .output()
        .unwrap_or_else(|e| panic!("ffprobe cannot be started ({e}); ./test installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_film_has_every_frame_and_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(path, 1.03);
    // 1.03 s: 25.75 frames at 25 fps, 61.8 at 60.
    for (fps, frames) in [("25", 26), ("60", 62)] {
        let run = ["render", "speech.wav", "-o", "out.mp4", "--size", "256", "--fps", fps, "--report", "report.json"];
        vultus(path, &run);
        assert_eq!(names(path), ["out.mp4", "report.json", "speech.wav"]);
        let film = probe(&path.join("out.mp4"), "stream=codec_name,width,height,nb_read_frames,start_time");
        for line in
            ["codec_name=h264", "codec_name=aac", "width=256", "height=256", &format!("nb_read_frames={frames}")]
        {
            assert!(film.iter().any(|l| l == line), "{line} is missing in {film:?}");
        }
        let report = json(&path.join("report.json"));
        assert_eq!(report["frames"], frames);
        assert_eq!(report["audio_seconds"], 1.03);
        assert_eq!(report["backend"], "cpu");
        assert_eq!(report["stages"]["picture"]["count"], frames);
        let number = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("{name} in {report:#}"));
        let [wall, work, first] = ["wall_seconds", "work_seconds", "first_frame_seconds"].map(number);
        assert!(0.0 < first && first <= wall && work <= wall, "{first} s, {work} s of {wall} s");
        assert!((number("realtime_factor") - 1.03 / work).abs() < 1e-6 * number("realtime_factor"));
        // Hearing and motion go by 40 ms of sound, the others by pictures; each stage has a thread of its own, so its times fit into the run.
        for (stage, count) in
            [("hearing", None), ("motion", None), ("picture", Some(frames)), ("encoding", Some(frames))]
        {
            let times = &report["stages"][stage];
            let at = |name: &str| times[name].as_f64().unwrap_or_else(|| panic!("{stage} {name}: {times}"));
            let order = ["p50_ms", "p95_ms", "p99_ms", "max_ms"].map(at);
            assert!(at("p50_ms") > 0.0 && order.is_sorted(), "{stage}: {times}");
            assert!(
                at("mean_ms") <= at("max_ms") && count.is_none_or(|count| times["count"] == count),
                "{stage}: {times}"
            );
            assert!(at("mean_ms") * at("count") <= 1000.0 * wall, "{stage}: {times} in {wall} s");
        }
    }
}

#[test]
fn a_blend_of_one_emotion_is_that_emotion_and_a_blend_of_two_is_neither() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(path, 0.5);
    let coeffs = |emotion: &str| {
        let run = ["coeffs", "speech.wav", "-o", "out.json", "--emotion", emotion, "--report", "report.json"];
        vultus(path, &run);
        (fs::read(path.join("out.json")).unwrap(), json(&path.join("report.json"))["emotion"].clone())
    };
    let happy = coeffs("Happy");
    assert_eq!(happy.1, "happy");
    assert!(coeffs(r#"{"happy":1}"#) == happy);
    let both = coeffs(r#"{"happy":0.7,"surprised":0.3}"#);
    assert_eq!(both.1, serde_json::json!({ "happy": 0.7, "surprised": 0.3 }));
    assert!(both.0 != happy.0 && both.0 != coeffs("surprised").0);
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(path, 2.5);
    let film = |name: &str, seed: &str| {
        vultus(path, &["render", "speech.wav", "-o", name, "--size", "256", "--seed", seed]);
        fs::read(path.join(name)).unwrap()
    };
    let first = film("a.mp4", "3");
    assert!(first == film("b.mp4", "3"), "two runs with one seed differ");
    assert!(first != film("c.mp4", "4"), "another seed changes nothing");
}

#[test]
fn coefficients_repeat_and_agree_in_both_formats() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(path, 1.0);
    for name in ["a.json", "b.json", "c.csv"] {
        vultus(path, &["coeffs", "speech.wav", "-o", name, "--seed", "3"]);
    }
    vultus(path, &["coeffs", "speech.wav", "-o", "d.json", "--seed", "4"]);
    assert_eq!(fs::read(path.join("a.json")).unwrap(), fs::read(path.join("b.json")).unwrap());
    assert_ne!(fs::read(path.join("a.json")).unwrap(), fs::read(path.join("d.json")).unwrap());
    let coeffs = json(&path.join("a.json"));
    assert_eq!(coeffs["fps"], 25);
    let list = |key: &str| coeffs[key].as_array().unwrap().clone();
    assert_eq!(
        (list("names").len(), list("frames").len(), list("pose").len(), list("lip_gap").len()),
        (64, 25, 25, 25)
    );
    assert_eq!(list("names")[17], "jawOpen");
    let csv = fs::read_to_string(path.join("c.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0].len()), (26, 2 + 64 + 6 + 1));
    for (frame, row) in rows[1..].iter().enumerate() {
        let number = |i: usize| row[i].parse::<f64>().unwrap();
        for i in 0..64 {
            let value = list("frames")[frame][i].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&value));
            assert!((number(2 + i) - value).abs() < 1e-6);
        }
        assert!((number(72) - list("lip_gap")[frame].as_f64().unwrap()).abs() < 1e-6);
    }
}

/// Starts a film that takes long and waits until its unfinished file is there.
fn started(dir: &Path, mut command: Command) -> Child {
    let child = command.current_dir(dir).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !names(dir).iter().any(|name| name.ends_with(".part")) {
        assert!(start.elapsed() < Duration::from_secs(60), "no unfinished file appeared");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    for signal in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        clip(dir.path(), 300.0);
        let mut command = program();
        command.args(["render", "speech.wav", "-o", "out.mp4"]);
        let child = started(dir.path(), command);
        let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        // Where the machine is so slow that the run does not end within a second, it is ended.
        let told = String::from_utf8_lossy(&output.stderr);
        let sentences = ["stopped before the end; nothing was written", "nothing half-written is left"];
        assert!(sentences.iter().any(|sentence| told.contains(sentence)), "{told}");
        assert_eq!(names(dir.path()), ["speech.wav"], "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_leaves_nothing_behind() {
    // A limit on the size of files fails in the middle of a film, as a full disk does, and needs no disk of its own.
    let dir = tempfile::tempdir().unwrap();
    clip(dir.path(), 20.0);
    fs::write(dir.path().join("out.mp4"), "an older film").unwrap();
    let run = format!(
        "trap '' XFSZ; ulimit -f 40; exec {} render speech.wav -o out.mp4 --size 256",
        env!("CARGO_BIN_EXE_vultus")
    );
    let output = Command::new("bash")
        .args(["-c", &run])
        .current_dir(dir.path())
        .env_remove("VULTUS_WEIGHTS")
        .env("VULTUS_BACKEND", "cpu")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write out.mp4: the file would exceed the size limit"), "{stderr}");
    assert!(!stderr.contains("os error"), "{stderr}");
    assert_eq!(names(dir.path()), ["out.mp4", "speech.wav"]);
    assert_eq!(fs::read(dir.path().join("out.mp4")).unwrap(), b"an older film");
}

#[test]
fn a_face_in_a_film_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(path, 6.0);
    vultus(
        path,
        &["render", "speech.wav", "-o", "film.mp4", "--generator", "warp", "--size", "256", "--avatar", "kenji"],
    );
    vultus(path, &["coeffs", "speech.wav", "-o", "true.json"]);
    let told = vultus(path, &["track", "film.mp4", "-o", "seen.json"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("150 frames of 6.0 s of film, a face in 100 %"), "{told}");
    let (truth, seen) = (json(&path.join("true.json")), json(&path.join("seen.json")));
    assert_eq!((&truth["fps"], &truth["names"]), (&seen["fps"], &seen["names"]));
    assert!(seen["seen"].as_array().unwrap().iter().all(|seen| seen == true));
    let gaps = |json: &Value| -> Vec<f64> {
        json["lip_gap"].as_array().unwrap().iter().map(|gap| gap.as_f64().unwrap()).collect()
    };
    let together = correlation(&gaps(&truth), &gaps(&seen));
    // Lips of thirty pixels: in a film of 512² it is 0.94.
    assert!(together > 0.8, "the lips' gaps agree by {together}");

    // What has no face, and what is no film.
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"])
        .arg(path.join("none.mp4"))
        .status()
        .unwrap();
    assert!(made.success());
    for (film, why) in [("none.mp4", "there is no face in none.mp4"), ("speech.wav", "is no film that is known here")] {
        let output = program().current_dir(path).args(["track", film, "-o", "out.json"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(why), "{told}");
        assert!(!path.join("out.json").exists());
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (x, y) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>();
    sum(&|k| (a[k] - x) * (b[k] - y)) / (sum(&|k| (a[k] - x).powi(2)) * sum(&|k| (b[k] - y).powi(2))).sqrt()
}
