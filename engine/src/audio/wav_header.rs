//! WAV files whose header does not know how long they are.
//!
//! A program that writes a WAV into a pipe cannot go back to its header: ffmpeg leaves the largest number there, SoX and
//! `arecord` one near 2 GiB, others 0, and a recorder that was killed leaves what it began with. Such a file is complete all the
//! same: it ends where its bytes end.

use std::io::{Cursor, Read, Result, SeekFrom};

use symphonia::core::io::{MediaSource, ReadOnlySource};

/// Longest header that is looked through, bytes.
const HEADER_MAX: usize = 1 << 20;
const UNKNOWN: [u8; 4] = u32::MAX.to_le_bytes();

/// Looks at the header of `source`. Gives back what is to be read in its place, and whether it is a WAV without a known length;
/// the lengths in its header are then those that the decoder takes for unknown.
pub(super) fn look(mut source: Box<dyn MediaSource>) -> Result<(Box<dyn MediaSource>, bool)> {
    let mut head = Vec::new();
    let length = source.byte_len();
    let unknown = read_to_data(&mut source, &mut head)? && is_unknown(&head, length);
    if unknown {
        let size = head.len() - 4;
        head[4..8].copy_from_slice(&UNKNOWN);
        head[size..].copy_from_slice(&UNKNOWN);
    } else if source.is_seekable() {
        source.seek(SeekFrom::Start(0))?;
        return Ok((source, false));
    }
    Ok((Box::new(ReadOnlySource::new(Cursor::new(head).chain(source))), unknown))
}

/// Reads as far as the length of the `data` chunk, or as far as it is clear that there is none.
fn read_to_data(source: &mut impl Read, head: &mut Vec<u8>) -> Result<bool> {
    let mut read = |bytes: usize, head: &mut Vec<u8>| -> Result<bool> {
        Ok(head.len() + bytes <= HEADER_MAX && source.by_ref().take(bytes as u64).read_to_end(head)? == bytes)
    };
    if !read(12, head)? || &head[..4] != b"RIFF" || &head[8..12] != b"WAVE" {
        return Ok(false);
    }
    while read(8, head)? {
        let at = head.len() - 8;
        if &head[at..at + 4] == b"data" {
            return Ok(true);
        }
        // Chunks begin at even bytes.
        let size = number(head, at + 4) as usize;
        if !read(size + size % 2, head)? {
            break;
        }
    }
    Ok(false)
}

/// `head` ends with the length of the `data` chunk; `file` is the length of the whole, where that is known.
fn is_unknown(head: &[u8], file: Option<u64>) -> bool {
    let (whole, data) = (u64::from(number(head, 4)), number(head, head.len() - 4));
    let end = head.len() as u64;
    match data {
        // An empty chunk may have others behind it; then the length of the whole says so.
        0 => whole == u64::from(u32::MAX) || whole + 8 <= end,
        0x7fff_0000..=0x8000_0000 | 0xffff_0000.. => file.is_none_or(|file| end + u64::from(data) > file),
        _ => false,
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}
