//! Audio files of every format, rate and channel count, and every kind of bad file.

use std::fs;
use std::path::{Path, PathBuf};

use vultus::audio::{RATE, Resampler};
use vultus_native::audio::{AudioError, AudioReader, AudioStats};

/// A WAV file: `format` 1 is integer, 3 is float.
fn wav(format: u16, bits: u16, rate: u32, channels: u16, data: &[u8]) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut out = b"RIFF".to_vec();
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend(format.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(align)).to_le_bytes());
    out.extend(align.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

fn tone(n: usize, rate: usize) -> f64 {
    0.5 * (std::f64::consts::TAU * 440.0 * n as f64 / rate as f64).sin()
}

/// Half a second of the tone in every channel, 16-bit.
fn tone_wav(rate: u32, channels: u16) -> Vec<u8> {
    let frames = rate as usize / 2;
    let data: Vec<u8> = (0..frames)
        .flat_map(|n| std::iter::repeat_n((tone(n, rate as usize) * 32_767.0) as i16, channels.into()))
        .flat_map(i16::to_le_bytes)
        .collect();
    wav(1, 16, rate, channels, &data)
}

/// The whole file as 16 kHz mono.
fn hear(mut reader: AudioReader) -> Result<(Vec<f32>, AudioStats), AudioError> {
    let mut resampler = Resampler::new(reader.info().rate, RATE, 1).expect("the reader gives rates that make sense");
    let mut pcm = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert_eq!(block.speakers.len() % block.mono.len(), 0);
        resampler.push(block.mono, |out| pcm.extend_from_slice(out));
    }
    resampler.finish(|out| pcm.extend_from_slice(out));
    Ok((pcm, reader.stats().clone()))
}

fn hear_bytes(bytes: Vec<u8>) -> Result<(Vec<f32>, AudioStats), AudioError> {
    hear(AudioReader::from_bytes("test", bytes)?)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio").join(name)
}

/// Compares with the tone away from the ends, where codecs ring. `gain` is what folding does to it.
fn assert_tone(pcm: &[f32], gain: f64, tolerance: f64, what: &str) {
    let inside = 1600..6400;
    assert!(pcm.len() >= inside.end, "{what}: only {} samples", pcm.len());
    for n in inside {
        let expected = gain * tone(n, RATE);
        assert!((f64::from(pcm[n]) - expected).abs() < tolerance, "{what}: sample {n} is {}, not {expected}", pcm[n]);
    }
}

/// Delay against the tone in samples of 16 kHz, and the tone's amplitude: by projection on its sine and cosine.
fn delay_and_amplitude(pcm: &[f32]) -> (f64, f64) {
    let (mut sine, mut cosine) = (0.0, 0.0);
    // A whole number of periods: 11 of them are 400 samples.
    for (n, &sample) in pcm.iter().enumerate().skip(1600).take(4800) {
        let phase = std::f64::consts::TAU * 440.0 * n as f64 / RATE as f64;
        sine += f64::from(sample) * phase.sin() / 2400.0;
        cosine += f64::from(sample) * phase.cos() / 2400.0;
    }
    let samples_per_radian = RATE as f64 / (std::f64::consts::TAU * 440.0);
    ((-cosine).atan2(sine) * samples_per_radian, sine.hypot(cosine))
}

#[test]
fn every_compressed_format_is_heard_at_the_right_time() {
    for name in ["tone.flac", "tone.ogg", "tone.mp3"] {
        let (pcm, stats) = hear(AudioReader::open(&fixture(name)).unwrap()).unwrap();
        let (delay, amplitude) = delay_and_amplitude(&pcm);
        assert!(delay.abs() < 0.5, "{name} is late by {delay} samples");
        assert!((amplitude - 0.5).abs() < 0.05, "{name} has amplitude {amplitude}");
        assert!((7990..8300).contains(&pcm.len()), "{name}: {} samples", pcm.len());
        assert_eq!((stats.not_finite, stats.damaged_blocks, stats.truncated), (0, 0, false), "{name}");
    }
    let (pcm, _) = hear(AudioReader::open(&fixture("tone.flac")).unwrap()).unwrap();
    assert_tone(&pcm, 1.0, 1e-3, "FLAC is lossless");
}

#[test]
fn every_rate_is_heard() {
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
        let (pcm, _) = hear_bytes(tone_wav(rate, 1)).unwrap();
        assert_eq!(pcm.len(), (rate as usize / 2 * RATE).div_ceil(rate as usize));
        assert_tone(&pcm, 1.0, 2e-3, &format!("{rate} Hz"));
    }
}

#[test]
fn every_channel_count_is_heard() {
    let side = std::f64::consts::FRAC_1_SQRT_2;
    // What BS.775 makes of the same tone in every channel: (left + right) / 2.
    for (channels, gain) in [(1, 1.0), (2, 1.0), (6, 1.0 + side + side), (8, 1.0 + side + side + side)] {
        let (pcm, _) = hear_bytes(tone_wav(16_000, channels)).unwrap();
        assert_tone(&pcm, gain, 2e-3, &format!("{channels} channels"));
    }
    // What the twelve are nobody knows: their mean.
    let (pcm, _) = hear_bytes(tone_wav(16_000, 12)).unwrap();
    assert_tone(&pcm, 1.0, 2e-3, "12 channels");
}

#[test]
fn samples_that_are_not_finite_or_too_loud_are_counted_and_tamed() {
    let mut samples = vec![0.25f32; 1000];
    (samples[10], samples[11], samples[12], samples[13]) = (f32::NAN, f32::INFINITY, 7.5, -1.0);
    let bytes = wav(3, 32, 16_000, 1, &samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>());
    let (pcm, stats) = hear_bytes(bytes).unwrap();
    assert_eq!(pcm[9..15], [0.25, 0.0, 0.0, 1.0, -1.0, 0.25]);
    assert_eq!((stats.not_finite, stats.clipped), (2, 2));
    assert_eq!(stats.warnings().len(), 2);
}

#[test]
fn a_truncated_file_is_used_as_far_as_it_goes() {
    for (name, keep) in [("tone.flac", 0.6), ("tone.ogg", 0.8), ("tone.mp3", 0.6)] {
        let bytes = fs::read(fixture(name)).unwrap();
        let (whole, _) = hear_bytes(bytes.clone()).unwrap();
        let (pcm, _) = hear_bytes(bytes[..(bytes.len() as f64 * keep) as usize].to_vec()).unwrap();
        // A block of FLAC may be half of the sound; what is there is the same, but for where it breaks off.
        let good = pcm.len().saturating_sub(200);
        assert!((1000..whole.len()).contains(&good), "{name}: {} of {}", pcm.len(), whole.len());
        // The resampler works in blocks: where a later sample is missing, earlier ones of its block are rounded otherwise.
        let off = pcm[..good].iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-3, "{name}: before the cut it is off by {off}");
    }
    let whole = tone_wav(16_000, 1);
    let (pcm, stats) = hear_bytes(whole[..whole.len() / 2].to_vec()).unwrap();
    assert!((3900..=4000).contains(&pcm.len()), "{}", pcm.len());
    assert!(stats.truncated && stats.warnings()[0].contains("truncated"));
}

/// The bytes with other lengths of the whole and of the data in the header.
fn with_lengths(mut wav: Vec<u8>, whole: u32, data: u32) -> Vec<u8> {
    wav[4..8].copy_from_slice(&whole.to_le_bytes());
    wav[40..44].copy_from_slice(&data.to_le_bytes());
    wav
}

#[test]
fn a_wav_that_was_piped_is_complete() {
    // ffmpeg, SoX, arecord, a recorder that was killed, and one that knows nothing at all.
    let lengths = [(u32::MAX, u32::MAX), (0x7fff_f024, 0x7fff_f000), (0x8000_0024, 0x8000_0000), (36, 0), (0, 0)];
    for (whole, data) in lengths {
        let name = format!("lengths {whole:#x} and {data:#x}");
        let bytes = with_lengths(tone_wav(16_000, 1), whole, data);
        let reader = AudioReader::from_bytes("test", bytes.clone()).unwrap();
        assert_eq!(reader.info().frames, None, "{name}");
        let (pcm, stats) = hear(reader).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((pcm.len(), stats.warnings()), (8000, vec![]), "{name}");
        assert_tone(&pcm, 1.0, 1e-3, &name);
        assert!(matches!(hear_bytes(bytes[..44].to_vec()), Err(AudioError::NoSamples(_))), "{name}");
    }
    // An empty chunk of data with another behind it is empty.
    let mut empty = [&wav(1, 16, 16_000, 1, &[])[..], b"note\x04\0\0\0four"].concat();
    empty[4..8].copy_from_slice(&48u32.to_le_bytes());
    assert!(matches!(hear_bytes(empty), Err(AudioError::NoSamples(_))));
    // A length that is only a little wrong is a length.
    let (_, stats) = hear_bytes(with_lengths(tone_wav(16_000, 1), 36 + 100_000, 100_000)).unwrap();
    assert!(stats.truncated);
}

/// `bytes` with little-endian numbers put over what is there.
fn put(mut bytes: Vec<u8>, numbers: &[(usize, u32)]) -> Vec<u8> {
    for (at, number) in numbers {
        bytes[*at..*at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// Half a second of the tone is there, whole and without a word.
fn assert_whole(bytes: Vec<u8>, what: &str) {
    let (pcm, stats) = hear_bytes(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!((pcm.len(), stats.warnings()), (8000, vec![]), "{what}");
    assert_tone(&pcm, 1.0, 1e-3, what);
}

#[test]
fn headers_of_wav_that_writers_get_wrong() {
    let plain = tone_wav(16_000, 1);
    let (format, data) = (plain[12..36].to_vec(), plain[36..].to_vec());
    let riff = |chunks: &[&[u8]]| {
        let body = chunks.concat();
        [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WAVE", &body].concat()
    };
    assert_whole(put(plain.clone(), &[(4, 16_000 + 28)]), "eight bytes forgotten");
    assert_whole(put(plain.clone(), &[(4, 0)]), "the whole is said to be empty");
    for length in [2_000_000_000, 1 << 30, 0x7fff_ffdb, u32::MAX - 36] {
        assert_whole(put(plain.clone(), &[(4, length + 36), (40, length)]), &format!("a length of {length}"));
    }
    assert_whole(put(plain.clone(), &[(40, 0)]), "only the size of the data is missing");
    assert_whole(put(plain.clone(), &[(4, 136), (40, 100)]), "sizes that were not brought up to date");
    assert_whole(riff(&[&format, b"LIST\x05\0\0\0INFO!\0", &data]), "an odd chunk");
    assert_whole(riff(&[&format, b"LIST\x05\0\0\0INFO!", &data]), "an odd chunk that is not filled up");
    assert_whole(riff(&[&data, &format]), "the format behind the sound");
    assert_whole(riff(&[&format, b"LIST\xff\xff\xff\x7fINFO", &data]), "a chunk that says it is longer than the file");
    assert_whole([&riff(&[&format, &data])[..], b"TAG", &[b' '; 125]].concat(), "a tag behind the sound");
    // RF64 and BW64: the sizes stand in a chunk of their own, or nowhere.
    for name in [b"RF64", b"BW64"] {
        for sizes in [[16_088u64, 16_000, 8000], [0, 0, 0], [u64::MAX; 3]] {
            let sizes = sizes.map(u64::to_le_bytes).concat();
            let ds64 = [b"ds64\x1c\0\0\0", &sizes[..], &[0; 4]].concat();
            let mut bytes = put(riff(&[&ds64, &format, &data]), &[(4, u32::MAX), (12 + 36 + 24 + 4, u32::MAX)]);
            bytes[..4].copy_from_slice(name);
            assert_whole(bytes, &format!("{} {sizes:?}", String::from_utf8_lossy(name)));
        }
    }
    // RIFX: everything the other way round.
    let mut turned = plain.clone();
    for (at, width) in [(4, 4), (16, 4), (20, 2), (22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4)] {
        turned[at..at + width].reverse();
    }
    turned[44..].chunks_exact_mut(2).for_each(<[u8]>::reverse);
    turned[..4].copy_from_slice(b"RIFX");
    assert_whole(turned, "RIFX");
}

#[test]
fn samples_in_odd_containers() {
    // 24 bits in the low and in the high three of four bytes; two channels, which the mean makes one of again.
    let samples = |place: fn(i32) -> [u8; 4]| -> Vec<u8> {
        (0..8000).flat_map(|n| [place((tone(n, 16_000) * 8_388_607.0) as i32); 2].concat()).collect()
    };
    let header = |data: &[u8], extensible: bool| {
        let mut bytes = wav(1, 32, 16_000, 2, data);
        bytes[34..36].copy_from_slice(&24u16.to_le_bytes());
        if extensible {
            bytes[16] = 40;
            bytes[20..22].copy_from_slice(&0xfffeu16.to_le_bytes());
            bytes[34..36].copy_from_slice(&32u16.to_le_bytes());
            let more = [&[22u8, 0, 24, 0, 3, 0, 0, 0, 1, 0][..], b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"].concat();
            bytes.splice(36..36, more);
        }
        bytes
    };
    let low = samples(|x| {
        let [a, b, c, _] = x.to_le_bytes();
        [a, b, c, 0]
    });
    for extensible in [false, true] {
        assert_whole(header(&low, extensible), "24 in 32, low, without signs");
        assert_whole(header(&samples(i32::to_le_bytes), extensible), "24 in 32, low");
        assert_whole(header(&samples(|x| (x << 8).to_le_bytes()), extensible), "24 in 32, high");
    }
    let all = wav(1, 16, 16_000, 1, &[]);
    let none = put(all, &[(22, 0)]);
    assert!(hear_bytes([&none[..], &[0; 100]].concat()).unwrap_err().to_string().contains("0 channels"));
    let many = tone_wav(16_000, 1);
    let many = [&many[..22], &u16::MAX.to_le_bytes(), &many[24..]].concat();
    assert!(hear_bytes(many).unwrap_err().to_string().contains("65535 channels"));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_heard() {
    for name in ["tone.flac", "piped.wav"] {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let bytes = match name {
            "tone.flac" => fs::read(fixture(name)).unwrap(),
            _ => with_lengths(tone_wav(16_000, 1), u32::MAX, u32::MAX),
        };
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, bytes)
        });
        let (pcm, stats) = hear(AudioReader::open(&pipe).unwrap()).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!((pcm.len(), stats.warnings()), (8000, vec![]), "{name}");
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    let error = |bytes: &[u8]| hear_bytes(bytes.to_vec()).unwrap_err();
    assert!(matches!(error(b""), AudioError::EmptyFile(_)));
    assert!(matches!(error(b"this is a letter, not speech\n"), AudioError::NotAudio(_)));
    assert!(matches!(error(&[0u8; 100_000]), AudioError::NotAudio(_)));
    assert!(matches!(error(&tone_wav(16_000, 1)[..44]), AudioError::NoSamples(_) | AudioError::Damaged { .. }));
    assert!(matches!(error(&wav(1, 16, 16_000, 1, &[])), AudioError::NoSamples(_)));
    assert!(matches!(error(&tone_wav(16_000, 1)[..30]), AudioError::NotAudio(_)));
    assert!(matches!(error(&tone_wav(7, 1)), AudioError::Unsupported { .. }));
    let open = |path: &Path| AudioReader::open(path).err().expect("cannot be opened").to_string();
    assert!(open(Path::new("/nowhere/speech.wav")).contains("/nowhere/speech.wav"));
    assert!(open(Path::new("/tmp")).contains("/tmp"));
}

#[test]
fn damaged_files_never_panic() {
    for name in ["tone.flac", "tone.ogg", "tone.mp3"] {
        let whole = fs::read(fixture(name)).unwrap();
        for seed in 0..200usize {
            let mut bytes = whole.clone();
            for i in 0..8 {
                let at = (seed * 7919 + i * 104_729) % bytes.len();
                bytes[at] = (seed * 31 + i * 17) as u8;
            }
            let _ = hear_bytes(bytes);
        }
    }
}
