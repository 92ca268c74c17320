//! Everything that Symphonia demuxes: MP4 and its kin, Matroska, OGG, CAF, FLAC, MPEG audio, ADTS. Its decoders and two others decode it.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource as _, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::aac::AacTrack;
use super::edits::{self, Edit, Found};
use super::frames::{Frames, Opened, Piece, Refusal};
use super::guard::guarded;
use super::input::Input;
use super::names;
use super::opus::OpusTrack;

/// Pieces that may be unreadable one after another at the start before a file is given up.
const PATIENCE: usize = 64;

/// Packets of other tracks that may lie between two of the sound's.
const FRUITLESS: usize = 1 << 20;

/// Opens the file that begins here and decodes as far as its first frames, which say what containers may have wrong: rate and channels.
pub(super) fn open(mut input: Input) -> Result<Opened, Refusal> {
    let start = input.peek(4096)?.to_vec();
    let (seekable, Found { edits, absurd }) = (input.is_seekable(), edits::read(&mut input)?);
    if let Some(samples) = absurd {
        return Err(Refusal::Damaged(format!("a fragment claims {samples} samples, more than the file has bytes")));
    }
    let stream = MediaSourceStream::new(Box::new(input), Default::default());
    let format = guarded(|| {
        symphonia::default::get_probe().probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
    })
    .map_err(|error| match error {
        Error::IoError(cause) if cause.kind() != std::io::ErrorKind::UnexpectedEof => Refusal::Unreadable(cause),
        _ if !seekable && start.get(4..8) == Some(b"ftyp") => Refusal::NeedsFile,
        error => names::container(&start).map_or_else(
            || if names::is_known(&start) { Refusal::Damaged(error.to_string()) } else { Refusal::NotAudio },
            |name| Refusal::Unsupported(name.into()),
        ),
    })?;
    let (track, decoder) = choose(&*format)?;
    let edit = edits.iter().find(|edit| edit.track == track.id).copied();
    let mut reader = Reader {
        decoder,
        track: track.id,
        rate: 0,
        channels: Channels::None,
        skip: 0,
        samples: Vec::new(),
        waiting: None,
        damaged: 0,
        time_base: track.time_base.map(|base| f64::from(base.numer.get()) / f64::from(base.denom.get())),
        format,
    };
    let (frames, duration) = (track_frames(reader.format.tracks(), reader.track), reader.duration());
    reader.first()?;
    let seconds = duration.or(frames.map(|(frames, rate)| frames as f64 / rate));
    let length = seconds.map(|seconds| (seconds * f64::from(reader.rate)).round() as u64);
    let length = reader.apply(edit, length).filter(|length| *length > 0);
    Ok(Opened { rate: reader.rate, channels: reader.channels.clone(), length, frames: Box::new(reader) })
}

/// Frames and rate of a track, as its container says.
fn track_frames(tracks: &[Track], id: u32) -> Option<(u64, f64)> {
    let track = tracks.iter().find(|track| track.id == id)?;
    let rate = audio(track)?.sample_rate?;
    track.num_frames.map(|frames| (frames, f64::from(rate.max(1))))
}

fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref().and_then(CodecParameters::audio)
}

/// The sound track that is to be heard: the default one, or the first that can be decoded.
fn choose(format: &dyn FormatReader) -> Result<(&Track, Decoder), Refusal> {
    let default = format.default_track(TrackType::Audio).map(|track| track.id);
    let mut tracks: Vec<&Track> = format.tracks().iter().filter(|track| audio(track).is_some()).collect();
    tracks.sort_by_key(|track| Some(track.id) != default);
    let mut refused = None;
    for track in tracks {
        let Some(parameters) = audio(track) else { continue };
        match Decoder::new(parameters) {
            Ok(decoder) => return Ok((track, decoder)),
            Err(what) => {
                refused.get_or_insert(what);
            }
        }
    }
    // A track that the container's reader knows nothing of may be sound as well as anything else.
    let unknown = format.tracks().iter().any(|track| track.codec_params.is_none());
    Err(match refused {
        Some(what) => Refusal::Unsupported(what),
        None if unknown => Refusal::Unsupported("an encoding of sound that is not known here".into()),
        None => Refusal::NoTrack,
    })
}

/// Whoever decodes a track.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(OpusTrack),
    Aac(Box<AacTrack>),
}

/// Rate and channels of what was decoded.
type Spec = (u32, Channels);

impl Decoder {
    fn new(parameters: &AudioCodecParameters) -> Result<Self, String> {
        let extra = parameters.extra_data.as_deref();
        match parameters.codec {
            CODEC_ID_OPUS => OpusTrack::new(extra).map(Self::Opus),
            CODEC_ID_AAC => {
                let channels = parameters.channels.as_ref().map_or(0, Channels::count);
                AacTrack::new(extra, parameters.sample_rate, channels).map(|track| Self::Aac(Box::new(track)))
            }
            codec => guarded(|| {
                symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default())
            })
            .map(Self::Symphonia)
            .map_err(|error| match error {
                Error::Unsupported("core (codec): unsupported audio codec") => names::codec(codec),
                error => format!("{} of a kind that has no decoder here ({error})", names::codec(codec)),
            }),
        }
    }

    /// Replaces `samples` with the frames of a packet, of which the last `trim` are not meant to be heard.
    fn decode(&mut self, packet: &Packet, trim: usize, samples: &mut Vec<f32>) -> Result<Option<Spec>, String> {
        samples.clear();
        match self {
            Self::Symphonia(decoder) => guarded(|| {
                let buffer = decoder.decode(packet)?;
                buffer.copy_to_vec_interleaved(samples);
                Ok(Some((buffer.spec().rate(), buffer.spec().channels().clone())))
            })
            .map_err(|error| error.to_string()),
            Self::Opus(track) => {
                track.decode(&packet.data, trim, samples)?;
                Ok(Some((track.rate(), track.channels())))
            }
            Self::Aac(track) => {
                let mut decoded = Ok(None);
                // Whatever breaks down in there is a damaged packet, as in Symphonia.
                let whole = guarded(|| {
                    decoded = track.decode(&packet.data, samples);
                    Ok(())
                });
                whole.map_err(|error| error.to_string())?;
                Ok(decoded?.map(|unit| (unit.rate, unit.channels)))
            }
        }
    }
}

struct Reader {
    format: Box<dyn FormatReader>,
    decoder: Decoder,
    track: u32,
    rate: u32,
    channels: Channels,
    /// Frames at the start that are not to be heard.
    skip: u64,
    samples: Vec<f32>,
    /// What came of the first packets, until it is asked for.
    waiting: Option<Piece>,
    /// Packets at the start that could not be decoded and have not been told of.
    damaged: usize,
    /// Seconds of a tick of the track's clock.
    time_base: Option<f64>,
}

impl Reader {
    /// Seconds of the whole track, as its container says.
    fn duration(&self) -> Option<f64> {
        let track = self.format.tracks().iter().find(|track| track.id == self.track)?;
        Some(track.duration?.get() as f64 * self.time_base?)
    }

    /// Decodes as far as the first frames.
    fn first(&mut self) -> Result<(), Refusal> {
        let mut complaint = None;
        loop {
            match self.piece() {
                Piece::Frames if self.samples.is_empty() => {}
                Piece::Damaged(reason) => {
                    self.damaged += 1;
                    complaint.get_or_insert(reason);
                    if self.damaged > PATIENCE {
                        break;
                    }
                }
                Piece::Frames => {
                    self.waiting = Some(Piece::Frames);
                    return Ok(());
                }
                Piece::Unreadable(error) => return Err(Refusal::Unreadable(error)),
                Piece::Cut(reason) => {
                    complaint.get_or_insert(reason);
                    break;
                }
                Piece::End => break,
            }
        }
        Err(complaint.map_or(Refusal::NoSamples, Refusal::Damaged))
    }

    /// Takes note of an edit list: frames at the start that only warm the decoder up. Gives the length without them.
    fn apply(&mut self, edit: Option<Edit>, length: Option<u64>) -> Option<u64> {
        // Opus says the same itself.
        let Some(edit) = edit.filter(|_| !matches!(self.decoder, Decoder::Opus(_))) else { return length };
        let skip = (edit.start * f64::from(self.rate)).round() as u64;
        // An edit that leaves nothing is none.
        if length.is_some_and(|length| skip >= length) {
            return length;
        }
        self.skip = skip;
        length.map(|length| length - skip)
    }

    fn piece(&mut self) -> Piece {
        for _ in 0..FRUITLESS {
            match guarded(|| self.format.next_packet()) {
                Ok(Some(packet)) if packet.track_id != self.track => {}
                Ok(Some(packet)) => return self.decode(&packet),
                Ok(None) => return Piece::End,
                // Another stream begins, as in internet radio.
                Err(Error::ResetRequired) => match choose(&*self.format) {
                    Ok((track, decoder)) => {
                        self.track = track.id;
                        self.decoder = decoder;
                    }
                    Err(_) => return Piece::Cut("another stream begins that cannot be decoded".into()),
                },
                Err(Error::IoError(cause)) if cause.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Piece::Unreadable(cause);
                }
                // What was written into a pipe has no other end; where the length is known, it tells whether something is missing.
                Err(Error::IoError(_)) => return Piece::End,
                Err(error) => return Piece::Cut(error.to_string()),
            }
        }
        Piece::Cut("the sound track does not go on".into())
    }

    fn decode(&mut self, packet: &Packet) -> Piece {
        let trim = self.time_base.map_or(0.0, |base| packet.trim_end.get() as f64 * base * 48_000.0).round() as usize;
        let (rate, channels) = match self.decoder.decode(packet, trim, &mut self.samples) {
            Ok(Some(spec)) if !self.samples.is_empty() => spec,
            Ok(_) => {
                self.samples.clear();
                return Piece::Frames;
            }
            Err(reason) => {
                self.samples.clear();
                return Piece::Damaged(reason);
            }
        };
        if self.rate == 0 {
            (self.rate, self.channels) = (rate, channels);
        } else if rate != self.rate {
            self.samples.clear();
            return Piece::Cut("its sample rate changes midway".into());
        } else if channels.count() != self.channels.count() {
            self.samples = refit(&self.samples, channels.count(), self.channels.count());
        }
        Piece::Frames
    }
}

/// Frames of `from` channels as frames of `to`: a stream may turn from stereo to mono and back.
fn refit(samples: &[f32], from: usize, to: usize) -> Vec<f32> {
    let frames = samples.chunks_exact(from.max(1));
    let one = |frame: &[f32], c: usize| if from == 1 { frame[0] } else { frame.get(c).copied().unwrap_or(0.0) };
    frames
        .flat_map(|frame| {
            let mean = frame.iter().sum::<f32>() / from as f32;
            (0..to).map(move |c| if to == 1 { mean } else { one(frame, c) })
        })
        .collect()
}

impl Frames for Reader {
    fn next(&mut self, samples: &mut Vec<f32>) -> Piece {
        samples.clear();
        if self.damaged > 0 {
            self.damaged -= 1;
            return Piece::Damaged("a damaged packet".into());
        }
        let piece = match self.waiting.take() {
            Some(piece) => piece,
            None => self.piece(),
        };
        if matches!(piece, Piece::Frames) {
            let channels = self.channels.count().max(1);
            let skip = self.skip.min((self.samples.len() / channels) as u64);
            self.skip -= skip;
            samples.extend_from_slice(&self.samples[skip as usize * channels..]);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_change_their_channels_keep_the_voice() {
        assert_eq!(refit(&[0.5, 0.25], 1, 2), [0.5, 0.5, 0.25, 0.25]);
        assert_eq!(refit(&[0.5, 0.25], 2, 1), [0.375]);
        assert_eq!(refit(&[0.1, 0.2, 0.3, 0.4], 2, 3), [0.1, 0.2, 0.0, 0.3, 0.4, 0.0]);
    }
}
