//! `vultus eval generator` on people that are made here of a shipped avatar, and `vultus eval speech` on a shipped clip.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::imageops::{FilterType, resize};
use image::{GrayImage, RgbImage};
use serde_json::{Value, json};
use vultus::avatar::{AvatarFile, Matte, Portrait};
use vultus_native::assets::Assets;

const SIDE: u32 = 256;
const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights");
const ROWS: [&str; 4] = ["face", "mouth", "eyes", "turned"];

fn avatar() -> AvatarFile {
    let mut avatar = Assets::locate(Some(Path::new(WEIGHTS))).unwrap().avatar("amara").unwrap();
    let side = avatar.portrait.side as u32;
    let rgb = RgbImage::from_raw(side, side, avatar.portrait.rgb).unwrap();
    let grey = GrayImage::from_raw(side, side, avatar.matte.alpha).unwrap();
    avatar.portrait = Portrait { side: 256, rgb: resize(&rgb, SIDE, SIDE, FilterType::Triangle).into_raw() };
    avatar.matte = Matte { side: 256, alpha: resize(&grey, SIDE, SIDE, FilterType::Triangle).into_raw() };
    avatar
}

/// PEOPLE/NAME whose pictures all are the portrait: at rest, and where `later` turned and with the jaw open 40 ms after.
fn person(people: &Path, name: &str, avatar: &AvatarFile, later: bool) -> PathBuf {
    let place = people.join(name);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{name}.avatar")), avatar.to_bytes().unwrap()).unwrap();
    RgbImage::from_raw(SIDE, SIDE, avatar.portrait.rgb.clone()).unwrap().save(place.join("rest.png")).unwrap();
    GrayImage::from_raw(SIDE, SIDE, avatar.matte.alpha.clone()).unwrap().save(place.join("rest.matte.png")).unwrap();
    let names = vultus::face::ARKIT.iter();
    let beta: Value = names.zip(&avatar.beta).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let case = |name: &str, yaw: f32| json!({"name": name, "beta": beta, "dpose": [0.0, yaw, 0.0, 0.0, 0.0, 0.0], "image": "rest.png", "matte": "rest.matte.png"});
    let mut cases = vec![case("rest", 0.0)];
    if later {
        let mut then = case("later", 0.2);
        then["beta"]["jawOpen"] = json!(0.3);
        then["after"] = json!("rest");
        cases.push(then);
    }
    fs::write(place.join("truth.json"), json!({"avatar": name, "size": SIDE, "cases": cases}).to_string()).unwrap();
    place
}

/// Weights without a network: what is shipped must not decide these tests.
fn no_networks(dir: &Path) -> PathBuf {
    let weights = dir.join("weights");
    fs::create_dir_all(&weights).unwrap();
    fs::copy(Path::new(WEIGHTS).join("face.safetensors"), weights.join("face.safetensors")).unwrap();
    fs::write(weights.join("manifest.toml"), "").unwrap();
    weights
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.current_dir(dir).env_remove("VULTUS_WEIGHTS").args(["eval", "generator"]).args(arguments);
    command
}

fn speech(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command
        .current_dir(dir)
        .env_remove("VULTUS_WEIGHTS")
        .args(["eval", "speech", "--weights", WEIGHTS])
        .args(arguments);
    command.output().unwrap()
}

/// A folder with one of the shipped clips.
fn clip(folder: &Path, name: &str, sound: &str) -> Value {
    let from = Path::new(WEIGHTS).join("../benches/data/speech");
    fs::create_dir_all(folder).unwrap();
    fs::copy(from.join(sound), folder.join(sound)).unwrap();
    let about = json(&from.join(format!("{name}.json")));
    fs::write(folder.join(format!("{name}.json")), about.to_string()).unwrap();
    about
}

fn succeeds(dir: &Path, arguments: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = command(dir, arguments).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_face_at_rest_is_its_portrait_however_it_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    // Found above the current folder, too.
    person(&path.join("benches/data/held"), "somebody", &avatar(), false);
    no_networks(path);
    fs::create_dir(path.join("below")).unwrap();
    let run = ["--fits", "exact", "--json", "out.json", "--weights", "../weights"];
    let (table, notes) = succeeds(&path.join("below"), &run);
    let report = json(&path.join("below/out.json"));
    assert_eq!(report["about"]["names"], json!(["somebody"]));
    assert_eq!((&report["about"]["fitted"], &report["about"]["cases"]), (&json!("exact"), &json!(1)));
    for way in ["copy", "mesh", "warp"] {
        for row in &ROWS[..3] {
            let figures = &report[way][row];
            let number = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{way} {row}: {figures}"));
            assert!(number("psnr") > 45.0 && number("ssim") > 0.995 && number("lmd") < 0.05, "{way} {row}: {figures}");
            assert!(figures["flicker"].is_null(), "one picture cannot flicker");
        }
        assert!(report[way]["turned"]["psnr"].is_null() && table.contains(way), "{table}");
    }
    for name in ["nano", "base", "no_residual", "no_hierarchy", "no_prior"] {
        assert!(report[name].is_null() && notes.contains(&format!("{name} is left out: there is no hef_")), "{notes}");
    }
}

#[test]
fn all_figures_are_there_and_always_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let avatar = avatar();
    person(&path.join("people"), "first", &avatar, true);
    person(&path.join("people"), "second", &avatar, true);
    person(&path.join("gallery"), "third", &avatar, true);
    let run = ["--truth", "people", "--gallery", "gallery", "--json", "out.json", "--sheet", "out.png"];
    let (table, _) = succeeds(path, &run);
    let report = json(&path.join("out.json"));
    let about = &report["about"];
    assert_eq!(
        (&about["names"], &about["people"], &about["fits"]),
        (&json!(["first", "second"]), &json!(2), &json!(3))
    );
    assert_eq!((&about["cases"], &about["turned"], &about["pairs"]), (&json!(4), &json!(2), &json!(2)));
    let number = |way: &str, row: &str, name: &str| {
        report[way][row][name].as_f64().unwrap_or_else(|| panic!("{way} {row} {name} in {report:#}"))
    };
    let ways = report.as_object().unwrap().keys().filter(|key| !["truth", "about"].contains(&key.as_str()));
    let ways: Vec<&String> = ways.collect();
    assert!(ways.len() >= 3, "{ways:?}");
    for way in ways {
        for row in ROWS {
            // All true pictures are the portrait: a copy is right, and nothing is better than that.
            let ahead = |name: &str, sign: f64| sign * (number("copy", row, name) - number(way, row, name));
            assert!(ahead("psnr", 1.0) >= 0.0 && ahead("ssim", 1.0) >= 0.0, "{way} {row}: {report:#}");
            assert!(ahead("lmd", -1.0) >= 0.0 && number(way, row, "lmd") <= 6.0, "{way} {row}: {report:#}");
            assert!(number(way, row, "flicker") > 0.0, "{way} {row}");
        }
        assert!(table.contains(way.as_str()), "{table}");
    }
    for row in ROWS {
        let [psnr, ssim, lmd] = ["psnr", "ssim", "lmd"].map(|name| number("copy", row, name));
        assert!(psnr > 45.0 && ssim > 0.995 && lmd < 0.05, "{row}: {psnr} dB, {ssim}, {lmd}");
    }
    // The true pictures stand still, so whoever follows the motion is further off than who copies.
    for row in ROWS {
        let share = number("copy", row, "flicker") / number("truth", row, "flicker");
        assert!((share - 1.0).abs() < 0.01, "{row}: {share}");
    }
    assert!(number("warp", "turned", "lmd") > number("copy", "turned", "lmd") + 1.0, "{report:#}");
    assert!(number("warp", "turned", "psnr") < number("copy", "turned", "psnr") - 3.0, "{report:#}");
    let sheet = image::open(path.join("out.png")).unwrap();
    let columns = if report["nano"].is_null() { 5 } else { 6 };
    assert_eq!((sheet.width(), sheet.height()), (2 * columns * 192 + 8, 192));

    let first = fs::read(path.join("out.json")).unwrap();
    succeeds(path, &run);
    assert!(first == fs::read(path.join("out.json")).unwrap(), "another run, other figures");
}

#[test]
fn bad_input_is_a_sentence_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let avatar = avatar();
    no_networks(path);
    fs::create_dir(path.join("nobody")).unwrap();
    person(&path.join("people"), "good", &avatar, false);
    let edited = |name: &str, from: &str, to: &str| {
        let place = person(&path.join(name), "somebody", &avatar, true);
        let file = place.join("truth.json");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replace(from, to)).unwrap();
        place
    };
    edited("larger", "\"size\":256", "\"size\":512");
    edited("unknown", "jawOpen", "jawWide");
    let place = edited("small", "\"size\":256", "\"size\":128");
    for name in ["rest.png", "rest.matte.png"] {
        image::open(place.join(name)).unwrap().resize(128, 128, FilterType::Triangle).save(place.join(name)).unwrap();
    }
    let place = person(&path.join("broken"), "somebody", &avatar, false);
    let png = fs::read(place.join("rest.png")).unwrap();
    fs::write(place.join("rest.png"), &png[..png.len() / 2]).unwrap();

    let fails = |arguments: &[&str], words: &[&str]| {
        let before = names(path);
        let all = [&["--weights", "weights"], arguments].concat();
        let output = command(path, &all).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{arguments:?} says {stderr:?}, not {word:?}");
        }
        let said: Vec<_> = stderr.lines().filter(|line| !line.starts_with("vultus: note: ")).collect();
        assert_eq!(said.len(), 1, "{arguments:?}: one sentence, not {stderr:?}");
        assert!(!stderr.contains("os error"), "{stderr}");
        assert_eq!(names(path), before, "{arguments:?} left something behind");
    };
    fails(&["--truth", "nowhere"], &["there is no folder nowhere", "--truth"]);
    fails(&["--truth", "nobody"], &["nobody: no folder in it holds a truth.json"]);
    for (people, words) in [
        ("larger", &["rest.png is 256×256", "512×512"][..]),
        ("unknown", &["truth.json", "jawWide"]),
        ("small", &["somebody", "128²", "256²"]),
        ("broken", &["rest.png cannot be read as a PNG"]),
    ] {
        fails(&["--truth", people, "--json", "out.json"], words);
        let sheet = ["--truth", "people", "--gallery", people, "--json", "out.json", "--sheet", "out.png"];
        fails(&sheet, words);
    }
    fails(&["--truth", "people", "--json", "no/out.json"], &["the folder no does not exist"]);
    fails(&["--truth", "people", "--json", "out", "--sheet", "./out"], &["--sheet and --json both name ./out"]);
    fs::write(path.join("weights/hef_nano.safetensors"), b"no network").unwrap();
    fails(&["--truth", "people", "--json", "out.json"], &["hef_nano.safetensors", "not a complete safetensors file"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let avatar = avatar();
    no_networks(path);
    for k in 0..8 {
        person(&path.join("people"), &format!("p{k}"), &avatar, true);
    }
    let before = names(path);
    let run = ["--weights", "weights", "--truth", "people", "--json", "out.json"];
    let mut child = command(path, &run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    // Said when all is read and the work begins.
    assert!(lines.by_ref().any(|line| line.contains("no_prior is left out")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert_eq!(said, ["vultus: stopped before the end; nothing was written"]);
    assert_eq!(names(path), before);
}

#[test]
fn lips_keep_to_a_synthesised_voice_and_are_shut_where_nobody_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    // Found above the current folder.
    let about = clip(&path.join("benches/data/speech"), "flite", "flite.flac");
    clip(&path.join("benches/data/speech"), "music", "music.opus");
    let output = speech(path, &["--json", "out.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let report = json(&path.join("out.json"));
    let flite = &report["sources"]["flite"];
    assert_eq!((&flite["speakers"], report["sources"].as_object().unwrap().len()), (&json!(1), 1));
    assert!(flite["closures"].as_u64().unwrap() <= about["closures"].as_array().unwrap().len() as u64);
    let rows = flite["by_look_ahead"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["look_ahead"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2, 5]);
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
        assert!(number("f1") > 0.5 && number("correlation") > 0.6 && number("offset_ms").abs() < 40.0, "{row}");
        assert_eq!(row["interval"], json!([number("f1"), number("f1")]), "there is one speaker");
    }
    assert!(flite["noisy"]["f1"].as_f64().unwrap() > 0.2);
    let still = report["still"].as_object().unwrap();
    assert_eq!(still.keys().collect::<Vec<_>>(), ["music at −30 dBFS", "silence", "white noise at −30 dBFS"]);
    assert!(still.values().all(|gap| gap.as_f64().unwrap() < 0.1), "{still:?}");
    assert!(table.contains("flite") && table.contains("long pauses of flite") && table.contains("music"), "{table}");
}

#[test]
fn a_wrong_clip_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    clip(&path.join("still"), "music", "music.opus");
    clip(&path.join("silent"), "flite", "flite.flac");
    fs::remove_file(path.join("silent/flite.flac")).unwrap();
    let mut about = clip(&path.join("late"), "flite", "flite.flac");
    about["closures"] = json!([[99.0, 99.1, "M"]]);
    fs::write(path.join("late/flite.json"), about.to_string()).unwrap();
    clip(&path.join("other"), "flite", "flite.flac");
    fs::write(path.join("other/flite.json"), "[]").unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    for (folder, words) in [
        ("nowhere", &["there is no folder nowhere", "--voices"][..]),
        ("empty", &["empty: there is no JSON file"]),
        ("still", &["still: in none of its clips"]),
        ("silent", &["flite.json: no .flac or .opus"]),
        ("late", &["flite.json: 99 … 99.1 s is not within the clip"]),
        ("other", &["flite.json: is not what train/speech/clips.py writes"]),
    ] {
        let output = speech(path, &["--voices", folder, "--json", "out.json"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{folder}: {stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)) && stderr.lines().count() == 1, "{folder}: {stderr}");
        assert!(!path.join("out.json").exists(), "{folder}");
    }
}
