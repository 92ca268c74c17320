//! Edit lists of MP4 and MOV (ISO/IEC 14496-12, section 8.6.6): how much at the start of a track only warms the decoder up. Symphonia leaves
//! them out, and an AAC track would then come 20 to 50 ms late. On the way, fragments are looked at: it would count to what they claim, however much that is.

use std::io::{Result, Seek as _, SeekFrom};

use symphonia::core::io::MediaSource as _;

use super::input::Input;

/// Boxes that are looked at, at most; a file with more than these in its way is read without edit lists.
const BOXES: usize = 4096;

/// What is left out at the start of a track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edit {
    /// The track's id.
    pub(super) track: u32,
    /// Seconds.
    pub(super) start: f64,
}

/// What was found in a file.
#[derive(Default)]
pub(super) struct Found {
    pub(super) edits: Vec<Edit>,
    /// Samples that a fragment claims to have, where these are more than the file has bytes.
    pub(super) absurd: Option<u64>,
}

/// The edits of a file that can be read backwards. Leaves the input at its start.
pub(super) fn read(input: &mut Input) -> Result<Found> {
    let mut found = Found::default();
    if input.is_seekable() && input.peek(8)?.get(4..8) == Some(b"ftyp") {
        let end = input.byte_len().unwrap_or(0);
        let mut walk = Walk { boxes: 0, bytes: end, track: Track::default(), found };
        walk.boxes_until(input, end, 0)?;
        found = walk.found;
        input.seek(SeekFrom::Start(0))?;
    }
    Ok(found)
}

#[derive(Default)]
struct Track {
    id: Option<u32>,
    ticks_a_second: Option<u32>,
    /// Ticks before the first edit that has sound.
    start: Option<u64>,
}

struct Walk {
    boxes: usize,
    /// Of the whole file.
    bytes: u64,
    track: Track,
    found: Found,
}

impl Walk {
    /// The boxes from here to `end`, and those in them. No box that matters is deeper than three.
    fn boxes_until(&mut self, input: &mut Input, end: u64, depth: usize) -> Result<()> {
        while input.position() + 8 <= end && self.boxes < BOXES {
            self.boxes += 1;
            let start = input.position();
            let Some(head) = input.bytes::<8>()? else { return Ok(()) };
            let mut size = number(&head[..4]);
            if size == 1 {
                let Some(large) = input.bytes::<8>()? else { return Ok(()) };
                size = number(&large);
            }
            let next = match size {
                0 => end,
                size => start.saturating_add(size).min(end),
            };
            if next < input.position() {
                return Ok(());
            }
            match &head[4..] {
                b"moov" | b"edts" | b"mdia" | b"moof" | b"traf" if depth < 3 => {
                    self.boxes_until(input, next, depth + 1)?
                }
                b"trak" if depth < 3 => {
                    self.track = Track::default();
                    self.boxes_until(input, next, depth + 1)?;
                    self.end_track();
                }
                b"tkhd" | b"mdhd" | b"elst" | b"trun" => {
                    let length = (next - input.position()).min(1 << 12);
                    let mut content = vec![0; length as usize];
                    let got = input.fill(&mut content)?;
                    self.content(&head[4..], &content[..got]);
                }
                _ => {}
            }
            input.seek(SeekFrom::Start(next))?;
        }
        Ok(())
    }

    fn content(&mut self, name: &[u8], content: &[u8]) {
        let Some(large) = content.first().map(|version| *version == 1) else { return };
        let four = |at: usize| content.get(at..at + 4).map(number);
        match name {
            b"tkhd" => self.track.id = four(if large { 20 } else { 12 }).map(|id| id as u32),
            b"trun" => self.found.absurd = self.found.absurd.or(four(4).filter(|samples| *samples > self.bytes)),
            b"mdhd" => self.track.ticks_a_second = four(if large { 20 } else { 12 }).map(|ticks| ticks as u32),
            _ => {
                let size = if large { 20 } else { 12 };
                let entries = content.get(8..).unwrap_or_default().chunks_exact(size);
                let mut starts = entries.map(|entry| if large { number(&entry[8..16]) } else { number(&entry[4..8]) });
                // An entry without a place in the track is a pause before it.
                let pause = if large { u64::MAX } else { u64::from(u32::MAX) };
                self.track.start = starts.find(|start| *start != pause);
            }
        }
    }

    fn end_track(&mut self) {
        if let Track { id: Some(track), ticks_a_second: Some(ticks @ 1..), start: Some(start) } = self.track {
            self.found.edits.push(Edit { track, start: start as f64 / f64::from(ticks) });
        }
    }
}

/// A big-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
