//! Pictures of a film: MP4, MOV or M4V with H.264, frame by frame, upright.
//!
//! One sample of the file and one picture are in memory at a time, so an hour costs what a minute does. The index is read by `re_mp4`, the pictures by
//! openh264: profiles up to High, 8 bits, not interlaced.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, Decoder, DecoderConfig, Flush};
use re_mp4::{Mp4, Sample, StsdBoxContent, TrackKind};
use thiserror::Error;

use crate::media::to_rgb;

/// Longest side of a picture, pixels.
const SIDE_MAX: usize = 4096;
/// Longest sample, bytes: a key frame of 4096² that cannot be packed has less.
const SAMPLE_MAX: u64 = 32 << 20;
/// Longest index, bytes: what `re_mp4` keeps of it grows with it. An hour at 60 frames a second has 4 MB.
const INDEX_MAX: u64 = 64 << 20;
/// The most samples that an index may name: two days at 60 frames a second.
const SAMPLES_MAX: u64 = 10_000_000;
/// Samples in a row that are damaged before a film is given up.
const DAMAGED_MAX: u32 = 50;

/// Why there are no pictures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VideoError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {cause}")]
    Read {
        /// As the user named it.
        file: String,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// Not a film that is read here.
    #[error(
        "{file} {what}; films are read as MP4 or MOV with H.264: ffmpeg -i {file} -c:v libx264 -pix_fmt yuv420p film.mp4"
    )]
    Other {
        /// As the user named it.
        file: String,
        /// What it is instead.
        what: String,
    },
    /// Damaged, or cut off.
    #[error("{file}: {what}")]
    Damaged {
        /// As the user named it.
        file: String,
        /// What is wrong.
        what: String,
    },
}

/// One picture of a film.
#[derive(Debug)]
pub struct VideoFrame<'a> {
    /// When it is shown, from the film's start.
    pub time: Duration,
    /// Width in pixels, after turning.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// (height, width, 3), row-major, sRGB.
    pub rgb: &'a [u8],
}

/// How a camera was held: the picture has to be turned clockwise by so many quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn(u8);

/// Reads a film's pictures in the order in which they are shown.
pub struct VideoReader {
    file: String,
    reader: BufReader<File>,
    decoder: Decoder,
    samples: std::vec::IntoIter<Sample>,
    count: usize,
    /// Times of what has been decoded and not been shown, sorted.
    times: VecDeque<i64>,
    timescale: u64,
    seconds: f64,
    turn: Turn,
    /// Parameter sets, after start codes, before each picture that a decoder may start at.
    sets: Vec<u8>,
    length_bytes: usize,
    bytes: Vec<u8>,
    annex_b: Vec<u8>,
    /// Pictures that the decoder held back, once there are no more samples.
    rest: Option<VecDeque<Held>>,
    damaged: u32,
    rgb: Vec<u8>,
    turned: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    size: [usize; 2],
    rgb: Vec<u8>,
}

impl std::fmt::Debug for VideoReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoReader").field("file", &self.file).field("frames", &self.count).finish_non_exhaustive()
    }
}

impl VideoReader {
    /// Opens a film.
    ///
    /// # Errors
    /// It cannot be read, is none, or is of a kind that is not read here.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let file = path.display().to_string();
        let failed = |cause| VideoError::Read { file: file.clone(), cause };
        let other = |what: &str| VideoError::Other { file: file.clone(), what: what.to_owned() };
        let source = File::open(path).map_err(failed)?;
        let about = source.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(other("is no file"));
        }
        let mut reader = BufReader::new(source);
        let damaged = |what: String| VideoError::Damaged { file: file.clone(), what };
        let index = check_boxes(&mut reader, about.len()).map_err(|fault| match fault {
            Fault::Other(what) => other(&what),
            Fault::Damaged => damaged("its index is damaged".to_owned()),
        })?;
        reader.rewind().map_err(failed)?;
        // A damaged index has led its reader round in circles.
        let bounded = Bounded { inner: &mut reader, left: 100_000 + index / 2 };
        let mp4 = Mp4::read(bounded, about.len()).map_err(|error| damaged(format!("its index is damaged: {error}")))?;
        let track = mp4.tracks().values().find(|track| track.kind == Some(TrackKind::Video));
        let track = track.ok_or_else(|| {
            let others = mp4.moov.traks.iter().any(|trak| trak.mdia.hdlr.handler_type.value == *b"vide");
            other(if others { "has pictures in a codec that is not read here" } else { "has no pictures" })
        })?;
        let trak = track.trak(&mp4);
        let StsdBoxContent::Avc1(avc) = &trak.mdia.minf.stbl.stsd.contents else {
            let codec = track.codec_string(&mp4).unwrap_or_else(|| "an unknown codec".to_owned());
            return Err(other(&format!("has pictures in {codec}")));
        };
        let mut sets = Vec::new();
        for unit in avc.avcc.sequence_parameter_sets.iter().chain(&avc.avcc.picture_parameter_sets) {
            sets.extend_from_slice(&[0, 0, 0, 1]);
            sets.extend_from_slice(&unit.bytes);
        }
        let matrix = &trak.tkhd.matrix;
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new());
        let decoder = decoder.map_err(|error| VideoError::Damaged { file: file.clone(), what: error.to_string() })?;
        let timescale = track.timescale.max(1);
        Ok(Self {
            reader,
            decoder,
            count: track.samples.len(),
            seconds: track.duration as f64 / timescale as f64,
            turn: Turn::of([matrix.a, matrix.b, matrix.c, matrix.d]),
            length_bytes: usize::from(avc.avcc.length_size_minus_one & 3) + 1,
            samples: track.samples.clone().into_iter(),
            times: VecDeque::new(),
            timescale,
            sets,
            bytes: Vec::new(),
            annex_b: Vec::new(),
            rest: None,
            damaged: 0,
            rgb: Vec::new(),
            turned: Vec::new(),
            file,
        })
    }

    /// Pictures that the index names.
    pub fn frames(&self) -> usize {
        self.count
    }

    /// How long the index says that it is.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The next picture.
    ///
    /// # Errors
    /// The file cannot be read further, is cut off, or holds what is no H.264. Single damaged pictures are left out.
    pub fn next_frame(&mut self) -> Result<Option<VideoFrame<'_>>, VideoError> {
        let size = match self.decode()? {
            Some(size) => size,
            None => return Ok(None),
        };
        let time = self.times.pop_front().unwrap_or(0).max(0) as u64;
        let time = Duration::from_secs_f64(time as f64 / self.timescale as f64);
        let [width, height] = self.turn.turned(&self.rgb, size, &mut self.turned);
        let rgb = if self.turn == Turn(0) { &self.rgb } else { &self.turned };
        Ok(Some(VideoFrame { time, width, height, rgb }))
    }

    /// Fills `rgb` with the next picture as it was coded; its width and height.
    fn decode(&mut self) -> Result<Option<[usize; 2]>, VideoError> {
        while let Some(sample) = self.samples.next() {
            self.load(&sample)?;
            let at = self.times.partition_point(|time| *time <= sample.composition_timestamp);
            self.times.insert(at, sample.composition_timestamp);
            let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
            match self.decoder.decode_with_options(&self.annex_b, options) {
                Ok(Some(picture)) => {
                    self.damaged = 0;
                    let size = to_rgb(&picture, SIDE_MAX, &mut self.rgb);
                    return size.map(Some).map_err(|_| self.too_large());
                }
                Ok(None) => {}
                Err(error) => {
                    self.times.remove(at);
                    self.damaged += 1;
                    if self.damaged >= DAMAGED_MAX {
                        let what = format!("{DAMAGED_MAX} pictures in a row cannot be decoded: {error}");
                        return Err(VideoError::Damaged { file: self.file.clone(), what });
                    }
                }
            }
        }
        if self.rest.is_none() {
            let mut held = VecDeque::new();
            for picture in self.decoder.flush_remaining().unwrap_or_default() {
                let mut rgb = Vec::new();
                if let Ok(size) = to_rgb(&picture, SIDE_MAX, &mut rgb) {
                    held.push_back(Held { size, rgb });
                }
            }
            self.rest = Some(held);
        }
        Ok(self.rest.as_mut().and_then(VecDeque::pop_front).map(|held| {
            self.rgb = held.rgb;
            held.size
        }))
    }

    /// Reads a sample and puts start codes where the file has lengths.
    fn load(&mut self, sample: &Sample) -> Result<(), VideoError> {
        let damaged = |what: &str| VideoError::Damaged { file: self.file.clone(), what: what.to_owned() };
        if sample.size > SAMPLE_MAX {
            return Err(damaged("it has a picture of more than 32 MiB"));
        }
        let cut_off = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is cut off: it ends before its last picture"),
            _ => VideoError::Read { file: self.file.clone(), cause: error },
        };
        self.bytes.resize(usize::try_from(sample.size).unwrap_or(0), 0);
        let at = i64::try_from(sample.offset).unwrap_or(i64::MAX);
        let now = self.reader.stream_position().map_err(cut_off)?;
        // Samples follow each other as a rule: what is buffered stays.
        let step = at.saturating_sub(i64::try_from(now).unwrap_or(0));
        self.reader
            .seek_relative(step)
            .or_else(|_| self.reader.seek(SeekFrom::Start(sample.offset)).map(drop))
            .map_err(cut_off)?;
        self.reader.read_exact(&mut self.bytes).map_err(cut_off)?;
        self.annex_b.clear();
        if sample.is_sync {
            self.annex_b.extend_from_slice(&self.sets);
        }
        let mut rest = self.bytes.as_slice();
        while let Some((length, units)) = rest.split_at_checked(self.length_bytes) {
            let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            // What is longer than the sample is cut to it; the decoder finds out.
            let (unit, after) = units.split_at(length.min(units.len()));
            self.annex_b.extend_from_slice(&[0, 0, 0, 1]);
            self.annex_b.extend_from_slice(unit);
            rest = after;
        }
        Ok(())
    }

    fn too_large(&self) -> VideoError {
        VideoError::Other {
            file: self.file.clone(),
            what: format!("has pictures of more than {SIDE_MAX} pixels a side"),
        }
    }
}

/// Why boxes are not read.
enum Fault {
    /// This is no such film.
    Other(String),
    /// It was one.
    Damaged,
}

/// Looks at the boxes: whether this is such a film at all, and whether its index is one that fits into memory and can be true. The index's length.
fn check_boxes(reader: &mut BufReader<File>, length: u64) -> Result<u64, Fault> {
    let no_film = || Fault::Other("is no film that is known here".to_owned());
    let (mut at, mut index) = (0, 0);
    while at + 8 <= length {
        let mut head = [0; 16];
        reader.seek(SeekFrom::Start(at)).map_err(|_| no_film())?;
        reader.read_exact(&mut head[..8]).map_err(|_| no_film())?;
        let short = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let size = match short {
            0 => length - at,
            1 => {
                reader.read_exact(&mut head[8..]).map_err(|_| no_film())?;
                u64::from_be_bytes(head[8..].try_into().unwrap_or_default())
            }
            size => size,
        };
        let name: [u8; 4] = head[4..8].try_into().unwrap_or_default();
        if at == 0 && !matches!(&name, b"ftyp" | b"wide" | b"moov" | b"mdat" | b"free" | b"skip" | b"pnot") {
            return Err(no_film());
        }
        if size < 8 {
            return Err(Fault::Damaged);
        }
        if matches!(&name, b"moov" | b"moof") {
            index += size;
            if index > INDEX_MAX {
                return Err(Fault::Other("has an index of more than 64 MiB".to_owned()));
            }
            let mut body = vec![0; size as usize - 8];
            reader.read_exact(&mut body).map_err(|_| Fault::Damaged)?;
            let mut samples = 0;
            check_index(&body, &mut samples).ok_or(Fault::Damaged)?;
        }
        at = at.saturating_add(size);
    }
    Ok(index)
}

/// Whether each box of an index lies in its parent, and all tables together name so many samples as can be.
fn check_index(mut boxes: &[u8], samples: &mut u64) -> Option<()> {
    let number = |bytes: &[u8], at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // A few bytes at the end of a parent are padding.
    while boxes.len() >= 8 {
        let size = number(boxes, 0)? as usize;
        if size < 8 || size > boxes.len() {
            return None;
        }
        let (this, rest) = boxes.split_at(size);
        let body = &this[8..];
        match &this[4..8] {
            b"trak" | b"mdia" | b"minf" | b"stbl" | b"dinf" | b"edts" | b"mvex" | b"traf" => {
                check_index(body, samples)?
            }
            b"stsz" => *samples += u64::from(number(body, 8)?),
            b"trun" => *samples += u64::from(number(body, 4)?),
            b"stts" | b"ctts" => {
                let runs = body.get(8..)?.chunks_exact(8).take(number(body, 4)? as usize);
                *samples += runs.map(|run| u64::from(number(run, 0).unwrap_or(0))).sum::<u64>();
            }
            _ => {}
        }
        // Each track names its samples in up to three tables.
        if *samples > 3 * SAMPLES_MAX {
            return None;
        }
        boxes = rest;
    }
    Some(())
}

/// A reader that gives up after so many calls.
struct Bounded<'a> {
    inner: &'a mut BufReader<File>,
    left: u64,
}

impl Bounded<'_> {
    fn count(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("it leads round in circles"))?;
        Ok(())
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.count()?;
        self.inner.read(to)
    }
}

impl Seek for Bounded<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.count()?;
        self.inner.seek(to)
    }
}

impl Turn {
    /// From the upper left of a track's matrix (ISO 14496-12, 8.3.2), whose numbers are 16.16 fixed.
    fn of([a, b, c, d]: [i32; 4]) -> Self {
        match [a, b, c, d].map(i32::signum) {
            [0, 1, -1, 0] => Self(1),
            [-1, 0, 0, -1] => Self(2),
            [0, -1, 1, 0] => Self(3),
            _ => Self(0),
        }
    }

    /// Writes the turned picture to `to`, and says its width and height; nothing is written where nothing turns.
    fn turned(self, rgb: &[u8], [width, height]: [usize; 2], to: &mut Vec<u8>) -> [usize; 2] {
        let size = if self.0.is_multiple_of(2) { [width, height] } else { [height, width] };
        if self.0 == 0 {
            return size;
        }
        let (pixels, _) = rgb.as_chunks::<3>();
        to.clear();
        to.reserve(rgb.len());
        for y in 0..size[1] {
            for x in 0..size[0] {
                let [u, v] = match self.0 {
                    1 => [y, height - 1 - x],
                    2 => [width - 1 - x, height - 1 - y],
                    _ => [width - 1 - y, x],
                };
                to.extend_from_slice(&pixels[v * width + u]);
            }
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_turned_clockwise_by_quarters() {
        // Two wide, three high: 0 1 / 2 3 / 4 5.
        let rgb: Vec<u8> = (0..6).flat_map(|k| [k; 3]).collect();
        let turned = |quarters| {
            let mut to = Vec::new();
            let size = Turn(quarters).turned(&rgb, [2, 3], &mut to);
            (size, to.chunks(3).map(|pixel| pixel[0]).collect::<Vec<_>>())
        };
        assert_eq!(turned(1), ([3, 2], vec![4, 2, 0, 5, 3, 1]));
        assert_eq!(turned(2), ([2, 3], vec![5, 4, 3, 2, 1, 0]));
        assert_eq!(turned(3), ([3, 2], vec![1, 3, 5, 0, 2, 4]));
        assert_eq!(turned(0), ([2, 3], vec![]));
        assert_eq!(Turn::of([0, 65536, -65536, 0]), Turn(1));
        assert_eq!(Turn::of([65536, 0, 0, 65536]), Turn(0));
    }
}
