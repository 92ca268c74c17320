//! What is encoded leaves no line on stderr: OpenH264 likes to comment on its settings. A process of its own is asked, since stderr belongs to all.

use std::process::Command;

use vultus_native::media::{I420, LiveH264Encoder};

const CHILD: &str = "VULTUS_TEST_ENCODES";

#[test]
fn encoders_print_nothing() {
    if std::env::var_os(CHILD).is_some() {
        encode();
        return;
    }
    let test = std::env::current_exe().unwrap();
    let done =
        Command::new(test).args(["--exact", "encoders_print_nothing", "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(done.status.success());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.trim().is_empty(), "{said}");
}

/// Live video with a change of its rate, which opens the encoder again, and a film.
fn encode() {
    let mut picture = I420::new(256, 256);
    picture.set_rgba(&[[90, 120, 150, 255u8]; 256 * 256].concat());
    let mut live = LiveH264Encoder::new(256, 25, 1_500_000).unwrap();
    for n in 0..4 {
        live.encode(&picture, n * 1920).unwrap();
        live.set_bits(400_000);
        live.force_keyframe();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut film = vultus_native::media::Film::create(
        &folder.path().join("film.mp4"),
        256,
        25,
        1,
        48_000,
        vultus_native::media::SoundCodec::Opus,
    )
    .unwrap();
    film.push_picture(&vec![128; 256 * 256 * 3 / 2]).unwrap();
    film.push_sound(&[0.0; 1920]).unwrap();
    film.finish().unwrap();
}
