//! Sound that comes in pieces of any size, as programs send it over a socket: bytes in, mono samples out.
//!
//! The bytes are samples, or WAV files: a header says how what follows it is written, wherever it stands and however it is cut into pieces. Sans
//! I/O; what a piece has of a sample or a header is kept until the next.

mod foreign;
mod sample;
mod wav;

use std::ops::RangeInclusive;

use symphonia::core::audio::{Channels, Position};
use thiserror::Error;

use super::fold::stereo_weights;
use foreign::Start;
use vultus::audio::LiveMix;
use wav::Found;

pub use sample::SampleFormat;

/// Rates that are taken, Hz.
pub const RATES: RangeInclusive<u32> = 8_000..=192_000;
/// Channels that are taken.
pub const CHANNELS_MAX: u16 = 32;

/// How sound is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How a sample is.
    pub format: SampleFormat,
    /// Frames a second.
    pub rate: u32,
    /// Samples of a frame.
    pub channels: u16,
    /// The loudspeakers that they are for, as in a WAV header (`dwChannelMask`), where that is known.
    pub mask: Option<u32>,
}

impl Layout {
    /// Bytes of a frame.
    pub fn frame(&self) -> usize {
        self.format.bytes() * usize::from(self.channels)
    }
}

impl Default for Layout {
    /// What text-to-speech sends as a rule: 16 bits, 24 kHz, one channel.
    fn default() -> Self {
        Self { format: SampleFormat::S16Le, rate: 24_000, channels: 1, mask: None }
    }
}

/// What a sender has promised. A header that says otherwise is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// How a sample is.
    pub format: Option<SampleFormat>,
    /// Frames a second.
    pub rate: Option<u32>,
    /// Samples of a frame.
    pub channels: Option<u16>,
}

/// Why bytes are no sound. Bytes are counted from the beginning of the utterance.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// A header says something else than was promised.
    #[error(
        "the WAV header at byte {byte} says {field} {header}, but {field}={promised} was asked for; send what was asked for, or leave {field} out"
    )]
    Contradiction {
        /// Which promise.
        field: &'static str,
        /// What the header says.
        header: String,
        /// What was promised.
        promised: String,
        /// Where it says so.
        byte: u64,
    },
    /// The samples of a WAV are in an encoding that cannot be read.
    #[error(
        "the WAV header at byte {byte} names encoding {tag:#06x} with {bits} bits, which is not read here; send PCM (8 to 32 bits), floating point, µ-law or A-law"
    )]
    Encoding {
        /// `wFormatTag`.
        tag: u16,
        /// `wBitsPerSample`.
        bits: u16,
        /// Where it says so.
        byte: u64,
    },
    /// A rate out of [`RATES`].
    #[error("the WAV header at byte {byte} says {rate} Hz; send 8000 to 192000")]
    Rate {
        /// What it says.
        rate: u32,
        /// Where it says so.
        byte: u64,
    },
    /// No channel, or too many.
    #[error("the WAV header at byte {byte} says {channels} channels; send 1 to {CHANNELS_MAX}")]
    Channels {
        /// What it says.
        channels: u16,
        /// Where it says so.
        byte: u64,
    },
    /// What cannot stand in a WAV.
    #[error("the WAV header is broken at byte {byte}: {what}")]
    Header {
        /// What is there.
        what: &'static str,
        /// Where.
        byte: u64,
    },
    /// It is a file of another kind.
    #[error("this is {kind}, and only WAV and bare samples are spoken; ask your text-to-speech for PCM or WAV")]
    Foreign {
        /// What it is.
        kind: &'static str,
    },
    /// The sound ended inside a header.
    #[error("the sound ended at byte {byte}, inside a WAV header")]
    Cut {
        /// The end.
        byte: u64,
    },
}

impl StreamError {
    /// Where it is.
    pub fn byte(&self) -> u64 {
        match *self {
            Self::Contradiction { byte, .. }
            | Self::Encoding { byte, .. }
            | Self::Rate { byte, .. }
            | Self::Channels { byte, .. }
            | Self::Header { byte, .. }
            | Self::Cut { byte } => byte,
            Self::Foreign { .. } => 0,
        }
    }

    /// The promise that was not kept, if it is one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Contradiction { field, .. } => Some(field),
            _ => None,
        }
    }
}

/// What was noticed in an utterance without stopping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamNotes {
    /// Bytes at an end that were no whole frame, and where they begin: (byte, how many, of how many).
    pub rest: Option<(u64, usize, usize)>,
    /// Samples that were no numbers and were taken as silence, and where the first one is: (byte, how many).
    pub not_finite: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Samples; of a WAV file so many bytes more, if it says how many.
    Sound { left: Option<u64> },
    /// A header's first bytes.
    Head,
    /// A chunk before the sound.
    Chunk { described: bool, large: Option<u64> },
    /// So many bytes that are passed over, then chunks before the sound, or after it.
    Skip { left: u64, described: Option<bool>, large: Option<u64> },
    /// Behind the samples of a WAV file. `pad`: a byte may have been put in to make their number even.
    Behind { pad: bool },
}

/// See the module's text.
#[derive(Debug)]
pub struct SoundStream {
    promise: Promise,
    layout: Layout,
    mix: LiveMix,
    state: State,
    /// The WAV file's samples are an odd number of bytes.
    pad: bool,
    /// What waits for more bytes: at most a frame or a header's chunk.
    held: Vec<u8>,
    /// Bytes of the utterance before `held`.
    at: u64,
    notes: StreamNotes,
    samples: Vec<f32>,
}

impl SoundStream {
    /// A stream of which so much is known.
    pub fn new(promise: Promise) -> Self {
        let usual = Layout::default();
        let layout = Layout {
            format: promise.format.unwrap_or(usual.format),
            rate: promise.rate.unwrap_or(usual.rate),
            channels: promise.channels.unwrap_or(usual.channels),
            mask: None,
        };
        Self {
            promise,
            layout,
            mix: mix(&layout),
            state: State::Sound { left: None },
            pad: false,
            held: Vec::new(),
            at: 0,
            notes: StreamNotes::default(),
            samples: Vec::new(),
        }
    }

    /// How what comes next is written, as far as is known.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes the next piece, and gives its sound out: rate in Hz, and mono samples within ±1.
    ///
    /// # Errors
    /// See [`StreamError`]. Nothing more can be read then until [`Self::end`] or [`Self::forget`].
    pub fn push(&mut self, bytes: &[u8], mut sound: impl FnMut(u32, &[f32])) -> Result<(), StreamError> {
        let joined;
        let mut input = if self.held.is_empty() {
            bytes
        } else {
            joined = [&std::mem::take(&mut self.held)[..], bytes].concat();
            &joined
        };
        while let Some(used) = self.step(input, &mut sound)? {
            self.at += used as u64;
            input = &input[used..];
        }
        self.held = input.to_vec();
        Ok(())
    }

    /// The utterance is over. What comes next may be a WAV file again, or go on as this one did.
    ///
    /// # Errors
    /// It ended inside a header.
    pub fn end(&mut self, mut sound: impl FnMut(u32, &[f32])) -> Result<StreamNotes, StreamError> {
        let held = std::mem::take(&mut self.held);
        let at = self.at;
        let cut = match self.state {
            State::Sound { .. } => {
                // What could have become a header was none.
                let used = self.sound(&held, &mut sound);
                self.leave_out(at + used as u64, held.len() - used);
                None
            }
            State::Behind { .. } | State::Skip { described: None, .. } => None,
            _ => Some(StreamError::Cut { byte: at + held.len() as u64 }),
        };
        let notes = self.notes;
        self.forget();
        cut.map_or(Ok(notes), Err)
    }

    /// What has come in part is dropped, and the next piece is the beginning of an utterance.
    pub fn forget(&mut self) {
        self.held = Vec::new();
        (self.state, self.at, self.notes) = (State::Sound { left: None }, 0, StreamNotes::default());
    }

    /// Uses up a part of `input` and says how much; `None` where that needs more.
    fn step(&mut self, input: &[u8], sound: &mut impl FnMut(u32, &[f32])) -> Result<Option<usize>, StreamError> {
        if input.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Sound { left } => {
                if self.at == 0 && left.is_none() {
                    match foreign::look(input) {
                        Start::Fine => {}
                        Start::More => return Ok(None),
                        Start::File(kind) => return Err(StreamError::Foreign { kind }),
                    }
                }
                Ok(self.sound_or_header(input, left, sound))
            }
            State::Head => {
                self.state = State::Chunk { described: false, large: None };
                Ok(Some(wav::MAGIC))
            }
            State::Chunk { described, large } => self.chunk(input, described, large),
            State::Skip { left, described, large } => {
                let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let left = left - used as u64;
                self.state = match described {
                    _ if left > 0 => State::Skip { left, described, large },
                    Some(described) => State::Chunk { described, large },
                    None => State::Behind { pad: false },
                };
                Ok(Some(used))
            }
            State::Behind { pad } => Ok(self.behind(input, pad)),
        }
    }

    fn sound_or_header(
        &mut self,
        input: &[u8],
        left: Option<u64>,
        sound: &mut impl FnMut(u32, &[f32]),
    ) -> Option<usize> {
        let within = left.map_or(input.len(), |left| input.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let last = left == Some(within as u64);
        let (end, next) = match wav::find(&input[..within]) {
            // Whatever was said of this one's length: another one begins.
            Found::At(at) => (at, Some(State::Head)),
            Found::Rest(_) if last => (within, Some(State::Behind { pad: self.pad })),
            Found::Rest(rest) => (within - rest, None),
        };
        let used = self.sound(&input[..end], sound);
        if let Some(next) = next {
            self.leave_out(self.at + used as u64, end - used);
            self.state = next;
            return Some(end);
        }
        self.state = State::Sound { left: left.map(|left| left - used as u64) };
        (used > 0).then_some(used)
    }

    fn leave_out(&mut self, from: u64, bytes: usize) {
        if bytes > 0 {
            self.notes.rest.get_or_insert((from, bytes, self.layout.frame()));
        }
    }

    fn chunk(&mut self, input: &[u8], described: bool, large: Option<u64>) -> Result<Option<usize>, StreamError> {
        let broken = |what| StreamError::Header { what, byte: self.at };
        let Some(head) = input.get(..wav::CHUNK) else { return Ok(None) };
        let (name, length) = (&head[..4], u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        if !wav::is_name(name) {
            return Err(broken("a chunk's name should be here, four letters"));
        }
        // Chunks begin at even bytes.
        let padded = u64::from(length) + u64::from(length % 2);
        let wanted = match name {
            b"data" if !described => return Err(broken("the chunk data comes before the chunk fmt")),
            b"data" => {
                let left = wav::data_length(length, large);
                self.pad = left.is_some_and(|left| left % 2 == 1);
                self.state = State::Sound { left };
                return Ok(Some(wav::CHUNK));
            }
            b"fmt " if length < 16 => return Err(broken("the chunk fmt has less than 16 bytes")),
            b"fmt " => wav::FORMAT.min(length as usize),
            b"ds64" => wav::SIZES.min(length as usize),
            _ => 0,
        };
        if padded > wav::CHUNK_MAX {
            return Err(broken("a chunk before the sound is longer than 1 MiB"));
        }
        let Some(chunk) = input.get(wav::CHUNK..wav::CHUNK + wanted) else { return Ok(None) };
        let (mut described, mut large) = (described, large);
        if name == b"fmt " {
            self.set(wav::layout(chunk, self.at + wav::CHUNK as u64)?)?;
            described = true;
        } else if let Some(size) = chunk.get(8..wav::SIZES)
            && name == b"ds64"
        {
            large = size.try_into().ok().map(u64::from_le_bytes);
        }
        let left = padded - wanted as u64;
        self.state = if left > 0 {
            State::Skip { left, described: Some(described), large }
        } else {
            State::Chunk { described, large }
        };
        Ok(Some(wav::CHUNK + wanted))
    }

    /// Behind the samples of a file stand other chunks, another file, or (where the header was wrong) more samples.
    fn behind(&mut self, input: &[u8], pad: bool) -> Option<usize> {
        if pad {
            self.state = State::Behind { pad: false };
            return Some(usize::from(input[0] == 0));
        }
        match wav::find(&input[..input.len().min(wav::MAGIC)]) {
            Found::At(_) => {
                self.state = State::Head;
                return Some(0);
            }
            Found::Rest(rest) if rest == input.len() => return None,
            Found::Rest(_) => {}
        }
        let head = input.get(..wav::CHUNK)?;
        if !wav::is_trailer(&head[..4]) {
            self.state = State::Sound { left: None };
            return Some(0);
        }
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let left = length + length % 2;
        self.state =
            if left > 0 { State::Skip { left, described: None, large: None } } else { State::Behind { pad: false } };
        Some(wav::CHUNK)
    }

    /// Takes a header's word, if that is what was promised.
    fn set(&mut self, layout: Layout) -> Result<(), StreamError> {
        let byte = self.at + wav::CHUNK as u64;
        let check = |field, header: String, promised: Option<String>| match promised {
            Some(promised) if promised != header => Err(StreamError::Contradiction { field, header, promised, byte }),
            _ => Ok(()),
        };
        let Promise { format, rate, channels } = self.promise;
        check("format", layout.format.to_string(), format.map(|it| it.to_string()))?;
        check("rate", layout.rate.to_string(), rate.map(|it| it.to_string()))?;
        check("channels", layout.channels.to_string(), channels.map(|it| it.to_string()))?;
        self.layout = layout;
        self.mix = mix(&layout);
        Ok(())
    }

    /// Gives out the whole frames in `bytes` and says how many bytes they were.
    fn sound(&mut self, bytes: &[u8], sound: &mut impl FnMut(u32, &[f32])) -> usize {
        /// Bytes that are read at a time, so that a whole file in one piece needs no second copy of itself.
        const PIECE: usize = 1 << 16;
        let frame = self.layout.frame();
        let whole = bytes.len() / frame * frame;
        let mut at = self.at;
        for piece in bytes[..whole].chunks((PIECE / frame).max(1) * frame) {
            self.samples.clear();
            let bad = self.layout.format.read(piece, &mut self.samples);
            if let Some(first) = bad.first {
                self.notes.not_finite.get_or_insert((at + first as u64, 0)).1 += bad.count;
            }
            at += piece.len() as u64;
            if self.layout.channels == 1 {
                sound(self.layout.rate, &self.samples);
                continue;
            }
            sound(self.layout.rate, self.mix.mix(&self.samples));
        }
        whole
    }
}

/// Many channels to one, so that no voice is lost.
fn mix(layout: &Layout) -> LiveMix {
    let count = usize::from(layout.channels);
    let known = layout.mask.map(|mask| Position::from_bits_truncate(mask.into()));
    let channels = match known {
        Some(positions) if positions.iter().count() == count => Channels::Positioned(positions),
        _ => Channels::Discrete(layout.channels),
    };
    let plain: Vec<f32> = stereo_weights(&channels).iter().map(|[left, right]| 0.5 * (left + right)).collect();
    LiveMix::of(layout.rate, &plain)
}

#[cfg(test)]
mod tests;
