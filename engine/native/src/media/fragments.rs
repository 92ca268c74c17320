//! Fragmented MP4 (ISO/IEC 14496-12, 8.8): a recording that plays up to its last second however its writing ended.
//!
//! Pictures and packets carry the media clock of a live session (48 kHz); what is missing in between lengthens what came before it. The recording begins with the
//! first key frame. About once a second what has come is written as a fragment; until then it waits in memory.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroU32;

use shiguredo_mp4::TrackKind;
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::mux::{Fmp4SegmentMuxer, MuxError, Sample};

use super::entries::{avc_entry, opus_entry};
use super::marked;
use super::opus::{OPUS_RATE, PACKET_FRAMES};

/// Ticks a second of both tracks.
const TICKS: NonZeroU32 = NonZeroU32::new(OPUS_RATE as u32).expect("48 kHz");
/// Media clock from one fragment to the next.
const FRAGMENT: u64 = OPUS_RATE as u64;
/// Packets of voice that wait for the first picture: more than a voice is ahead of it.
const EARLY: usize = 64;
/// How long the last picture is shown.
const LAST_PICTURE: u64 = OPUS_RATE as u64 / 25;
/// A packet of 20 ms of silence (RFC 6716, 3.1: CELT, full band, one frame).
const SILENCE: &[u8] = &[0xf8, 0xff, 0xfe];

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;

/// A recording that is being written.
pub struct Fragments<W> {
    out: W,
    muxer: Fmp4SegmentMuxer,
    side: u16,
    video: Track,
    sound: Track,
    /// Whether the file's head is written.
    headed: bool,
    /// Bytes up to the end of the last whole fragment.
    whole: u64,
    parameter_sets: [Vec<u8>; 2],
}

/// What waits to be written of a track.
#[derive(Default)]
struct Track {
    waiting: VecDeque<Unit>,
    /// Told once, with the first sample.
    entry: Option<SampleEntry>,
    /// Up to where the track has been written.
    written: u64,
}

struct Unit {
    clock: u64,
    key: bool,
    data: Vec<u8>,
}

impl<W: Write> Fragments<W> {
    /// A recording of square pictures of `side` pixels with one voice.
    ///
    /// # Errors
    /// `side` has more pixels than an MP4 can say.
    pub fn new(out: W, side: usize) -> io::Result<Self> {
        let side = u16::try_from(side).map_err(|_| io::Error::other(format!("pictures of {side} pixels")))?;
        let sound = Track { entry: Some(opus_entry(1, 0, OPUS_RATE as u32)), ..Track::default() };
        let muxer = Fmp4SegmentMuxer::new().map_err(refused)?;
        Ok(Self {
            out,
            muxer,
            side,
            video: Track::default(),
            sound,
            headed: false,
            whole: 0,
            parameter_sets: Default::default(),
        })
    }

    /// The next picture, shown from `clock` on: H.264, annex B. Gives whether it was taken: pictures before the first key frame are not.
    ///
    /// # Errors
    /// When the file does not take what is due.
    pub fn video(&mut self, clock: u64, annex_b: &[u8], key: bool) -> io::Result<bool> {
        let begun = self.video.entry.is_some() || self.headed;
        if !begun && !key || self.video.last().is_some_and(|last| clock <= last) {
            return Ok(false);
        }
        let mut data = Vec::with_capacity(annex_b.len() + 8);
        let (mut sps, mut pps) = (Vec::new(), Vec::new());
        for unit in units(annex_b) {
            match unit[0] & 0x1f {
                NAL_SPS => sps = unit.to_vec(),
                NAL_PPS => pps = unit.to_vec(),
                NAL_DELIMITER => {}
                _ => append(&mut data, unit),
            }
        }
        if !begun {
            self.video.entry = Some(avc_entry([self.side; 2], &sps, &pps)?);
            self.parameter_sets = [sps, pps];
            self.begin(clock);
        } else if !sps.is_empty() && self.parameter_sets != [sps.as_slice(), pps.as_slice()] {
            // An encoder that was opened again at another rate. The file's head cannot be changed; decoders take them from the stream as well.
            let mut changed = Vec::with_capacity(data.len() + sps.len() + pps.len() + 8);
            append(&mut changed, &sps);
            append(&mut changed, &pps);
            changed.append(&mut data);
            data = changed;
            self.parameter_sets = [sps, pps];
        }
        self.video.waiting.push_back(Unit { clock, key, data });
        if clock - self.video.written >= FRAGMENT {
            self.write(clock)?;
        }
        Ok(true)
    }

    /// The next packet of voice, whose sound begins at `clock`: Opus, 20 ms.
    pub fn voice(&mut self, clock: u64, packet: &[u8]) {
        if self.sound.last().is_some_and(|last| clock <= last) || clock < self.sound.written {
            return;
        }
        if self.video.entry.is_none() && !self.headed && self.sound.waiting.len() == EARLY {
            self.sound.waiting.pop_front();
        }
        self.sound.waiting.push_back(Unit { clock, key: true, data: packet.to_vec() });
    }

    /// Bytes up to the end of the last whole fragment. A player may refuse a file that ends in the head of one: where writing failed, the rest is to be cut off.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// Both tracks begin at `clock`.
    fn begin(&mut self, clock: u64) {
        (self.video.written, self.sound.written) = (clock, clock);
        self.sound.waiting.retain(|unit| unit.clock >= clock);
        if self.sound.waiting.front().is_none_or(|unit| unit.clock > clock) {
            self.sound.waiting.push_front(Unit { clock, key: true, data: SILENCE.to_vec() });
        }
    }

    /// Writes what lies before `until` as a fragment.
    fn write(&mut self, until: u64) -> io::Result<()> {
        let mut samples = Vec::new();
        let mut payload = Vec::new();
        self.video.take(TrackKind::Video, until, &mut samples, &mut payload);
        self.sound.take(TrackKind::Audio, until, &mut samples, &mut payload);
        if samples.is_empty() {
            return Ok(());
        }
        let head = self.muxer.create_media_segment_metadata(&samples).map_err(refused)?;
        let init = if self.headed { Vec::new() } else { self.muxer.init_segment_bytes().map_err(refused)? };
        self.headed = true;
        for part in [&init, &head, &payload] {
            self.out.write_all(part)?;
        }
        self.out.flush()?;
        self.whole += (init.len() + head.len() + payload.len()) as u64;
        Ok(())
    }

    /// Writes the rest and an index of the fragments. Gives `None` where no picture ever came.
    ///
    /// # Errors
    /// When the file does not take it.
    pub fn finish(mut self) -> io::Result<Option<W>> {
        if let Some(last) = self.video.last() {
            self.write(last + LAST_PICTURE)?;
        }
        if !self.headed {
            return Ok(None);
        }
        // Behind the fragments, because the index below counts from the file's start to each of them.
        self.out.write_all(&marked::source())?;
        self.out.write_all(&self.muxer.mfra_bytes().map_err(refused)?)?;
        self.out.flush()?;
        Ok(Some(self.out))
    }
}

impl Track {
    fn last(&self) -> Option<u64> {
        self.waiting.back().map(|unit| unit.clock)
    }

    /// Moves the units before `until` into a fragment. Each lasts to the next one.
    fn take(&mut self, kind: TrackKind, until: u64, samples: &mut Vec<Sample>, payload: &mut Vec<u8>) {
        while self.waiting.front().is_some_and(|unit| unit.clock < until)
            && let Some(unit) = self.waiting.pop_front()
        {
            let next = self.waiting.front().map(|unit| unit.clock);
            let end = match (kind, next) {
                (_, Some(next)) => next,
                // Nothing has come yet after this packet; what comes is hardly ever later than it ends.
                (TrackKind::Audio, None) => self.written.max(unit.clock) + PACKET_FRAMES as u64,
                (_, None) => until,
            };
            samples.push(Sample {
                track_kind: kind,
                timescale: TICKS,
                sample_entry: self.entry.take(),
                duration: u32::try_from(end - self.written).unwrap_or(u32::MAX),
                keyframe: unit.key,
                composition_time_offset: None,
                data_offset: payload.len() as u64,
                data_size: unit.data.len(),
            });
            payload.extend_from_slice(&unit.data);
            self.written = end;
        }
    }
}

fn append(sample: &mut Vec<u8>, unit: &[u8]) {
    sample.extend((unit.len() as u32).to_be_bytes());
    sample.extend_from_slice(unit);
}

/// The units between the start codes of an annex B stream, none of them empty.
fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(found) = annex_b.get(at..).and_then(|rest| rest.windows(3).position(|w| w == [0, 0, 1])) {
        starts.push(at + found + 3);
        at += found + 3;
    }
    let ends = starts.iter().skip(1).map(|start| start - 3).chain([annex_b.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).filter_map(|(from, to)| {
        // A start code of four bytes leaves its first zero at the end of the unit before; units themselves never end with one.
        let unit = without_zeros(&annex_b[from..to]);
        (!unit.is_empty()).then_some(unit)
    })
}

fn without_zeros(unit: &[u8]) -> &[u8] {
    &unit[..unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

fn refused(error: MuxError) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{I420, LiveH264Encoder, OpusEncoder};

    /// When each picture or packet is shown, in seconds, as ffprobe says, and what it complains about.
    fn packets(file: &std::path::Path, stream: &str) -> (Vec<f64>, String) {
        let args = ["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
        let output = std::process::Command::new("ffprobe").args(args).arg(file).output();
        let output = output.unwrap_or_else(|e| panic!("ffprobe cannot be started ({e}); ./test installs it"));
        let text = String::from_utf8(output.stdout).unwrap();
        let times = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
        (times, String::from_utf8(output.stderr).unwrap())
    }

    fn clocks(file: &std::path::Path, stream: &str) -> Vec<f64> {
        let (times, complaints) = packets(file, stream);
        assert_eq!(complaints, "");
        times
    }

    /// Seconds of a call: pictures at 25 Hz but for `gap`, voice from a little before; cut off after so many bytes.
    fn recording(gap: std::ops::Range<u64>, seconds: u64) -> Vec<u8> {
        let mut film = Fragments::new(Vec::new(), 64).unwrap();
        let mut encoder = LiveH264Encoder::new(64, 25, 500_000).unwrap();
        let mut voice = OpusEncoder::live().unwrap();
        let mut picture = I420::new(64, 64);
        let start = 7 * 48_000;
        for frame in 0..seconds * 25 {
            let clock = start + frame * 1920;
            for half in [0, 960] {
                let sound: Vec<f32> = (0..960).map(|n| 0.3 * (n as f32 * 0.05).sin()).collect();
                // Out of step with the pictures, as an encoder's delay makes it.
                let at = clock + half - 312;
                let mut take = |packet: &[u8]| {
                    film.voice(at, packet);
                    Ok(())
                };
                voice.push(&sound, &mut take).unwrap();
            }
            if gap.contains(&frame) {
                continue;
            }
            picture.set_rgba(&[[(frame * 9) as u8, 90, 120, 255]; 64 * 64].concat());
            if frame == 30 {
                // Opens the encoder again, with other parameter sets.
                encoder.set_bits(2_500_000);
            }
            let encoded = encoder.encode(&picture, clock).unwrap();
            let (bytes, key) = (encoded.annex_b.to_vec(), encoded.keyframe);
            assert!(film.video(clock, &bytes, key).unwrap());
            assert!(!film.video(clock, &bytes, key).unwrap(), "the same moment twice");
        }
        film.finish().unwrap().unwrap()
    }

    #[test]
    fn a_recording_plays_in_step_with_its_gaps_and_wherever_it_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.mp4");
        let whole = recording(40..60, 5);
        std::fs::write(&file, &whole).unwrap();
        let (video, sound) = (clocks(&file, "v"), clocks(&file, "a"));
        let expected: Vec<f64> = (0..125).filter(|f| !(40..60).contains(f)).map(|f| f64::from(f) / 25.0).collect();
        assert_eq!(video.len(), expected.len());
        assert!(video.iter().zip(&expected).all(|(got, want)| (got - want).abs() < 1e-3), "{video:?}");
        // After the silence before it, the first packet begins 648 samples after the first picture.
        assert!(sound.len() > 240 && sound[0] == 0.0, "{sound:?}");
        for (n, at) in sound[1..].iter().enumerate() {
            let want = (648.0 + 960.0 * n as f64) / 48_000.0;
            assert!((at - want).abs() < 1e-3, "packet {n} at {at}, expected {want}");
        }
        let decoded = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(&file)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        assert!(decoded.status.success() && decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));

        // A program that was killed while it wrote the pictures of its fourth second.
        std::fs::write(&file, &whole[..inside_fragment(&whole, 3)]).unwrap();
        let cut = packets(&file, "v").0;
        assert!((70..104).contains(&cut.len()), "{} pictures", cut.len());
        assert!(expected.iter().zip(&cut).all(|(a, b)| (a - b).abs() < 1e-3), "{cut:?}");
    }

    /// A place in the middle of this fragment's media, counted from 0.
    fn inside_fragment(file: &[u8], number: usize) -> usize {
        let (mut at, mut media) = (0, Vec::new());
        while let Some(size) = file.get(at..at + 4) {
            let size = u32::from_be_bytes(size.try_into().unwrap()) as usize;
            if &file[at + 4..at + 8] == b"mdat" {
                media.push(at + size / 2);
            }
            at += size;
        }
        media[number]
    }

    #[test]
    fn without_a_picture_there_is_no_recording() {
        let mut film = Fragments::new(Vec::new(), 64).unwrap();
        film.voice(0, SILENCE);
        assert!(!film.video(0, &[0, 0, 0, 1, 0x41, 9], false).unwrap(), "nobody could start there");
        assert!(film.finish().unwrap().is_none());
    }

    #[test]
    fn units_are_found_between_start_codes_of_both_lengths() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 0, 3, 1];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4, 0, 0, 3, 1]]);
        assert_eq!(units(&[0, 0, 1]).count() + units(&[]).count() + units(&[5, 6]).count(), 0);
    }
}
