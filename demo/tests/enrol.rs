//! `vultus enrol` on the command line: a photo becomes an avatar that speaks; what is none is one sentence, and nothing is left behind.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;
use vultus_native::assets::Assets;

fn portrait() -> RgbImage {
    let portrait = Assets::embedded().avatar("priya").unwrap().portrait;
    RgbImage::from_raw(portrait.side as u32, portrait.side as u32, portrait.rgb).unwrap()
}

/// A folder with a photo of one person.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut picture = RgbImage::from_pixel(700, 560, Rgb([150, 160, 150]));
    imageops::replace(&mut picture, &imageops::resize(&portrait(), 480, 480, FilterType::CatmullRom), 110, 80);
    picture.save(dir.path().join("photo.jpg")).unwrap();
    dir
}

fn vultus(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.current_dir(dir).args(arguments).env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu");
    command.output().expect("the binary was just built")
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs and expects a failure whose one line on stderr, notes apart, has these words, and no file that is new or changed.
fn fails(dir: &Path, arguments: &[&str], words: &[&str]) {
    let state = || names(dir).into_iter().map(|file| (fs::read(&file).unwrap_or_default(), file)).collect::<Vec<_>>();
    let before = state();
    let output = vultus(dir, arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("vultus: note: ")).collect();
    assert_eq!(errors.len(), 1, "{arguments:?}: {stderr}");
    for word in words {
        assert!(errors[0].contains(word), "{arguments:?} says {stderr:?}, not {word:?}");
    }
    assert!(state() == before, "{arguments:?} left or changed something");
}

const CONSENT: &str = "--i-have-consent";

#[test]
fn a_photo_becomes_an_avatar_that_speaks() {
    let dir = folder();
    let path = dir.path();
    let made = vultus(
        path,
        &["enrol", "photo.jpg", "-o", "me.avatar", CONSENT, "--preview", "sheet.png", "--title", "It is me"],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    assert!(
        said.starts_with("me.avatar: 512×512 pixels in ")
            && said.contains("vultus render SPEECH.wav --avatar me.avatar"),
        "{said}"
    );
    let sheet = image::open(path.join("sheet.png")).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (4 * 518 - 6, 2 * 512 + 6));

    let info = vultus(path, &["avatar", "info", "me.avatar"]);
    let info = text(&info.stdout);
    for words in [
        "name        me",
        "title       It is me",
        "consent     yes",
        "made by     vultus ",
        "512×512 pixels",
        "tracker's mesh",
        "cut out at",
    ] {
        assert!(info.contains(words), "{words}: {info}");
    }

    fs::write(path.join("speech.wav"), tone()).unwrap();
    let film = vultus(
        path,
        &["render", "speech.wav", "--avatar", "me.avatar", "-o", "film.mp4", "--size", "256", "--generator", "warp"],
    );
    assert!(film.status.success(), "{}", text(&film.stderr));
    let film = fs::read(path.join("film.mp4")).unwrap();
    assert!(film.windows(9).any(|word| word == b"Synthetic"), "the film does not say that it was made");

    // Over an avatar that is there: replaced when the new one is complete.
    fails(path, &["enrol", "speech.wav", "-o", "me.avatar", CONSENT], &["speech.wav is a sound, not a photo"]);
    assert!(vultus(path, &["enrol", "photo.jpg", "-o", "me.avatar", CONSENT]).status.success());
}

/// A second of a voice-like buzz, 16 kHz.
fn tone() -> Vec<u8> {
    let data: Vec<u8> = (0..16_000).flat_map(|k| ((k % 100 * 160) as i16).to_le_bytes()).collect();
    let mut out = b"RIFF".to_vec();
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

#[test]
fn files_that_are_no_photos() {
    let dir = folder();
    let path = dir.path();
    let write = |name: &str, bytes: &[u8]| fs::write(path.join(name), bytes).unwrap();
    let jpeg = fs::read(path.join("photo.jpg")).unwrap();
    write("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    write("new.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1");
    write("film.mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2");
    write("letter.jpg", b"Dear Sir or Madam,\n");
    write("page.pdf", b"%PDF-1.7\n");
    write("empty.png", b"");
    write("cut.jpg", &jpeg[..jpeg.len() / 2]);
    write("odd.jpg", &[&jpeg[..jpeg.len() / 2], &[0xff, 0xc4, 0, 3, 0xff, 0xff, 0xff, 0xd9]].concat());
    let mut bomb = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(40, 40).write_to(&mut bomb, ImageFormat::Bmp).unwrap();
    let mut bomb = bomb.into_inner();
    bomb[18..22].copy_from_slice(&60_000i32.to_le_bytes());
    bomb[22..26].copy_from_slice(&60_000i32.to_le_bytes());
    write("bomb.bmp", &bomb);
    RgbImage::from_pixel(600, 400, Rgb([90, 120, 150])).save(path.join("wall.png")).unwrap();
    RgbImage::new(8, 8).save(path.join("dot.png")).unwrap();
    for (photo, words) in [
        ("phone.heic", ["is a HEIC picture", "magick phone.heic photo.jpg"]),
        ("new.avif", ["is an AVIF picture", "magick new.avif"]),
        ("film.mp4", ["is a video, not a photo", "ffmpeg -ss 1 -i film.mp4"]),
        ("letter.jpg", ["letter.jpg is a text", "give a JPEG"]),
        ("page.pdf", ["is a PDF", "pdftoppm"]),
        ("empty.png", ["is empty", "copy it again"]),
        ("cut.jpg", ["ends before its picture does", "copy it again"]),
        ("bomb.bmp", ["60000×60000 pixels", "make it smaller"]),
        ("wall.png", ["wall.png: no face was found", "give a photo that shows one"]),
        ("dot.png", ["has 8×8 pixels", "no face can be seen"]),
        ("missing.jpg", ["missing.jpg", "there is no such file"]),
        (".", ["it is a folder", "give a file"]),
    ] {
        fails(path, &["enrol", photo, "-o", "me.avatar", CONSENT], &words);
    }
    // Whatever a decoder makes of it.
    let odd = vultus(path, &["enrol", "odd.jpg", "-o", "odd.avatar", CONSENT]);
    assert!(odd.status.code().is_some(), "{}", text(&odd.stderr));
}

#[test]
fn options_that_cannot_be_followed() {
    let dir = folder();
    let path = dir.path();
    fs::write(path.join("points.json"), r#"{"tail": [1, 2]}"#).unwrap();
    fs::write(path.join("letter.json"), "Dear Sir").unwrap();
    fs::copy(path.join("photo.jpg"), path.join("me.avatar")).unwrap();
    let enrol = |more: &[&'static str]| [&["enrol", "photo.jpg", CONSENT], more].concat();
    fails(path, &["enrol", "photo.jpg", "-o", "x.avatar"], &["say --i-have-consent"]);
    fails(path, &enrol(&["-o", "x.png"]), &["does not end in .avatar"]);
    fails(path, &enrol(&["-o", "x.avatar", "--preview", "x.jpg"]), &["does not end in .png"]);
    fails(path, &enrol(&["-o", "nowhere/x.avatar"]), &["the folder nowhere does not exist"]);
    fails(path, &["enrol", "me.avatar", CONSENT, "-o", "me.avatar"], &["is also the photo"]);
    fails(
        path,
        &enrol(&["-o", "x.avatar", "--preview", "./x.avatar.png", "--landmarks", "missing.json"]),
        &["missing.json"],
    );
    fails(
        path,
        &enrol(&["-o", "x.avatar", "--landmarks", "points.json"]),
        &["points.json", "\"tail\", which is no point"],
    );
    fails(
        path,
        &enrol(&["-o", "x.avatar", "--landmarks", "letter.json"]),
        &["letter.json", "no JSON object of points"],
    );
    fails(path, &enrol(&["-o", "x.avatar", "--face", "2"]), &["no face number 2", "the photo has 1"]);
    fails(path, &enrol(&["-o", "x.avatar", "--crop", "300,0,500"]), &["no square of this photo", "700×560 pixels"]);
    fails(path, &enrol(&["-o", "x.avatar", "--crop", "0,0,80"]), &["holds none of the faces"]);
    fails(path, &enrol(&["-o", "x.avatar", "--title", ""]), &["--title is no line of text"]);
    fails(path, &["avatar", "info", "photo.jpg"], &["photo.jpg is not a complete safetensors file"]);
    fails(path, &["avatar", "info", "missing.avatar"], &["there is no such file"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path.join("me.avatar"), fs::Permissions::from_mode(0o444)).unwrap();
        fails(path, &enrol(&["-o", "me.avatar"]), &["write-protected"]);
    }
}
