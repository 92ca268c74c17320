//! Sounds and the sound tracks of films, decoded block by block. [`open`](AudioReader::open) lists them.
//!
//! | who | reads |
//! |---|---|
//! | `riff`, `aiff`, `caf`, `pcm`, `adpcm` | WAV, RF64, BW64, W64, AIFF, AU, CAF: plain samples, whatever their headers say of their lengths |
//! | `library` | what Symphonia demuxes: MP4, MOV, Matroska, WebM, OGG, FLAC, MP3, AAC, and what else CAF holds |
//! | `opus`, `aac` | the tracks for which Symphonia has no decoder, or not the whole of one |
//! | `mix` (in `audio`) | any number of channels to one voice |

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

use symphonia::core::io::MediaSource;

mod aac;
mod adpcm;
mod aiff;
mod caf;
mod edits;
mod error;
mod frames;
mod guard;
mod input;
mod library;
mod names;
mod opus;
mod pcm;
mod riff;
mod stats;
mod wave_format;

pub use error::AudioError;
pub use stats::{AudioInfo, AudioStats};

use self::frames::{Frames, Opened, Piece, Refusal};
use self::input::Input;
use super::fold::{has_places, stereo_weights};
use vultus::audio::mix::{Watch, Weights, mix_block};

/// Rates that make sense as sound, Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// An integer sample of this size is as loud as the format goes.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;
/// Blocks of sound that are heard before one is mixed, so that a change is known when it comes: 80 ms.
const AHEAD: usize = 4;

/// Pieces without a frame that may follow one another. A damaged index can promise thousands of millions.
const FRUITLESS: usize = 1 << 12;
/// Zeros behind a tag that are left out, at most.
const FILLED: usize = 1 << 16;

/// A piece of a decoded file. All samples are finite and within ±1 per channel of the file.
#[derive(Clone, Copy, Debug)]
pub struct AudioBlock<'a> {
    /// The voice, one value a frame: the mean of the speakers, unless that would lose somebody (see [`LiveMix`](vultus::audio::LiveMix)).
    pub mono: &'a [f32],
    /// What left and right speaker play, interleaved; the same as `mono` where the file does not say what belongs to which side.
    pub speakers: &'a [f32],
}

/// Decodes one file, block by block. Memory does not grow with the file's length.
pub struct AudioReader {
    file: String,
    frames: Box<dyn Frames>,
    info: AudioInfo,
    weights: Vec<[f32; 2]>,
    /// Of files with several channels.
    watch: Option<Watch>,
    samples: Vec<f32>,
    /// Interleaved sound that is still to be mixed, from the start of a block on.
    waiting: Vec<f32>,
    /// How to mix the blocks of it that are complete, and the one before.
    plans: VecDeque<Weights>,
    last: Option<Weights>,
    speakers: Vec<f32>,
    mono: Vec<f32>,
    stats: AudioStats,
    first_error: Option<String>,
    ended: bool,
}

impl AudioReader {
    /// Opens a file, or a pipe: WAV (RF64, BW64, W64 too), AIFF, CAF and AU with samples of any kind or ADPCM; FLAC; MPEG layers 1 to 3; AAC,
    /// ALAC and others in MP4, M4A, MOV and 3GP; Opus, Vorbis and FLAC in OGG, WebM and Matroska. Of a film, the default sound track.
    ///
    /// # Errors
    /// See [`AudioError`].
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        let file = path.display().to_string();
        let read = |cause| AudioError::Read { file: file.clone(), cause };
        let source = File::open(path).map_err(read)?;
        let metadata = source.metadata().map_err(read)?;
        if metadata.is_dir() {
            return Err(read(std::io::Error::from(ErrorKind::IsADirectory)));
        }
        if metadata.is_file() && metadata.len() == 0 {
            return Err(AudioError::EmptyFile(file));
        }
        Self::new(file.clone(), Box::new(source))
    }

    /// Opens a file that lies in memory. `file` is the name that errors show.
    ///
    /// # Errors
    /// See [`AudioError`].
    pub fn from_bytes(file: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, AudioError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(AudioError::EmptyFile(file.into()));
        }
        Self::new(file.into(), Box::new(Cursor::new(bytes)))
    }

    fn new(file: String, source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let opened = open(Input::new(source)).map_err(|refusal| AudioError::new(&file, refusal))?;
        let refused = |what: String| AudioError::Unsupported { file: file.clone(), what };
        if !RATES.contains(&opened.rate) {
            return Err(refused(format!("a sample rate of {} Hz", opened.rate)));
        }
        let count = opened.channels.count();
        if count == 0 || count > wave_format::CHANNELS_MAX {
            return Err(refused(format!("{count} channels")));
        }
        let weights = stereo_weights(&opened.channels);
        let speakers = if count == 1 || !has_places(&opened.channels) { 1 } else { 2 };
        let plain: Vec<f32> = weights.iter().map(|[left, right]| 0.5 * (left + right)).collect();
        let info = AudioInfo { rate: opened.rate as usize, channels: count, speakers, frames: opened.length };
        Ok(Self {
            file,
            frames: opened.frames,
            info,
            weights,
            watch: (count > 1).then(|| Watch::new(opened.rate, &plain)),
            samples: Vec::new(),
            waiting: Vec::new(),
            plans: VecDeque::new(),
            last: None,
            speakers: Vec::new(),
            mono: Vec::new(),
            stats: AudioStats::default(),
            first_error: None,
            ended: false,
        })
    }

    /// Rate, channels, length.
    pub fn info(&self) -> &AudioInfo {
        &self.info
    }

    /// What has been noticed so far; complete when [`Self::next_block`] has returned `None`.
    pub fn stats(&self) -> &AudioStats {
        &self.stats
    }

    /// The next block, or `None` at the end.
    ///
    /// # Errors
    /// When reading fails, or when the end is reached and not one sample could be decoded. A file that ends early or has damaged
    /// blocks is no error as long as something can be decoded: [`Self::stats`] says so.
    pub fn next_block(&mut self) -> Result<Option<AudioBlock<'_>>, AudioError> {
        self.mono.clear();
        self.speakers.clear();
        let mut fruitless = 0;
        while !self.ended && self.mono.is_empty() {
            fruitless += 1;
            if fruitless > FRUITLESS {
                self.stats.truncated = true;
                self.end();
                continue;
            }
            match self.frames.next(&mut self.samples) {
                Piece::Frames => {
                    self.clean();
                    self.mix();
                }
                Piece::Damaged(reason) => {
                    self.stats.damaged_blocks += 1;
                    self.first_error.get_or_insert(reason);
                }
                Piece::End => self.end(),
                Piece::Cut(reason) => {
                    self.stats.truncated = true;
                    self.first_error.get_or_insert(reason);
                    self.end();
                }
                Piece::Unreadable(cause) => {
                    self.ended = true;
                    return Err(AudioError::Read { file: self.file.clone(), cause });
                }
            }
        }
        if self.mono.is_empty() {
            self.check_end()?;
            return Ok(None);
        }
        let speakers = if self.info.speakers == 1 { &self.mono } else { &self.speakers };
        Ok(Some(AudioBlock { mono: &self.mono, speakers }))
    }

    fn check_end(&mut self) -> Result<(), AudioError> {
        if self.stats.frames == 0 {
            let refusal = self.first_error.take().map_or(Refusal::NoSamples, Refusal::Damaged);
            return Err(AudioError::new(&self.file, refusal));
        }
        // Encoder padding may be trimmed; a tenth of a second less is not what a user calls truncated.
        let missing = self.info.frames.unwrap_or(0).saturating_sub(self.stats.frames);
        self.stats.truncated |= missing > self.info.rate as u64 / 10;
        Ok(())
    }

    fn clean(&mut self) {
        for sample in &mut self.samples {
            if !sample.is_finite() {
                self.stats.not_finite += 1;
                *sample = 0.0;
            } else if sample.abs() >= FULL_SCALE {
                self.stats.clipped += 1;
                *sample = sample.clamp(-1.0, 1.0);
            }
        }
        self.stats.frames += (self.samples.len() / self.info.channels) as u64;
    }

    /// Takes in what was decoded and mixes the blocks of which enough is known.
    fn mix(&mut self) {
        let Some(watch) = &mut self.watch else {
            self.mono.extend_from_slice(&self.samples);
            return;
        };
        self.waiting.extend_from_slice(&self.samples);
        watch.look(&self.samples, |weights| self.plans.push_back(weights.clone()));
        let size = watch.block() * self.info.channels;
        let mut done = 0;
        while self.plans.len() > AHEAD {
            // Block k is mixed by what was known at the end of block k + AHEAD.
            let to = self.plans[AHEAD].clone();
            self.plans.pop_front();
            self.mix_waiting(done..done + size, to);
            done += size;
        }
        self.waiting.drain(..done);
    }

    /// Mixes what still waits, which nothing comes after.
    fn end(&mut self) {
        self.ended = true;
        let Some(watch) = &self.watch else { return };
        let size = watch.block() * self.info.channels;
        let known = self.plans.back().or(self.last.as_ref()).cloned();
        let to = known.unwrap_or_else(|| watch.weights().clone());
        let mut done = 0;
        while done < self.waiting.len() {
            let end = self.waiting.len().min(done + size);
            self.mix_waiting(done..end, to.clone());
            done = end;
        }
        self.waiting.clear();
    }

    fn mix_waiting(&mut self, frames: std::ops::Range<usize>, to: Weights) {
        let frames = &self.waiting[frames];
        let from = self.last.take().unwrap_or_else(|| to.clone());
        let block = self.watch.as_ref().map_or(1, Watch::block);
        let start = self.mono.len();
        let mut departures = Vec::new();
        mix_block(frames, &from, &to, block, |mono, departure| {
            self.mono.push(mono);
            departures.push(departure);
        });
        if self.info.speakers == 2 {
            let mixed = self.mono[start..].iter_mut().zip(departures);
            for (frame, (mono, departure)) in frames.chunks_exact(self.info.channels).zip(mixed) {
                let (mut left, mut right) = (0.0, 0.0);
                for (sample, weight) in frame.iter().zip(&self.weights) {
                    left += sample * weight[0];
                    right += sample * weight[1];
                }
                if departure == 0.0 {
                    *mono = 0.5 * (left + right);
                } else if self.info.channels > 2 {
                    // Of more channels than there are speakers, the voice may be in one that neither plays.
                    left += departure * (*mono - left);
                    right += departure * (*mono - right);
                }
                self.speakers.extend([left, right]);
            }
        }
        self.last = Some(to);
    }
}

/// Finds out what this is.
fn open(mut input: Input) -> Result<Opened, Refusal> {
    skip_tags(&mut input)?;
    // Whoever comes next counts from where the tags end.
    let mut input = input.window(None);
    for family in [riff::open, aiff::open, caf::open] {
        input = match family(input)? {
            Ok(opened) => return Ok(opened),
            Err(input) => input,
        };
    }
    library::open(input)
}

/// Leaves out the ID3 tags in front (id3.org, ID3v2.4, section 3.1): they hold pictures of any size, and nothing that is heard.
fn skip_tags(input: &mut Input) -> Result<(), Refusal> {
    loop {
        let head = input.peek(10)?;
        if head.len() < 10 || !head.starts_with(b"ID3") || head[6..].iter().any(|byte| *byte >= 0x80) {
            return Ok(());
        }
        let size = head[6..].iter().fold(0, |size, byte| size << 7 | u64::from(*byte));
        let foot = if head[5] & 0x10 == 0 { 0 } else { 10 };
        if !input.skip(10 + size + foot)? {
            return Err(Refusal::NoSamples);
        }
        // Some writers fill up with zeros that the size does not count.
        let filled = input.peek(FILLED)?.iter().take_while(|byte| **byte == 0).count();
        input.skip(filled as u64)?;
    }
}
