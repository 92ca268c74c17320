//! Files that a command reads and writes: none is lost, whatever they are called and however the run ends.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights");

/// A folder with a second of sound in `in.wav` and an avatar in `my.avatar`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    sound(&dir.path().join("in.wav"), 1);
    fs::copy(format!("{WEIGHTS}/avatars/amara.avatar"), dir.path().join("my.avatar")).unwrap();
    dir
}

/// So many seconds of silence, 16-bit mono at 16 kHz.
fn sound(file: &Path, seconds: u32) {
    let bytes = seconds * 32_000;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    wav.extend(bytes.to_le_bytes());
    wav.resize(wav.len() + bytes as usize, 0);
    fs::write(file, wav).unwrap();
}

fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.current_dir(dir).args(arguments).env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu");
    command
}

fn vultus(dir: &Path, arguments: &[&str]) -> Output {
    program(dir, arguments).output().expect("the binary was just built")
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs and expects a failure whose one line on stderr contains `words`, and every file as it was.
fn refused(dir: &Path, arguments: &[&str], words: &str) {
    // Pipes are not read: nobody writes.
    let content = |name: &String| fs::read(dir.join(name)).unwrap_or_default();
    let is_file = |name: &String| dir.join(name).is_file();
    let state = || -> Vec<(String, Vec<u8>)> {
        names(dir)
            .into_iter()
            .map(|name| (name.clone(), if is_file(&name) { content(&name) } else { vec![] }))
            .collect()
    };
    let before = state();
    let output = vultus(dir, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(stderr.contains(words) && stderr.lines().count() == 1, "{arguments:?} says {stderr:?}, not {words:?}");
    assert!(state() == before, "{arguments:?} changed something");
}

/// Waits for what must come; the time is a guard against waiting for ever.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "this never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a child leaves at its end; the time is a guard, since one that is not ended waits for its pipe for ever.
fn ended(mut child: Child, what: &str) -> Output {
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{what}: it still runs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn kill(child: &Child, signal: &str) {
    let done = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    assert!(fs::metadata(path).unwrap().file_type().is_fifo());
}

/// Whether the part file of this output grows. Such files appear and go again, empty, while outputs are looked at.
fn grows(dir: &Path, output: &str) -> bool {
    let is_it = |name: &String| name.starts_with(output) && name.ends_with(".part");
    names(dir).iter().filter(|name| is_it(name)).any(|name| fs::metadata(dir.join(name)).is_ok_and(|m| m.len() > 0))
}

#[test]
fn an_output_replaces_nothing_that_the_command_reads_or_writes() {
    let dir = folder();
    let path = dir.path();
    fs::hard_link(path.join("my.avatar"), path.join("twin.json")).unwrap();
    symlink("my.avatar", path.join("link.json")).unwrap();
    symlink("o.mp4", path.join("dangling.json")).unwrap();
    let render = |film: &'static str, report: &'static str| {
        ["render", "in.wav", "-o", film, "--avatar", "./my.avatar", "--report", report]
    };
    for report in ["my.avatar", "twin.json", "link.json"] {
        refused(path, &render("o.mp4", report), "is also the avatar");
    }
    fs::copy(path.join("my.avatar"), path.join("avatar.mp4")).unwrap();
    let film = ["render", "in.wav", "-o", "avatar.mp4", "--avatar", "./avatar.mp4"];
    refused(path, &film, "avatar.mp4 is also the avatar");
    refused(path, &render("o.mp4", "dangling.json"), "--report and --output both name");
    refused(path, &render("o.mp4", "in.wav"), "in.wav is also the sound to read");

    fs::create_dir(path.join("w")).unwrap();
    for file in ["face.safetensors", "eac.safetensors", "manifest.toml"] {
        fs::copy(format!("{WEIGHTS}/{file}"), path.join("w").join(file)).unwrap();
    }
    symlink("w/manifest.toml", path.join("m.json")).unwrap();
    for report in ["w/face.safetensors", "m.json"] {
        let coeffs = ["coeffs", "in.wav", "-o", "o.json", "--weights", "w", "--report", report];
        refused(path, &coeffs, "which is read too");
    }
    // Where standard output goes into a file, that is no place for another output.
    let line = fs::File::create(path.join("line.txt")).unwrap();
    let mut coeffs = program(path, &["coeffs", "in.wav", "-o", "o.json", "--report", "line.txt"]);
    let output = coeffs.stdout(line).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("line.txt is where standard output goes"), "{stderr}");
}

#[test]
fn what_is_no_file_is_answered_in_a_sentence() {
    let dir = folder();
    let path = dir.path();
    for name in ["pipe.json", "pipe.avatar", "pipe.wav"] {
        pipe(&path.join(name));
    }
    refused(path, &["coeffs", "in.wav", "-o", "pipe.json"], "it is a pipe or a device; name a file");
    refused(path, &["coeffs", "in.wav", "-o", "o.json", "--report", "/dev/null"], "it is a pipe or a device");
    refused(path, &["render", "in.wav", "-o", "o.mp4", "--avatar", "./pipe.avatar"], "it is a pipe or a device");
    refused(path, &["coeffs", "/dev/zero", "-o", "o.json"], "/dev/zero is a device, not a sound; give a file");
    refused(path, &["coeffs", "in.wav", "-o", "o.json", "--weights", "/dev/null"], "does not exist");
    let looped = ["serve", "--port", "0", "--media-port", "0", "--loop", "pipe.wav"];
    let words = "pipe.wav is a pipe, which can be heard once only";
    let output = vultus(path, &looped);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains(words), "{stderr}");
}

#[test]
fn the_first_signal_ends_what_waits_for_a_pipe() {
    for signal in ["TERM", "INT", "HUP"] {
        let dir = folder();
        pipe(&dir.path().join("f.wav"));
        let mut command = program(dir.path(), &["coeffs", "f.wav", "-o", "f.json"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // It waits in the opening of the pipe: nothing of the run tells so, but its signals are handled by then.
        let handled = || {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default().trim();
            u64::from_str_radix(caught, 16).is_ok_and(|caught| caught & (1 << 14) != 0)
        };
        eventually("signals are handled", handled);
        std::thread::sleep(Duration::from_millis(300));
        kill(&child, signal);
        let output = ended(child, signal);
        assert_eq!(output.status.code(), Some(130), "{signal}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("stopped") && stderr.contains("nothing"), "{stderr}");
        assert_eq!(names(dir.path()), ["f.wav", "in.wav", "my.avatar"]);
    }
}

#[test]
fn what_a_killed_run_left_is_swept_by_the_next() {
    let dir = folder();
    let path = dir.path();
    sound(&path.join("long.wav"), 300);
    let start = |film: &str| {
        let run = ["render", "long.wav", "-o", film, "--size", "256", "--generator", "warp"];
        let child = program(path, &run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the film's part file grows", || grows(path, film));
        child
    };
    let mut alive = start("alive.mp4");
    let mut killed = start("killed.mp4");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(names(path).iter().any(|name| name.starts_with("killed.mp4")), "the killed run left nothing to sweep");
    fs::write(path.join("somebody.else.part"), "precious").unwrap();

    let output = vultus(path, &["coeffs", "in.wav", "-o", "o.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<String> = names(path).into_iter().filter(|name| name.ends_with(".part")).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].starts_with("alive.mp4") && left[1] == "somebody.else.part", "{left:?}");
    alive.kill().unwrap();
    alive.wait().unwrap();
}

#[test]
fn a_report_that_fails_says_that_the_film_is_complete() {
    let dir = folder();
    let path = dir.path();
    sound(&path.join("in.wav"), 3);
    fs::create_dir(path.join("reports")).unwrap();
    let run = ["render", "in.wav", "-o", "o.mp4", "--size", "256", "--generator", "warp", "--report", "reports/r.json"];
    let child = program(path, &run).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // When the film is under way, the report's place has been looked at.
    eventually("the film is under way", || grows(path, "o.mp4"));
    fs::remove_dir(path.join("reports")).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("o.mp4 is complete") && stderr.contains("cannot write reports/r.json"), "{stderr}");
    assert!(fs::metadata(path.join("o.mp4")).unwrap().len() > 1000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_that_fails_says_that_the_output_is_complete() {
    let dir = folder();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = program(dir.path(), &["coeffs", "in.wav", "-o", "o.json"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("o.json is complete") && stderr.contains("cannot write to standard output"), "{stderr}");
    assert!(dir.path().join("o.json").is_file());
}

#[test]
fn a_write_protected_file_and_a_link_stay() {
    let dir = folder();
    let path = dir.path();
    fs::write(path.join("o.json"), "precious").unwrap();
    let mut permissions = fs::metadata(path.join("o.json")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path.join("o.json"), permissions).unwrap();
    refused(path, &["coeffs", "in.wav", "-o", "o.json"], "is write-protected");
    symlink("elsewhere.json", path.join("l.json")).unwrap();
    assert!(vultus(path, &["coeffs", "in.wav", "-o", "l.json"]).status.success());
    assert_eq!(fs::read_link(path.join("l.json")).unwrap(), Path::new("elsewhere.json"));
    assert!(fs::metadata(path.join("elsewhere.json")).unwrap().len() > 1000);
}

/// An avatar whose portrait has this chunk behind its header.
#[cfg(target_os = "linux")]
fn avatar_with_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let good = fs::read(format!("{WEIGHTS}/avatars/amara.avatar")).unwrap();
    let length = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&good[8..8 + length]).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    let chunk = [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat();
    let (mut tensors, mut body) = (serde_json::Map::new(), Vec::new());
    // From the widest type to the narrowest, as the format asks for.
    for name in ["alpha", "beta", "delta", "gamma", "pose", "camera", "portrait.png", "matte.png"] {
        let mut entry = header[name].clone();
        let at = |i: usize| 8 + length + entry["data_offsets"][i].as_u64().unwrap() as usize;
        let mut bytes = good[at(0)..at(1)].to_vec();
        if name == "portrait.png" {
            // Behind the signature and the header.
            bytes.splice(33..33, chunk.iter().copied());
            entry["shape"] = serde_json::json!([bytes.len()]);
        }
        entry["data_offsets"] = serde_json::json!([body.len(), body.len() + bytes.len()]);
        tensors.insert(name.into(), entry);
        body.extend(bytes);
    }
    tensors.insert("__metadata__".into(), header["__metadata__"].clone());
    let mut text = serde_json::to_vec(&tensors).unwrap();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &body].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_packed_into_an_avatar_is_not_unpacked() {
    use std::io::Write as _;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0u8; 1 << 20];
    (0..600).for_each(|_| packer.write_all(&block).unwrap());
    let bomb = packer.finish().unwrap();
    let dir = folder();
    fs::create_dir_all(dir.path().join("w/avatars")).unwrap();
    for (kind, start) in [(b"iCCP", &b"x\0\0"[..]), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\x01\0\0\0")] {
        let data = [start, &bomb].concat();
        fs::write(dir.path().join("w/avatars/bomb.avatar"), avatar_with_chunk(kind, &data)).unwrap();
        let mut command = program(dir.path(), &["avatars", "--weights", "w"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut most = 0u64;
        let status = loop {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
            most = most.max(peak.trim().trim_end_matches(" kB").parse().unwrap_or(0));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(status.success(), "{kind:?}: an avatar with more in it than its pixels is still one");
        assert!(most < 150 << 10, "{kind:?} took {most} KiB");
    }
}
