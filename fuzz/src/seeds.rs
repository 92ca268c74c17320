//! Sound inputs, to be damaged: from files kept here, from the built-in weights, and made by ffmpeg.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use image::{DynamicImage, ImageFormat, RgbImage};
use vultus::avatar::{ALBEDO, AvatarFile, EXPRESSION, IDENTITY, LIGHT, Matte, Origin, Portrait};
use vultus_native::assets::Assets;
use vultus_native::media::OpusEncoder;

/// Each container with what ffmpeg is told, and the ending of the file.
pub(crate) const SOUNDS: [(&str, &[(&str, &str)]); 17] = [
    (
        "wav",
        &[
            ("-c:a pcm_s16le", "wav"),
            ("-c:a pcm_u8", "wav"),
            ("-c:a pcm_s24le -ac 2", "wav"),
            ("-c:a pcm_s32le", "wav"),
            ("-c:a pcm_f32le -ac 6", "wav"),
            ("-c:a pcm_f64le", "wav"),
            ("-c:a pcm_alaw", "wav"),
            ("-c:a pcm_mulaw", "wav"),
            ("-c:a adpcm_ms", "wav"),
            ("-c:a adpcm_ima_wav -ac 2", "wav"),
            ("-c:a libmp3lame -f wav", "wav"),
        ],
    ),
    ("rf64", &[("-c:a pcm_s16le -rf64 always", "wav"), ("-c:a pcm_f32le -ac 2 -rf64 always", "wav")]),
    ("w64", &[("-c:a pcm_s16le", "w64"), ("-c:a pcm_s24le -ac 2", "w64")]),
    (
        "aiff",
        &[
            ("-c:a pcm_s16be", "aiff"),
            ("-c:a pcm_s24be -ac 2", "aiff"),
            ("-c:a pcm_f32be", "aiff"),
            ("-c:a pcm_alaw", "aiff"),
        ],
    ),
    (
        "caf",
        &[("-c:a pcm_s16be", "caf"), ("-c:a pcm_f32le -ac 2", "caf"), ("-c:a alac", "caf"), ("-c:a pcm_mulaw", "caf")],
    ),
    ("au", &[("-c:a pcm_s16be", "au"), ("-c:a pcm_mulaw", "au")]),
    (
        "mp3",
        &[
            ("-c:a libmp3lame -b:a 32k -metadata title=t", "mp3"),
            ("-c:a libmp3lame -q:a 7 -ac 2", "mp3"),
            ("-c:a libmp3lame -ar 48000 -b:a 64k -id3v2_version 4 -metadata artist=a", "mp3"),
            ("-c:a libmp3lame -ar 16000 -b:a 16k -write_xing 0", "mp3"),
        ],
    ),
    ("mp2", &[("-c:a mp2 -b:a 64k", "mp2"), ("-c:a mp2 -ar 48000 -ac 2 -b:a 128k", "mp2")]),
    ("adts", &[("-c:a aac -b:a 32k", "aac"), ("-c:a aac -ac 2 -b:a 64k", "aac"), ("-c:a aac -ar 16000", "aac")]),
    (
        "m4a",
        &[
            ("-c:a aac -b:a 32k", "m4a"),
            ("-c:a aac -ac 2 -movflags +faststart -metadata title=t", "m4a"),
            ("-c:a aac -ac 6", "m4a"),
        ],
    ),
    ("alac", &[("-c:a alac", "m4a"), ("-c:a alac -ac 2 -sample_fmt s32p", "m4a")]),
    (
        "film",
        &[
            ("FILM -c:v mpeg4 -c:a aac", "mp4"),
            ("FILM -c:v mpeg4 -c:a pcm_s16le", "mov"),
            ("FILM -c:v mpeg4 -c:a aac -movflags frag_keyframe+empty_moov", "mp4"),
            ("FILM -c:v mpeg4 -c:a libmp3lame", "mkv"),
        ],
    ),
    ("ogg-vorbis", &[("-c:a libvorbis -q:a 0", "ogg"), ("-c:a libvorbis -q:a 0 -ac 2 -metadata title=t", "ogg")]),
    ("ogg-opus", &[("-c:a libopus -b:a 16k", "ogg"), ("-c:a libopus -b:a 48k -ac 6 -mapping_family 1", "opus")]),
    ("ogg-flac", &[("-c:a flac", "oga")]),
    (
        "flac",
        &[
            ("-c:a flac", "flac"),
            ("-c:a flac -ac 2 -sample_fmt s32", "flac"),
            ("-c:a flac -ac 6 -metadata title=t", "flac"),
        ],
    ),
    (
        "matroska",
        &[
            ("-c:a libopus -b:a 16k", "webm"),
            ("-c:a libvorbis -q:a 0", "webm"),
            ("-c:a flac", "mka"),
            ("-c:a aac", "mka"),
            ("-c:a pcm_s16le", "mka"),
            ("-c:a libmp3lame", "mka"),
        ],
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// The files of a folder, in order of their names.
pub(crate) fn files(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let list = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
    paths.into_iter().filter(|path| path.is_file()).map(read).collect()
}

/// Seeds that are kept beside this crate.
pub(crate) fn kept(name: &str) -> Result<Vec<Vec<u8>>> {
    let seeds = files(&folder().join(name))?;
    ensure!(!seeds.is_empty(), "there are no seeds in {}", folder().join(name).display());
    Ok(seeds)
}

/// Half a second of a voice-like sound in each form.
pub(crate) fn sounds(recipes: &[(&str, &str)]) -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir().context("a folder for seeds")?;
    let make = |(recipe, ending): &(&str, &str)| {
        let file = folder.path().join(format!("seed.{ending}"));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y", "-bitexact"]);
        let recipe = match recipe.strip_prefix("FILM ") {
            Some(rest) => {
                ffmpeg.args(["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=0.6"]);
                rest
            }
            None => recipe,
        };
        ffmpeg.args(["-f", "lavfi", "-i", "aevalsrc='0.4*sin(700*t)*sin(40*t)+0.05*random(0)':s=22050:d=0.6"]);
        let rate = if recipe.contains("opus") { "48000" } else { "22050" };
        if !recipe.contains("-ar ") {
            ffmpeg.args(["-ar", rate]);
        }
        if !recipe.contains("-ac ") {
            ffmpeg.args(["-ac", "1"]);
        }
        ffmpeg.args(recipe.split(' ')).arg(&file).stdin(Stdio::null());
        let done = ffmpeg.output().context("cannot start ffmpeg, which makes the seeds; apt install ffmpeg")?;
        if !done.status.success() {
            bail!("ffmpeg did not make {recipe} .{ending}: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    recipes.iter().map(make).collect()
}

/// Conversations on a speak socket, as `engine/server/src/speak/fuzz.rs` reads them: each control message that is kept between two pieces of sound of
/// an odd length, once as bare samples and once behind a WAV header.
pub(crate) fn conversations() -> Result<Vec<Vec<u8>>> {
    let texts = kept("speak")?;
    let wav = sounds(&[("-c:a pcm_s16le -ac 2", "wav")])?.swap_remove(0);
    let message = |conversation: &mut Vec<u8>, kind: u8, content: &[u8]| {
        conversation.push(kind);
        conversation.extend((content.len() as u16).to_le_bytes());
        conversation.extend_from_slice(content);
    };
    let talk = |promise: [u8; 3], sound: &[u8]| {
        let mut conversation = promise.to_vec();
        for (text, piece) in texts.iter().zip(sound.chunks(611).cycle()) {
            message(&mut conversation, 0, piece);
            message(&mut conversation, 1, text);
        }
        conversation
    };
    Ok(vec![
        talk([0, 3, 1], &wav[44..]),
        talk([9, 0, 0], &wav),
        talk([2, 1, 1], &wav[44..]),
        talk([1, 4, 2], &wav[44..]),
    ])
}

/// A check of ICE, and DTLS records.
pub(crate) fn datagrams() -> Vec<Vec<u8>> {
    let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    check.extend([7; 12]);
    for (kind, value) in [(0x0006u16, &b"abcd:efgh\0\0\0"[..9]), (0x0024, &[0, 0, 0, 1]), (0x0008, &[5; 20])] {
        check.extend(kind.to_be_bytes());
        check.extend((value.len() as u16).to_be_bytes());
        check.extend(value);
        check.resize(check.len().next_multiple_of(4), 0);
    }
    let length = (check.len() - 20) as u16;
    check[2..4].copy_from_slice(&length.to_be_bytes());
    let record = |kind: u8, epoch: u8, length: u8| {
        let mut record = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1, 0, length];
        record.extend((0..length).collect::<Vec<u8>>());
        record
    };
    vec![check, record(22, 0, 60), record(21, 1, 2), [record(22, 0, 5), record(20, 0, 1), record(22, 1, 40)].concat()]
}

/// Half a second of a call, as `targets::packets` reads it.
pub(crate) fn opus_packets() -> Result<Vec<Vec<u8>>> {
    let pcm: Vec<f32> = (0..24_000).map(|n| 0.4 * (n as f32 * 0.03).sin()).collect();
    let mut bytes = Vec::new();
    OpusEncoder::live()?.push(&pcm, |packet| {
        let packet = &packet[..packet.len().min(255)];
        bytes.extend([packet.len() as u8, 1]);
        bytes.extend_from_slice(packet);
        Ok(())
    })?;
    Ok(vec![bytes])
}

/// A portrait of 96 × 96 pixels in each format of pictures that is read.
pub(crate) fn photos(assets: &Assets) -> Result<Vec<Vec<u8>>> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let portrait = assets.avatar("amara")?.portrait;
    let side = portrait.side as u32;
    let picture = RgbImage::from_raw(side, side, portrait.rgb).context("a portrait has its pixels")?;
    let small = DynamicImage::ImageRgb8(picture).thumbnail(96, 96);
    let encoded = |picture: &DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format)?;
        Ok(bytes.into_inner())
    };
    let mut seeds = [Jpeg, Png, WebP, Gif, Bmp, Tiff]
        .map(|format| encoded(&small, format))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    seeds.push(encoded(&small.to_rgba16().into(), Png)?);
    seeds.push(encoded(&small.to_luma8().into(), Jpeg)?);
    Ok(seeds)
}

/// An avatar of 64 × 64 pixels.
pub(crate) fn small_avatar() -> Result<Vec<u8>> {
    const SIDE: usize = 64;
    let avatar = AvatarFile {
        name: "seed".into(),
        title: "A seed".into(),
        licence: "CC0-1.0".into(),
        portrait: Portrait { side: SIDE, rgb: (0..SIDE * SIDE * 3).map(|i| (i % 251) as u8).collect() },
        matte: Matte { side: SIDE, alpha: (0..SIDE * SIDE).map(|i| (i % 256) as u8).collect() },
        alpha: [0.1; IDENTITY],
        beta: [0.0; EXPRESSION],
        delta: [0.5; ALBEDO],
        gamma: [0.2; LIGHT],
        pose: [0.1, 0.0, 0.0, 0.0, 0.0, -1.25],
        camera: [2.5, 0.5, 0.45],
        origin: Origin::default(),
    };
    Ok(avatar.to_bytes()?)
}
