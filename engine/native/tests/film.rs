//! Films, decoded by ffmpeg: every frame and sample where it belongs, colours right, nothing left behind by a failure.
//!
//! Needs `ffmpeg` and `ffprobe`; `./test` installs them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use vultus_native::media::{Film, MediaError, SoundCodec};

const SIZE: usize = 256;
const FPS: u32 = 25;
/// 2.5 s and a bit: no whole number of frames or packets.
const SOUND_FRAMES: usize = 120_123;
const CLICKS: [usize; 3] = [480, 48_000, 119_000];

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program} cannot be started ({e}); ./test installs it"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A smooth picture whose brightness says which frame it is, with a patch of strong colour.
fn picture(frame: usize) -> Vec<u8> {
    let mut rgba = Vec::with_capacity(SIZE * SIZE * 4);
    for y in 0..SIZE {
        for x in 0..SIZE {
            let patch = (96..160).contains(&x) && (96..160).contains(&y);
            let rgb =
                if patch { [200, 30, 60] } else { [40 + (frame * 3) as u8, (x / 2) as u8 + 40, (y / 2) as u8 + 40] };
            rgba.extend([rgb[0], rgb[1], rgb[2], 255]);
        }
    }
    rgba
}

fn sound() -> Vec<f32> {
    let mut pcm = vec![0.0f32; SOUND_FRAMES];
    for click in CLICKS {
        // 5 ms of 1 kHz: Opus keeps its start within a fraction of a millisecond.
        for n in 0..240.min(SOUND_FRAMES - click) {
            pcm[click + n] = 0.8 * (std::f32::consts::TAU * 1000.0 * n as f32 / 48_000.0).sin();
        }
    }
    pcm
}

fn make(target: &Path, codec: SoundCodec) -> usize {
    let frames = (SOUND_FRAMES * FPS as usize).div_ceil(48_000);
    let mut film = Film::create(target, SIZE, FPS, 1, 44_100, codec).unwrap();
    let pcm = sound();
    for frame in 0..frames {
        film.push_picture(&picture(frame)).unwrap();
        let from = (frame * 1920).min(pcm.len());
        film.push_sound(&pcm[from..(from + 1920).min(pcm.len())]).unwrap();
    }
    film.finish().unwrap();
    frames
}

#[test]
fn a_film_decodes_to_what_went_in() {
    decodes_to_what_went_in(SoundCodec::Aac, "aac", "profile=LC");
}

#[test]
fn so_does_one_with_opus() {
    decodes_to_what_went_in(SoundCodec::Opus, "opus", "channels=1");
}

fn decodes_to_what_went_in(codec: SoundCodec, codec_name: &str, profile: &str) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("film.mp4");
    let name = target.to_str().unwrap();
    let frames = make(&target, codec);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the film is there");

    // ffmpeg reports every oddity of a file on stderr at this level.
    let complaints = run("ffmpeg", &["-v", "warning", "-i", name, "-f", "null", "-"]).stderr;
    assert_eq!(String::from_utf8_lossy(&complaints), "");

    let fields = "stream=codec_name,profile,pix_fmt,has_b_frames,width,height,duration,r_frame_rate,nb_read_frames,color_range,color_space,color_transfer,\
                  color_primaries,start_time,channels,sample_rate";
    let probe = run("ffprobe", &["-v", "error", "-count_frames", "-show_entries", fields, "-of", "default=nk=0", name]);
    let probe = String::from_utf8(probe.stdout).unwrap();
    for line in [
        "codec_name=h264",
        &format!("codec_name={codec_name}"),
        profile,
        "profile=Constrained Baseline",
        "pix_fmt=yuv420p",
        "has_b_frames=0",
        "r_frame_rate=25/1",
        &format!("nb_read_frames={frames}"),
        "color_range=tv",
        "color_space=bt709",
        "color_transfer=bt709",
        "color_primaries=bt709",
        "channels=1",
        "sample_rate=48000",
    ] {
        assert!(probe.lines().any(|l| l == line), "{line} is missing in:\n{probe}");
    }
    assert_eq!(probe.matches("start_time=0.000000").count(), 2, "{probe}");
    let durations: Vec<&str> = probe.lines().filter(|line| line.starts_with("duration=")).collect();
    assert!(durations.len() == 2 && durations[0] == durations[1], "the tracks differ in length: {probe}");

    let rgb = run("ffmpeg", &["-v", "error", "-i", name, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).stdout;
    assert_eq!(rgb.len(), frames * SIZE * SIZE * 3);
    for (frame, got) in rgb.chunks(SIZE * SIZE * 3).enumerate() {
        let want = picture(frame);
        let error: f64 = got
            .chunks(3)
            .zip(want.chunks(4))
            .flat_map(|(g, w)| (0..3).map(move |c| (f64::from(g[c]) - f64::from(w[c])).powi(2)))
            .sum();
        let psnr = 10.0 * (255.0f64.powi(2) * got.len() as f64 / error).log10();
        assert!(psnr > 36.0, "frame {frame}: {psnr:.1} dB");
        // Flat inside the patch, so chroma is exact but for the quantiser.
        let centre = &got[(128 * SIZE + 128) * 3..][..3];
        assert!(centre.iter().zip([200i32, 30, 60]).all(|(g, w)| (i32::from(*g) - w).abs() <= 5), "{centre:?}");
    }

    let pcm = run("ffmpeg", &["-v", "error", "-i", name, "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]).stdout;
    let pcm: Vec<f32> = pcm.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    // The sound is as long as the pictures; ffmpeg plays the last packet to its end, whatever the edit list says.
    let length = frames * 1920;
    assert!((length..length + 1024).contains(&pcm.len()), "{} frames of sound", pcm.len());
    for click in CLICKS {
        // Where the sound, correlated with the click, is largest.
        let template: Vec<f32> =
            (0..240).map(|n| (std::f32::consts::TAU * 1000.0 * n as f32 / 48_000.0).sin()).collect();
        let score = |at: usize| template.iter().zip(&pcm[at..]).map(|(a, b)| a * b).sum::<f32>();
        let best = (click.saturating_sub(400)..click + 400).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap();
        assert!(best.abs_diff(click) <= 24, "the click at {click} is heard at {best}");
    }
}

/// Type, offset and size of each box of a file, or of each box within one of its boxes.
fn boxes(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert!(size >= 8 && at + size <= bytes.len(), "a box of {size} bytes at {at}");
        found.push((String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned(), at, size));
        at += size;
    }
    found
}

#[test]
fn the_index_comes_first_and_points_at_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("film.mp4");
    make(&target, SoundCodec::Aac);
    let film = fs::read(&target).unwrap();
    let found = boxes(&film);
    let kinds: Vec<&str> = found.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["ftyp", "uuid", "moov", "free", "mdat"]);
    let brands: Vec<&[u8]> = film[8..found[0].2].chunks(4).collect();
    for brand in [b"isom", b"avc1", b"mp42"] {
        assert!(brands.contains(&brand.as_slice()), "{brand:?} is missing");
    }
    // Offsets of chunks are 32 bits wide, since not every player reads others, and the first one is the first byte of the data.
    let (_, at, size) = &found[2];
    let index = &film[*at..at + size];
    let table = index.windows(4).position(|kind| kind == b"stco").expect("offsets of 32 bits");
    let first = u32::from_be_bytes(index[table + 12..table + 16].try_into().unwrap()) as usize;
    assert_eq!(first, found[4].1 + 8);
    assert!(index.windows(4).any(|word| word == b"\x55\xc4\0\0"), "the language is not und");
    // The film says that it is no recording of a person.
    let (_, at, size) = &found[1];
    let mark = String::from_utf8_lossy(&film[*at..at + size]);
    assert!(mark.contains("digitalsourcetype/compositeWithTrainedAlgorithmicMedia"), "{mark}");
    assert!(index.windows(9).any(|word| word == b"Synthetic"));
}

#[test]
fn the_order_of_arrival_does_not_change_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (in_step, sound_first) = (dir.path().join("in_step.mp4"), dir.path().join("sound_first.mp4"));
    let frames = make(&in_step, SoundCodec::Aac);
    let mut film = Film::create(&sound_first, SIZE, FPS, 1, 44_100, SoundCodec::Aac).unwrap();
    sound().chunks(4801).for_each(|piece| film.push_sound(piece).unwrap());
    (0..frames).for_each(|frame| film.push_picture(&picture(frame)).map(drop).unwrap());
    film.finish().unwrap();
    assert!(fs::read(in_step).unwrap() == fs::read(sound_first).unwrap(), "the two films differ");
}

#[test]
fn an_unfinished_film_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("film.mp4");
    let mut film = Film::create(&target, SIZE, FPS, 2, 48_000, SoundCodec::Aac).unwrap();
    film.push_picture(&picture(0)).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    drop(film);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let film = Film::create(&target, SIZE, FPS, 2, 48_000, SoundCodec::Aac).unwrap();
    assert!(matches!(film.finish(), Err(MediaError::Container(_))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn places_that_cannot_be_written_say_what_to_do() {
    let error = |path: &Path| {
        Film::create(path, SIZE, FPS, 1, 48_000, SoundCodec::Aac).err().expect("cannot be created").to_string()
    };
    let dir = tempfile::tempdir().unwrap();
    let text = error(&dir.path().join("no/out.mp4"));
    assert!(text.contains("folder does not exist"), "{text}");
    assert!(error(dir.path()).contains("is a folder"));
}

#[test]
fn half_an_hour_of_film_needs_no_memory_for_its_content() {
    // 45 000 tiny frames: the index is four bytes a sample, the content goes to the file.
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("film.mp4");
    let mut film = Film::create(&target, 16, FPS, 1, 48_000, SoundCodec::Aac).unwrap();
    let (rgba, pcm) = (vec![90u8; 16 * 16 * 4], vec![0.0f32; 1920]);
    for _ in 0..45_000 {
        film.push_picture(&rgba).unwrap();
        film.push_sound(&pcm).unwrap();
    }
    film.finish().unwrap();
    let probe = run(
        "ffprobe",
        &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", target.to_str().unwrap()],
    );
    assert_eq!(String::from_utf8(probe.stdout).unwrap().trim(), "1800.000000");
}
