//! Every kind of sound that people have: made by ffmpeg out of the sample speech, heard, and compared with it. What damaged ones do is for
//! `fuzz/` to try. Needs `ffmpeg`; `./test` installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use vultus::audio::{RATE, Resampler};
use vultus_native::audio::{AudioError, AudioReader, AudioStats};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/sample.wav");

/// Name, options of ffmpeg, and by how many milliseconds the sound may come late: containers that do not say what only warms the decoder up keep it.
const HEARD: &[(&str, &str, f64)] = &[
    ("tagged.mp3", "-c:a libmp3lame -metadata title=Speech", 1.0),
    ("layer2.mp2", "-c:a mp2", 45.0),
    ("adts.aac", "-ar 44100 -c:a aac", 50.0),
    ("surround.aac", "-ar 48000 -af pan=5.1|c2=c0 -c:a aac", 50.0),
    ("phone.m4a", "-ar 44100 -c:a aac", 1.0),
    ("index-in-front.m4a", "-ar 44100 -c:a aac -movflags +faststart", 1.0),
    ("low-rate.m4a", "-ar 16000 -b:a 24k -c:a aac", 2.0),
    ("fragmented.mp4", "-ar 48000 -c:a aac -movflags frag_keyframe+empty_moov", 50.0),
    ("lossless.m4a", "-c:a alac", 1.0),
    ("quicktime.mov", "-ar 48000 -ac 2 -c:a aac", 1.0),
    ("samples.mov", "-c:a pcm_s16be", 1.0),
    ("samples-24.mov", "-c:a pcm_s24le", 1.0),
    ("phone.3gp", "-ar 16000 -c:a aac", 2.0),
    ("opus.mp4", "-c:a libopus", 1.0),
    ("flac.mp4", "-c:a flac -strict -2", 1.0),
    ("browser.webm", "-c:a libopus", 1.0),
    ("recorded-live.webm", "-c:a libopus -f webm -live 1", 1.0),
    ("vorbis.webm", "-c:a libvorbis", 1.0),
    ("opus.mka", "-c:a libopus", 1.0),
    ("aac.mkv", "-ar 44100 -c:a aac", 50.0),
    ("flac.mka", "-c:a flac", 1.0),
    ("mp3.mkv", "-c:a libmp3lame", 80.0),
    ("samples.mkv", "-c:a pcm_s16le", 1.0),
    ("note.opus", "-c:a libopus", 1.0),
    ("stereo.opus", "-ac 2 -c:a libopus", 1.0),
    ("surround.opus", "-af pan=5.1|c2=c0 -c:a libopus -mapping_family 1", 1.0),
    ("flac.oga", "-c:a flac", 1.0),
    ("vorbis.ogg", "-c:a libvorbis", 1.0),
    ("microsoft.wav", "-c:a adpcm_ms", 1.0),
    ("microsoft-stereo.wav", "-ac 2 -c:a adpcm_ms", 1.0),
    ("ima.wav", "-c:a adpcm_ima_wav", 1.0),
    ("ima-stereo.wav", "-ac 2 -c:a adpcm_ima_wav", 1.0),
    ("a-law.wav", "-c:a pcm_alaw", 1.0),
    ("mu-law.wav", "-c:a pcm_mulaw", 1.0),
    ("mp3-inside.wav", "-c:a libmp3lame", 80.0),
    ("bytes.wav", "-c:a pcm_u8", 1.0),
    ("24.wav", "-c:a pcm_s24le", 1.0),
    ("32.wav", "-c:a pcm_s32le", 1.0),
    ("float.wav", "-c:a pcm_f32le", 1.0),
    ("double.wav", "-c:a pcm_f64le", 1.0),
    ("recorder.wav", "-rf64 always", 1.0),
    ("sony.w64", "", 1.0),
    ("mac.aiff", "-c:a pcm_s16be", 1.0),
    ("mac-24.aiff", "-c:a pcm_s24be", 1.0),
    ("little.aif", "-f aiff -c:a pcm_s16le", 1.0),
    ("float.aiff", "-c:a pcm_f32be", 1.0),
    ("double.aiff", "-c:a pcm_f64be", 1.0),
    ("mu-law.aiff", "-c:a pcm_mulaw", 1.0),
    ("ima.aiff", "-c:a adpcm_ima_qt", 1.0),
    ("core.caf", "-c:a pcm_s16le", 1.0),
    ("core-24.caf", "-c:a pcm_s24be", 1.0),
    ("lossless.caf", "-c:a alac", 1.0),
    ("mu-law.caf", "-c:a pcm_mulaw", 1.0),
    ("ima.caf", "-c:a adpcm_ima_qt", 1.0),
    ("sun.au", "-c:a pcm_s16be", 1.0),
    ("mu-law.au", "-c:a pcm_mulaw", 1.0),
    ("inverted.wav", "-af pan=stereo|c0=c0|c1=-1*c0", 1.0),
    ("inverted-and-weaker.flac", "-af pan=stereo|c0=c0|c1=-0.8*c0", 1.0),
    ("inverted.opus", "-af pan=stereo|c0=c0|c1=-1*c0 -c:a libopus", 1.0),
    ("left-is-dead.wav", "-af pan=stereo|c1=c0", 1.0),
    ("right-is-dead.m4a", "-ar 44100 -af pan=stereo|c0=c0 -c:a aac", 1.0),
    ("centre.wav", "-af pan=5.1|c2=c0", 1.0),
    ("third-of-four.wav", "-af pan=4c|c2=c0", 1.0),
    ("fourth-of-six.wav", "-af pan=6c|c3=c0", 1.0),
    ("twelfth-of-sixteen.wav", "-af pan=16c|c11=c0", 1.0),
    ("side-of-seven.flac", "-af pan=7.1|c6=c0", 1.0),
];

/// Films: beside the sound there are pictures, and other tracks.
const FILMS: &[(&str, &str, f64)] = &[
    ("camera.mp4", "-map 0:a -map 1:v -c:v libx264 -ar 48000 -c:a aac", 1.0),
    ("camera.mov", "-map 1:v -map 0:a -c:v libx264 -c:a pcm_s16le", 1.0),
    ("screen.webm", "-map 1:v -map 0:a -c:v libvpx -deadline realtime -c:a libopus", 1.0),
    ("film.mkv", "-map 1:v -map 0:a -c:v libx264 -c:a libvorbis", 1.0),
    ("other-track-first.mkv", "-map 1:v -map 0:a -map 0:a -c:v libx264 -c:a:0 ac3 -c:a:1 flac", 1.0),
];

/// What stays out, and what the error calls it.
const NAMED: &[(&str, &str, &str)] = &[
    ("dolby.mkv", "-c:a ac3", "AC-3"),
    ("dolby.ac3", "-c:a ac3", "AC-3"),
    ("windows.wma", "-c:a wmav2", "Windows Media"),
    ("pack.wv", "-c:a wavpack", "WavPack"),
    ("dts.mkv", "-ar 48000 -c:a dca -strict -2", "DTS"),
    ("film.avi", "-c:a libmp3lame", "AVI"),
    ("broadcast.ts", "-c:a mp2", "transport stream"),
];

fn ffmpeg(dir: &Path, name: &str, options: &str, seconds: f64, pictures: bool) -> PathBuf {
    let out = dir.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-t", &seconds.to_string(), "-i", SAMPLE]);
    if pictures {
        command.args(["-f", "lavfi", "-t", &seconds.to_string(), "-i", "testsrc=size=64x48:rate=25"]);
    }
    let done = command
        .args(options.split_whitespace())
        .arg(&out)
        .output()
        .unwrap_or_else(|e| panic!("ffmpeg cannot be started ({e}); ./test installs it"));
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    out
}

/// The whole of a sound as 16 kHz mono, and the larger of the two loudspeakers' powers.
fn hear(mut reader: AudioReader) -> Result<(Vec<f32>, f32, AudioStats), AudioError> {
    let mut resampler = Resampler::new(reader.info().rate, RATE, 1).expect("the reader gives rates that make sense");
    let (mut pcm, mut power) = (Vec::new(), [0.0f32; 2]);
    let channels = reader.info().speakers;
    let mut frames = 0;
    while let Some(block) = reader.next_block()? {
        assert_eq!(block.speakers.len(), block.mono.len() * channels);
        assert!(block.mono.iter().chain(block.speakers).all(|x| x.is_finite()));
        resampler.push(block.mono, |out| pcm.extend_from_slice(out));
        for (n, sample) in block.speakers.iter().enumerate() {
            power[n % channels] += sample * sample;
        }
        frames += block.mono.len();
    }
    assert_eq!(frames as u64, reader.stats().frames, "frames that were counted are heard");
    resampler.finish(|out| pcm.extend_from_slice(out));
    Ok((pcm, power[0].max(power[1]) / frames.max(1) as f32, reader.stats().clone()))
}

/// The sample speech, 16 kHz mono.
fn sample() -> &'static [f32] {
    static SPEECH: OnceLock<Vec<f32>> = OnceLock::new();
    SPEECH.get_or_init(|| hear(AudioReader::open(Path::new(SAMPLE)).unwrap()).unwrap().0)
}

/// How late `heard` is against the sample, in samples; how alike they are then (1: the same); and how much louder it is.
fn compare(heard: &[f32]) -> (f64, f64, f64) {
    let part = &sample()[12_000..20_000];
    let at = |lag: i64| {
        let start = (12_000 + lag) as usize;
        let there = &heard[start..(start + part.len()).min(heard.len())];
        let (mut product, mut mine, mut theirs) = (0.0, 0.0, 0.0);
        for (a, b) in part.iter().zip(there) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            (product, mine, theirs) = (product + a * b, mine + a * a, theirs + b * b);
        }
        // A voice upside down is the same voice.
        (product.abs() / (mine * theirs).sqrt().max(1e-12), (theirs / mine).sqrt())
    };
    let lags = -400..1_600i64;
    let best = lags.max_by(|a, b| at(*a).0.total_cmp(&at(*b).0)).unwrap();
    let (alike, gain) = at(best);
    (best as f64, alike, gain)
}

/// What is wrong with the sound of a file that has two seconds of the sample speech.
fn problem(file: &Path, late: f64) -> Option<String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let heard = AudioReader::open(file).and_then(|reader| {
        let told = reader.info().frames.map(|frames| frames as f64 / reader.info().rate as f64);
        Ok((told, hear(reader)?))
    });
    let (told, (pcm, power, stats)) = match heard {
        Ok(heard) => heard,
        Err(error) => return Some(error.to_string()),
    };
    if pcm.len() < 31_000 {
        return Some(format!("{name}: {} samples", pcm.len()));
    }
    let (lag, alike, gain) = compare(&pcm);
    let whole = sample()[..32_000].iter().map(|x| x * x).sum::<f32>() / 32_000.0;
    let right = alike > 0.9
        && (0.65..1.5).contains(&gain)
        && (-1.0..=late).contains(&(lag / 16.0))
        && stats.warnings().is_empty()
        && told.is_none_or(|told| (told - 2.0).abs() < 0.2)
        && power > 0.2 * whole;
    let figures = format!(
        "{name}: {:.1} ms late (at most {late}), {alike:.3} alike, {gain:.2} as loud ({:.2} in the film), says it has {told:?} s, {:?}",
        lag / 16.0,
        (power / whole).sqrt(),
        stats.warnings()
    );
    eprintln!("{figures}");
    (!right).then_some(figures)
}

#[test]
fn every_sound_that_people_have_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let made = HEARD.iter().map(|case| (case, false)).chain(FILMS.iter().map(|case| (case, true)));
    let problems: Vec<String> = made
        .filter_map(|((name, options, late), pictures)| {
            problem(&ffmpeg(dir.path(), name, options, 2.0, pictures), *late)
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_stays_out_is_named_with_how_to_convert_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| AudioReader::open(path).err().map(|e| e.to_string()).unwrap_or_default();
    for (name, options, called) in NAMED {
        let error = error(&ffmpeg(dir.path(), name, options, 0.5, false));
        assert!(error.contains(called) && error.contains("ffmpeg -i ") && error.contains(name), "{name}: {error}");
    }
    let amr = dir.path().join("phone.amr");
    fs::write(&amr, b"#!AMR\n\x3c\x08\x55\x67\x08\x55\x67").unwrap();
    assert!(error(&amr).contains("AMR"), "{}", error(&amr));
    let silent = ffmpeg(dir.path(), "silent.mp4", "-map 1:v -c:v libx264", 0.5, true);
    assert!(error(&silent).contains("no sound track"), "{}", error(&silent));
}

/// Tags in front and behind, with a cover of several MiB, twice.
#[test]
fn covers_of_any_size_are_passed_by() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["plain.mp3", "plain.flac", "plain.aac"] {
        let options = if name.ends_with("aac") { "-ar 44100" } else { "-id3v2_version 0" };
        let plain =
            fs::read(ffmpeg(dir.path(), name, if name.ends_with("mp3") { options } else { "" }, 2.0, false)).unwrap();
        let mut tag = b"ID3\x04\0\0".to_vec();
        let size = 5 << 20;
        tag.extend([21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7f));
        // What an image may look like: bytes that could begin a frame.
        tag.extend((0..size).map(|n: usize| if n.is_multiple_of(7) { 0xff } else { (n * 31 % 256) as u8 | 0xe0 }));
        let file = dir.path().join(format!("tagged-{name}"));
        fs::write(
            &file,
            [&tag[..], &tag, &plain, b"APETAGEX\xd0\x07\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"].concat(),
        )
        .unwrap();
        assert_eq!(problem(&file, 80.0), None);
    }
}

/// What cannot be read backwards: as far as the container allows, and else a sentence.
#[cfg(unix)]
#[test]
fn pipes_are_heard_as_far_as_their_container_allows() {
    let dir = tempfile::tempdir().unwrap();
    let names =
        ["fragmented.mp4", "index-in-front.m4a", "browser.webm", "note.opus", "adts.aac", "tagged.mp3", "recorder.wav"];
    let more = ["mac.aiff", "sun.au", "core.caf", "ima.wav", "mp3-inside.wav", "sony.w64", "phone.m4a"];
    for name in names.iter().chain(&more) {
        let (_, options, late) = HEARD.iter().find(|(n, _, _)| n == name).unwrap();
        let bytes = fs::read(ffmpeg(dir.path(), name, options, 2.0, false)).unwrap();
        let pipe = dir.path().join(format!("pipe-{name}"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            // Who does not read to the end leaves the writer with an error, which is nobody's.
            move || drop(fs::write(pipe, bytes))
        });
        if *name == "phone.m4a" {
            let error = AudioReader::open(&pipe).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("index at its end") && error.contains("faststart"), "{error}");
        } else {
            let reader = AudioReader::open(&pipe).unwrap_or_else(|e| panic!("{name}: {e}"));
            let (pcm, _, stats) = hear(reader).unwrap_or_else(|e| panic!("{name}: {e}"));
            let (lag, alike, _) = compare(&pcm);
            assert!(alike > 0.9 && lag / 16.0 <= late.max(60.0), "{name}: {alike} alike, {lag} samples late");
            assert_eq!(stats.warnings(), Vec::<String>::new(), "{name}");
        }
        writer.join().unwrap();
    }
}
