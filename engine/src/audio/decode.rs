//! Audio files, decoded block by block: WAV, FLAC, MP3, OGG Vorbis.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use thiserror::Error;

use super::fold::stereo_weights;
use super::wav_header;
use crate::io_advice;

/// Rates that make sense as sound, Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// An integer sample of this size is as loud as the format goes.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;

/// Why a file could not be heard. Every message names the file.
#[derive(Debug, Error)]
pub enum AudioError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {}", io_advice::reading(.cause))]
    Read {
        /// File as the user gave it.
        file: String,
        /// The operating system's answer.
        cause: std::io::Error,
    },
    /// The file has no bytes.
    #[error("{0} is empty; give a WAV, FLAC, MP3 or OGG Vorbis file with speech in it")]
    EmptyFile(String),
    /// No audio format recognises the bytes.
    #[error("{0} is not a sound file that can be read; convert it to WAV, FLAC, MP3 or OGG Vorbis")]
    NotAudio(String),
    /// The format is known but not this variant of it.
    #[error("{file} uses {what}, which is not supported; convert it to WAV, FLAC, MP3 or OGG Vorbis")]
    Unsupported {
        /// File as the user gave it.
        file: String,
        /// What is not supported.
        what: String,
    },
    /// The file is well-formed but holds no samples.
    #[error("{0} holds no sound: it has a header but not one sample")]
    NoSamples(String),
    /// Not one block could be decoded.
    #[error("nothing in {file} can be decoded ({reason}); the file is damaged: copy or export it again")]
    Damaged {
        /// File as the user gave it.
        file: String,
        /// The decoder's first complaint.
        reason: String,
    },
}

/// What is known when a file has been opened.
#[derive(Clone, Debug)]
pub struct AudioInfo {
    /// Sample rate, Hz.
    pub rate: usize,
    /// Channels in the file.
    pub channels: usize,
    /// Channels of [`AudioBlock::speakers`]: 1 or 2.
    pub speakers: usize,
    /// Length in frames, if the file says so. It may be wrong.
    pub frames: Option<u64>,
}

/// What has been noticed in the samples so far.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AudioStats {
    /// Frames decoded.
    pub frames: u64,
    /// Samples that were NaN or infinite; they were taken as 0.
    pub not_finite: u64,
    /// Samples at or beyond full scale; those beyond were taken as ±1.
    pub clipped: u64,
    /// Blocks that could not be decoded; they were left out.
    pub damaged_blocks: u64,
    /// Whether the file ended before its header said.
    pub truncated: bool,
}

impl AudioStats {
    /// One sentence for each thing that the user may want to know.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.truncated {
            warnings.push(
                "the audio ends before its header says: the file is truncated, and what is there was used".into(),
            );
        }
        if self.damaged_blocks > 0 {
            warnings.push(format!("{} damaged blocks of audio were left out", self.damaged_blocks));
        }
        if self.not_finite > 0 {
            warnings.push(format!("{} samples are not finite numbers and were taken as silence", self.not_finite));
        }
        if self.clipped * 1000 > self.frames {
            warnings.push(format!("{} samples are clipped: record with less gain for better lips", self.clipped));
        }
        warnings
    }
}

/// A piece of a decoded file. All samples are finite and within ±1 per channel of the file.
#[derive(Clone, Copy, Debug)]
pub struct AudioBlock<'a> {
    /// The mean of the speakers, one value a frame.
    pub mono: &'a [f32],
    /// What left and right speaker play, interleaved; the same as `mono` for a file of one channel.
    pub speakers: &'a [f32],
}

/// Decodes one file, block by block. Memory does not grow with the file's length.
pub struct AudioReader {
    file: String,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    info: AudioInfo,
    weights: Vec<[f32; 2]>,
    samples: Vec<f32>,
    speakers: Vec<f32>,
    mono: Vec<f32>,
    stats: AudioStats,
    first_error: Option<String>,
    /// Whether the end of the bytes is the end of the sound, because nothing said how long it is.
    open_ended: bool,
    ended: bool,
}

impl AudioReader {
    /// Opens a file.
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
        let extension = path.extension().and_then(|e| e.to_str());
        Self::new(file.clone(), extension, Box::new(source))
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
        Self::new(file.into(), None, Box::new(Cursor::new(bytes)))
    }

    fn new(file: String, extension: Option<&str>, source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let (source, open_ended) =
            wav_header::look(source).map_err(|cause| AudioError::Read { file: file.clone(), cause })?;
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| match error {
                SymphoniaError::IoError(cause) if cause.kind() != ErrorKind::UnexpectedEof => {
                    AudioError::Read { file: file.clone(), cause }
                }
                _ => AudioError::NotAudio(file.clone()),
            })?;
        let unsupported = |what: &str| AudioError::Unsupported { file: file.clone(), what: what.into() };
        let track = format.default_track(TrackType::Audio).ok_or_else(|| AudioError::NotAudio(file.clone()))?;
        let parameters = track
            .codec_params
            .as_ref()
            .and_then(|p| p.audio())
            .ok_or_else(|| unsupported("an unknown audio encoding"))?;
        let rate = parameters.sample_rate.ok_or_else(|| unsupported("no stated sample rate"))?;
        if !RATES.contains(&rate) {
            return Err(unsupported(&format!("a sample rate of {rate} Hz")));
        }
        let channels = parameters.channels.clone().ok_or_else(|| unsupported("no stated channel count"))?;
        // What an open-ended file says of its length elsewhere is no better.
        let frames = track.num_frames.filter(|_| !open_ended);
        if channels.count() == 0 || frames == Some(0) {
            return Err(AudioError::NoSamples(file));
        }
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(|_| unsupported("an encoding that has no decoder here"))?;
        let info =
            AudioInfo { rate: rate as usize, channels: channels.count(), speakers: channels.count().min(2), frames };
        let (track, weights) = (track.id, stereo_weights(&channels));
        Ok(Self {
            file,
            format,
            decoder,
            track,
            info,
            weights,
            samples: Vec::new(),
            speakers: Vec::new(),
            mono: Vec::new(),
            stats: AudioStats::default(),
            first_error: None,
            open_ended,
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
        while !self.ended {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => match self.decoder.decode(&packet) {
                    Ok(buffer) if buffer.frames() == 0 => {}
                    // A stream that changes its layout midway is a chain of files; the first is what was opened.
                    Ok(buffer)
                        if buffer.num_planes() != self.info.channels
                            || buffer.spec().rate() as usize != self.info.rate =>
                    {
                        self.end_early("its sample rate or channels change midway");
                    }
                    Ok(buffer) => {
                        buffer.copy_to_vec_interleaved(&mut self.samples);
                        self.clean_and_fold();
                        return Ok(Some(AudioBlock {
                            mono: &self.mono,
                            speakers: if self.info.speakers == 1 { &self.mono } else { &self.speakers },
                        }));
                    }
                    Err(SymphoniaError::DecodeError(reason)) => {
                        self.stats.damaged_blocks += 1;
                        self.first_error.get_or_insert_with(|| reason.into());
                    }
                    Err(error) => self.end_early(&error.to_string()),
                },
                Ok(Some(_)) => {}
                Ok(None) => self.ended = true,
                Err(SymphoniaError::IoError(cause)) if cause.kind() != ErrorKind::UnexpectedEof => {
                    self.ended = true;
                    return Err(AudioError::Read { file: self.file.clone(), cause });
                }
                Err(SymphoniaError::IoError(_)) if self.open_ended => self.ended = true,
                Err(error) => self.end_early(&error.to_string()),
            }
        }
        self.check_end()?;
        Ok(None)
    }

    fn end_early(&mut self, reason: &str) {
        self.ended = true;
        self.stats.truncated = true;
        self.first_error.get_or_insert_with(|| reason.into());
    }

    fn check_end(&mut self) -> Result<(), AudioError> {
        if self.stats.frames == 0 {
            let file = self.file.clone();
            return Err(match self.first_error.take() {
                Some(reason) => AudioError::Damaged { file, reason },
                None => AudioError::NoSamples(file),
            });
        }
        // Encoder padding may be trimmed; a tenth of a second less is not what a user calls truncated.
        let missing = self.info.frames.unwrap_or(0).saturating_sub(self.stats.frames);
        self.stats.truncated |= missing > self.info.rate as u64 / 10;
        Ok(())
    }

    fn clean_and_fold(&mut self) {
        let channels = self.info.channels;
        for sample in &mut self.samples {
            if !sample.is_finite() {
                self.stats.not_finite += 1;
                *sample = 0.0;
            } else if sample.abs() >= FULL_SCALE {
                self.stats.clipped += 1;
                *sample = sample.clamp(-1.0, 1.0);
            }
        }
        self.stats.frames += (self.samples.len() / channels) as u64;
        self.mono.clear();
        if channels == 1 {
            self.mono.extend_from_slice(&self.samples);
            return;
        }
        self.speakers.clear();
        for frame in self.samples.chunks_exact(channels) {
            let (mut left, mut right) = (0.0, 0.0);
            for (sample, weight) in frame.iter().zip(&self.weights) {
                left += sample * weight[0];
                right += sample * weight[1];
            }
            self.speakers.extend([left, right]);
            self.mono.push(0.5 * (left + right));
        }
    }
}
