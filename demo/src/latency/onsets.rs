//! The microphone that `vultus latency` gives the browser: silence with sharp onsets of a vowel.
//!
//! The motion model was trained on speech, so the sound is cut out of speech. The stretch begins in the middle of an open vowel: the
//! mouth, shut before, opens with the very first frame that hears it. The browser loops the file; it begins and ends with silence, so
//! that the seam is a pause like the others. Pauses are irregular, so that onsets fall on all phases of a frame, and every second one is
//! long enough for the page to see what idle motion looks like.

use std::io::{self, Write};

use anyhow::{Result, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;
use vultus::audio::Resampler;
use vultus_native::audio::AudioReader;

/// Of the file, Hz: what browsers capture with.
pub(super) const RATE: usize = 48_000;
/// Length of the file, in seconds.
const LENGTH: f64 = 60.0;
/// Silence before the first onset and after the last one at least, in seconds.
const FIRST: f64 = 2.0;
const LAST: f64 = 1.0;
/// From one onset to the next, in seconds; every [`LONG_EVERY`]th time a long one.
const PAUSE: std::ops::Range<f64> = 1.1..1.9;
const LONG_PAUSE: std::ops::Range<f64> = 2.2..2.6;
const LONG_EVERY: usize = 2;
/// Where the vowel lies in the sample speech, how long it is, how it begins and ends, in seconds.
const VOWEL_START: f64 = 8.72;
const VOWEL: f64 = 0.35;
const ATTACK: f64 = 0.002;
const RELEASE: f64 = 0.03;
/// Highest sample of the vowel, of full scale.
const PEAK: f32 = 0.8;
/// Always the same pauses.
const SEED: u64 = 2;

/// Mono samples at [`RATE`] for a minute of microphone, from the sample speech.
pub(super) fn microphone(speech: &mut AudioReader) -> Result<Vec<f32>> {
    let vowel = vowel(speech)?;
    let mut samples = vec![0.0; at(LENGTH)];
    for start in times() {
        samples[at(start)..][..vowel.len()].copy_from_slice(&vowel);
    }
    Ok(samples)
}

/// When the onsets are, in seconds.
fn times() -> Vec<f64> {
    let mut random = Pcg32::seed_from_u64(SEED);
    let mut times = Vec::new();
    let mut time = FIRST;
    while time + VOWEL + LAST <= LENGTH {
        times.push(time);
        let long = times.len().is_multiple_of(LONG_EVERY);
        time += random.random_range(if long { LONG_PAUSE } else { PAUSE });
    }
    times
}

fn vowel(speech: &mut AudioReader) -> Result<Vec<f32>> {
    let mut resampler = Resampler::new(speech.info().rate, RATE, 1)?;
    let mut samples = Vec::new();
    while let Some(block) = speech.next_block()? {
        resampler.push(block.mono, |out| samples.extend_from_slice(out));
    }
    resampler.finish(|out| samples.extend_from_slice(out));
    ensure!(samples.len() >= at(VOWEL_START + VOWEL), "the sample speech is too short to cut a vowel out of it");
    let mut vowel = samples[at(VOWEL_START)..at(VOWEL_START + VOWEL)].to_vec();
    let peak = vowel.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    ensure!(peak > 0.05, "the sample speech is silent where a vowel was expected");
    let (length, attack, release) = (vowel.len(), at(ATTACK), at(RELEASE));
    for (i, sample) in vowel.iter_mut().enumerate() {
        let rise = ((i + 1) as f32 / attack as f32).min(1.0);
        let fall = ((length - i) as f32 / release as f32).min(1.0);
        *sample *= PEAK / peak * rise * fall;
    }
    Ok(vowel)
}

fn at(seconds: f64) -> usize {
    (seconds * RATE as f64).round() as usize
}

/// Writes mono samples at [`RATE`] as a 16-bit WAV file.
pub(super) fn write_wav(out: &mut impl Write, samples: &[f32]) -> io::Result<()> {
    let bytes = (2 * samples.len()) as u32;
    out.write_all(b"RIFF")?;
    out.write_all(&(36 + bytes).to_le_bytes())?;
    out.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
    out.write_all(&(RATE as u32).to_le_bytes())?;
    out.write_all(&(2 * RATE as u32).to_le_bytes())?;
    out.write_all(b"\x02\0\x10\0data")?;
    out.write_all(&bytes.to_le_bytes())?;
    for sample in samples {
        out.write_all(&((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).to_le_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use vultus_native::assets::{Assets, SAMPLE};

    use super::*;

    fn made() -> Vec<f32> {
        let assets = Assets::locate(None).unwrap();
        microphone(&mut AudioReader::from_bytes(SAMPLE, assets.read(SAMPLE).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn onsets_are_sharp_and_pauses_are_silent() {
        let samples = made();
        assert_eq!(samples.len(), 60 * RATE);
        let times = times();
        assert!(times.len() >= 27, "{} onsets a minute", times.len());
        for (i, &time) in times.iter().enumerate() {
            let start = at(time);
            // The page calls 0.04 of full scale loud.
            let late = samples[start..].iter().position(|s| s.abs() > 0.04).unwrap();
            assert!(late < RATE * 3 / 1000, "onset {i}: {late} samples late");
            let end = times.get(i + 1).map_or(samples.len(), |&next| at(next));
            assert!(samples[start + at(VOWEL)..end].iter().all(|s| *s == 0.0), "sound in the pause after onset {i}");
            let peak = samples[start..end].iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
            assert!((0.5..=0.81).contains(&peak), "onset {i}: peak {peak}");
            // A vowel, not a click: loud throughout.
            for piece in samples[start..start + at(0.3)].chunks(at(0.02)) {
                let rms = (piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32).sqrt();
                assert!(rms > 0.04, "onset {i}: rms {rms}");
            }
        }
        assert!(samples[..at(FIRST)].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn pauses_are_irregular_and_some_are_long() {
        let times = times();
        let pauses: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.iter().all(|p| *p >= 1.1));
        // The page needs 1.75 s of silence to look at idle motion; any 8 s have them.
        for some in pauses.windows(2) {
            assert!(some.iter().any(|p| p - VOWEL > 1.75), "{some:?}");
        }
        // On all phases of a frame.
        let mut phases: Vec<f64> = times.iter().map(|time| time % 0.04).collect();
        phases.sort_by(f64::total_cmp);
        assert!(phases.windows(2).all(|pair| pair[1] - pair[0] < 0.012), "{phases:?}");
    }

    #[test]
    fn the_file_is_read_back() {
        let samples = made();
        let mut wav = Vec::new();
        write_wav(&mut wav, &samples).unwrap();
        let mut reader = AudioReader::from_bytes("onsets.wav", wav).unwrap();
        assert_eq!((reader.info().rate, reader.info().channels), (RATE, 1));
        let mut read = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            read.extend_from_slice(block.mono);
        }
        assert_eq!(read.len(), samples.len());
        assert!(read.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
