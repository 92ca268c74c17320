//! Films of others, made by ffmpeg: every picture in its order and at its time, upright; and what cannot be read is told in a sentence.
//!
//! Needs `ffmpeg`; `./test` installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vultus_native::video::{VideoError, VideoReader};

const FRAMES: usize = 60;

/// Two seconds in which every picture is brighter than the one before, and brighter on its left.
fn film(dir: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = dir.join(name);
    let picture = "nullsrc=s=160x96:r=30:d=2,geq=lum='40+2*N+if(lt(X,W/2),30,0)':cb=128:cr=128,format=yuv420p";
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", picture])
        .args(arguments)
        .arg(&path)
        .output()
        .unwrap_or_else(|e| panic!("ffmpeg cannot be started ({e}); ./test installs it"));
    assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    path
}

/// Time in seconds, size, brightness of both halves.
type Shown = (f64, [usize; 2], [f64; 2]);

/// Times in seconds, sizes, and mean brightness of the left and the right half of every picture.
fn pictures(path: &Path) -> Result<Vec<Shown>, VideoError> {
    let mut reader = VideoReader::open(path)?;
    let mut all = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        let half = |right: bool| {
            let inside = |k: &usize| (k % frame.width >= frame.width / 2) == right;
            let count = frame.width * frame.height;
            let sum: f64 = (0..count).filter(inside).map(|k| f64::from(frame.rgb[3 * k + 1])).sum();
            2.0 * sum / count as f64
        };
        all.push((frame.time.as_secs_f64(), [frame.width, frame.height], [half(false), half(true)]));
    }
    Ok(all)
}

#[test]
fn every_picture_comes_in_its_order_and_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 4] = [
        ("with-b-frames.mp4", &["-c:v", "libx264", "-bf", "3", "-g", "20"]),
        ("baseline.mov", &["-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p"]),
        ("fragments.mp4", &["-c:v", "libx264", "-g", "15", "-movflags", "frag_keyframe+empty_moov"]),
        ("index-in-front.m4v", &["-c:v", "libx264", "-movflags", "+faststart", "-f", "mp4"]),
    ];
    for (name, arguments) in kinds {
        let pictures = pictures(&film(dir.path(), name, arguments)).unwrap();
        assert_eq!(pictures.len(), FRAMES, "{name}");
        for (k, pair) in pictures.windows(2).enumerate() {
            let [(before, size, [left, right]), (after, _, [next, _])] = pair else { unreachable!() };
            assert!((after - before - 1.0 / 30.0).abs() < 2e-3, "{name}, picture {k}: {before} then {after}");
            assert!(next > left && left > &(right + 20.0), "{name}, picture {k}: {left} | {right}, then {next}");
            assert_eq!(*size, [160, 96]);
        }
    }
}

#[test]
fn a_film_of_a_telephone_is_upright() {
    let dir = tempfile::tempdir().unwrap();
    let path = film(dir.path(), "turned.mp4", &["-c:v", "libx264"]);
    let mut bytes = fs::read(&path).unwrap();
    let matrix = bytes.windows(4).position(|w| w == b"tkhd").unwrap() + 44;
    // Half a turn: what was left is right.
    for (k, value) in [(0, -65536i32), (1, 0), (3, 0), (4, -65536)] {
        bytes[matrix + 4 * k..][..4].copy_from_slice(&value.to_be_bytes());
    }
    fs::write(&path, &bytes).unwrap();
    let (_, size, [left, right]) = pictures(&path).unwrap()[0];
    assert!(right > left + 20.0 && size == [160, 96], "{left} | {right}");
    // A quarter.
    for (k, value) in [(0, 0), (1, 65536i32), (3, -65536), (4, 0)] {
        bytes[matrix + 4 * k..][..4].copy_from_slice(&value.to_be_bytes());
    }
    fs::write(&path, bytes).unwrap();
    assert_eq!(pictures(&path).unwrap()[0].1, [96, 160]);
}

#[test]
fn what_cannot_be_read_is_told_and_damage_ends_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.mp4");
    fs::write(&text, "these are only words").unwrap();
    let sound = dir.path().join("sound.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac"])
        .arg(&sound)
        .status()
        .unwrap();
    assert!(made.success());
    let other = film(dir.path(), "other.mp4", &["-c:v", "mpeg4"]);
    let web = film(dir.path(), "web.webm", &["-c:v", "libvpx"]);
    for (path, why) in [
        (&text, "is no film that is known here"),
        (&sound, "has no pictures"),
        (&other, "has pictures in"),
        (&web, "is no film that is known here"),
    ] {
        let told = pictures(path).unwrap_err().to_string();
        assert!(told.contains(why) && told.contains("ffmpeg -i"), "{told}");
    }
    let whole = fs::read(film(dir.path(), "whole.mp4", &["-c:v", "libx264", "-movflags", "+faststart"])).unwrap();
    let path = dir.path().join("damaged.mp4");
    fs::write(&path, &whole[..whole.len() - 400]).unwrap();
    let told = pictures(&path).unwrap_err().to_string();
    assert!(told.contains("cut off"), "{told}");
    // Whatever is wrong with it, there is an end.
    let mut state = 1u32;
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = state as usize % bytes.len();
            bytes[at] = (state >> 24) as u8;
        }
        fs::write(&path, bytes).unwrap();
        let _ = pictures(&path);
    }
}
