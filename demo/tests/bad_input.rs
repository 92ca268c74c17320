//! Bad input on the command line: one sentence that says what to do, a non-zero exit code, and nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a second of sound in `speech.wav`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("speech.wav"), wav(16_000, &vec![0u8; 32_000])).unwrap();
    dir
}

/// 16-bit mono.
fn wav(rate: u32, data: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend(rate.to_le_bytes());
    out.extend((rate * 2).to_le_bytes());
    out.extend(b"\x02\0\x10\0data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

fn vultus(dir: &Path, arguments: &[&str]) -> Output {
    vultus_with(dir, arguments, ("VULTUS_BACKEND", "cpu"))
}

fn vultus_with(dir: &Path, arguments: &[&str], (variable, value): (&str, &str)) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.current_dir(dir).args(arguments).env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu");
    command.env(variable, value).output().expect("the binary was just built")
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// Runs and expects a failure whose one line on stderr contains each of `words`, and no new file.
fn fails(dir: &Path, arguments: &[&str], words: &[&str]) {
    let before = names(dir);
    let output = vultus(dir, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?} says {stderr:?}, not {word:?}");
    }
    assert!(!stderr.contains("os error"), "{arguments:?}: a number is no advice: {stderr:?}");
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("vultus: ")).collect();
    assert_eq!(lines.len(), 1, "{arguments:?}: one sentence, not {stderr:?}");
    assert_eq!(names(dir), before, "{arguments:?} left something behind");
}

/// The system ends a program that writes beyond this limit, unless it asks not to be.
#[cfg(unix)]
#[test]
fn a_limit_of_a_files_size_is_an_error_like_any_other() {
    let dir = folder();
    fs::write(dir.path().join("speech.wav"), wav(16_000, &vec![0u8; 320_000])).unwrap();
    let before = names(dir.path());
    let output = Command::new("sh")
        .current_dir(dir.path())
        .args(["-c", "ulimit -f 16; exec \"$0\" coeffs speech.wav -o out.json", env!("CARGO_BIN_EXE_vultus")])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write out.json") && stderr.contains("ulimit -f"), "{stderr}");
    assert_eq!(names(dir.path()), before, "half a file is left");
}

#[test]
fn a_photo_is_no_avatar_and_is_told_how_to_become_one() {
    let dir = folder();
    fs::write(dir.path().join("me.jpg"), b"\xff\xd8\xff\xe0\0\x10JFIF").unwrap();
    let render = ["render", "speech.wav", "-o", "out.mp4", "--avatar", "./me.jpg"];
    fails(dir.path(), &render, &["me.jpg is a picture", "vultus enrol ./me.jpg -o me.avatar"]);
}

#[test]
fn sounds_that_are_none() {
    let dir = folder();
    let path = dir.path();
    fs::write(path.join("letter.wav"), "Dear Sir or Madam,\n").unwrap();
    fs::write(path.join("empty.mp3"), "").unwrap();
    fs::write(path.join("silent.wav"), wav(16_000, &[])).unwrap();
    fails(
        path,
        &["coeffs", "letter.wav", "-o", "out.json"],
        &["letter.wav is not a sound that can be read", "ffmpeg -i letter.wav -vn speech.wav"],
    );
    fails(path, &["coeffs", "empty.mp3", "-o", "out.json"], &["empty.mp3 is empty"]);
    fails(path, &["coeffs", "silent.wav", "-o", "out.json"], &["silent.wav holds no sound"]);
    fails(path, &["coeffs", "missing.wav", "-o", "out.json"], &["missing.wav", "there is no such file"]);
    fails(path, &["coeffs", ".", "-o", "out.json"], &["it is a folder"]);
}

#[test]
fn names_and_numbers_that_are_not_there() {
    let dir = folder();
    let coeffs = |more: &[&'static str]| [&["coeffs", "speech.wav", "-o", "out.json"], more].concat();
    fails(dir.path(), &coeffs(&["--emotion", "hapy"]), &["no emotion named \"hapy\"", "did you mean happy?"]);
    fails(dir.path(), &coeffs(&["--emotion", r#"{"hapy":1}"#]), &["no emotion named \"hapy\"", "did you mean happy?"]);
    fails(dir.path(), &coeffs(&["--emotion", r#"{"happy":0.7,"sad":0.6}"#]), &["shares of the emotion add up to 1.3"]);
    fails(dir.path(), &coeffs(&["--emotion", r#"{"happy":-1}"#]), &["share of happy in the emotion is -1"]);
    fails(dir.path(), &coeffs(&["--emotion", r#"{"happy""#]), &["the emotion is no JSON", "give a name"]);
    fails(dir.path(), &["serve", "--ease", "6000"], &["ease of 6000 ms", "0 (at once) to 5000"]);
    fails(dir.path(), &coeffs(&["--intensity", "7"]), &["intensity of 7", "from 1"]);
    fails(dir.path(), &coeffs(&["--intensity", "-1"]), &["intensity of -1"]);
    fails(dir.path(), &coeffs(&["--intensity", "nan"]), &["intensity of NaN"]);
    let render =
        |output: &'static str, avatar: &'static str| ["render", "speech.wav", "-o", output, "--avatar", avatar];
    fails(dir.path(), &render("out.mp4", "amarra"), &["no avatar named \"amarra\"", "did you mean amara"]);
    fails(dir.path(), &render("out.mp4", "who/is.avatar"), &["who/is.avatar", "there is no such file"]);
    // A file that is there is what was meant.
    fails(dir.path(), &render("out.mp4", "speech.wav"), &["speech.wav", "not a complete safetensors file"]);
    fails(dir.path(), &render("out.mov", "amara"), &["out.mov does not end in .mp4"]);
    fails(dir.path(), &coeffs(&["--lookahead", "6"]), &["look-ahead of 6", "0 to 5"]);
}

#[test]
fn backgrounds_that_are_none() {
    let dir = folder();
    image::RgbImage::new(64, 48).save(dir.path().join("wall.png")).unwrap();
    fs::rename(dir.path().join("wall.png"), dir.path().join("wall.mp4")).unwrap();
    for (background, words) in [
        ("blurr", &["no background named \"blurr\"", "did you mean blur?", "a colour such as #00ff00"][..]),
        ("#0f0", &["no background named \"#0f0\"", "portrait, blur", "or a picture"]),
        ("none", &["H.264 has none", "#00ff00", "key it out"]),
        ("beach.png", &["beach.png", "there is no such file"]),
        ("speech.wav", &["speech.wav"]),
    ] {
        fails(dir.path(), &["render", "speech.wav", "-o", "out.mp4", "--background", background], words);
        fails(dir.path(), &["serve", "--port", "0", "--media-port", "0", "--background", background], words);
    }
    let over = ["render", "speech.wav", "-o", "wall.mp4", "--background", "wall.mp4"];
    fails(dir.path(), &over, &["wall.mp4 is also the background"]);
}

#[test]
fn environment_variables_with_other_values() {
    let dir = folder();
    for (variable, accepted) in
        [("VULTUS_BACKEND", "use gpu, cpu or auto"), ("VULTUS_TIER", "use base, subgroup or matrix")]
    {
        let run = ["coeffs", "speech.wav", "-o", "out.json", "--backend", "cpu"];
        let output = vultus_with(dir.path(), &run, (variable, "foo"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(&format!("{variable}=foo")) && stderr.contains(accepted), "{stderr}");
    }
    assert!(!dir.path().join("out.json").exists());
}

#[test]
fn outputs_that_cannot_be_written() {
    let dir = folder();
    let to = |output: &'static str| ["coeffs", "speech.wav", "-o", output];
    fails(dir.path(), &to("no/such/out.json"), &["folder no/such does not exist", "create it"]);
    fails(dir.path(), &to("out.txt"), &["out.txt", ".json", ".csv"]);
    fs::create_dir(dir.path().join("out.json")).unwrap();
    fails(dir.path(), &to("out.json"), &["out.json is a folder"]);
    fs::copy(dir.path().join("speech.wav"), dir.path().join("speech.json")).unwrap();
    fails(dir.path(), &["coeffs", "speech.json", "-o", "speech.json"], &["is also the sound to read"]);
    let long = format!("{}.json", "n".repeat(251));
    fails(
        dir.path(),
        &["coeffs", "speech.wav", "-o", &long],
        &["longer than this disk allows", "choose a shorter one"],
    );
    fails(dir.path(), &["coeffs", &long, "-o", "out2.json"], &["no file can have so long a name"]);
    let report = ["coeffs", "speech.wav", "-o", "out2.json", "--report", &long];
    fails(dir.path(), &report, &["longer than this disk allows"]);
    fails(dir.path(), &to("speech.wav/out.json"), &["a part of its path is a file, not a folder"]);
    let report = ["coeffs", "speech.wav", "-o", "out2.json", "--report", "./out2.json"];
    fails(dir.path(), &report, &["--report and --output both name"]);
    let report = ["coeffs", "speech.wav", "-o", "out2.json", "--report", "no/report.json"];
    fails(dir.path(), &report, &["no/report.json", "folder no does not exist"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_full() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.arg("avatars").env_remove("VULTUS_WEIGHTS").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "vultus: cannot write to standard output: No space left on device\n");
}

/// Mesa's device chooser is left out where there is no desktop: it would only complain.
#[cfg(unix)]
#[test]
fn nothing_is_said_about_a_missing_desktop() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.arg("doctor").env_remove("VULTUS_WEIGHTS").env_remove("XDG_RUNTIME_DIR").env_remove("NODEVICE_SELECT");
    let stderr = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(!stderr.contains("XDG_RUNTIME_DIR"), "{stderr}");
}

#[test]
fn weights_that_are_no_good() {
    let dir = folder();
    let path = dir.path();
    let weights = path.join("weights");
    fs::create_dir(&weights).unwrap();
    let run = ["coeffs", "speech.wav", "-o", "out.json", "--weights", "weights"];
    fails(path, &["coeffs", "speech.wav", "-o", "out.json", "--weights", "nowhere"], &["nowhere does not exist"]);
    fails(path, &run, &["weights has no face.safetensors", "leave out --weights"]);

    let good = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../weights/face.safetensors")).unwrap();
    let face = weights.join("face.safetensors");
    // A manifest of its own, so that the checks behind the checksum are reached.
    fs::write(weights.join("manifest.toml"), "").unwrap();
    fs::write(&face, &good[..good.len() / 2]).unwrap();
    fails(path, &run, &["face.safetensors is not a complete safetensors file", "truncated"]);

    let header_len = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(good[8..8 + header_len].to_vec()).unwrap();
    let with_header = |header: &str| {
        assert_eq!(header.len(), header_len, "offsets must stay");
        [&good[..8], header.as_bytes(), &good[8 + header_len..]].concat()
    };
    fs::write(&face, with_header(&header.replacen("\"pivot\"", "\"divot\"", 1))).unwrap();
    fails(path, &run, &["face.safetensors", "no tensor `pivot`"]);
    let shape = header.find("\"pivot\"").and_then(|at| Some(at + header[at..].find("[3]")?)).unwrap();
    fs::write(&face, with_header(&[&header[..shape], "[4]", &header[shape + 3..]].concat())).unwrap();
    fails(path, &run, &["face.safetensors"]);

    fs::write(&face, &good).unwrap();
    let wrong = |bytes: usize| {
        format!("[[file]]\nname = \"face.safetensors\"\nsha256 = \"{}\"\nbytes = {bytes}\n", "0".repeat(64))
    };
    fs::write(weights.join("manifest.toml"), wrong(1)).unwrap();
    fails(path, &run, &["face.safetensors", "bytes, but the manifest says 1;", "copy the file again"]);
    fs::write(weights.join("manifest.toml"), wrong(good.len())).unwrap();
    fails(path, &run, &["face.safetensors", "the manifest says 0000", "copy the file again"]);
    // Sparse: it costs the disk nothing, and would cost a reader everything.
    fs::File::create(weights.join("manifest.toml")).unwrap().set_len(100 << 20).unwrap();
    fails(path, &run, &["manifest.toml has more than 1048576 bytes"]);
    fs::write(weights.join("manifest.toml"), "a = ".to_owned() + &"[".repeat(100_000)).unwrap();
    fails(path, &run, &["manifest.toml is not a valid manifest"]);
    fs::write(weights.join("manifest.toml"), "this is [ not TOML").unwrap();
    fails(path, &run, &["manifest.toml is not a valid manifest"]);
}

#[test]
fn the_lists_are_there() {
    let dir = folder();
    let output = vultus(dir.path(), &["avatars"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains(vultus_native::assets::DEFAULT_AVATAR));
    let output = vultus(dir.path(), &["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for heading in ["Processor", "Graphics", "Sound", "Weights and avatars"] {
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn a_port_that_is_taken() {
    let dir = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(dir.path(), &["serve", "--port", &port, "--media-port", "0"], &["cannot listen on", "--port"]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(dir.path(), &["serve", "--port", "0", "--media-port", &port], &["cannot open UDP", "--media-port"]);
}
