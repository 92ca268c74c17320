//! The bytes of a file: a part of it, with a look ahead, whether or not it can be read backwards.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Bytes from some point of a file on. Its position counts from there.
pub(super) struct Input {
    source: Box<dyn MediaSource>,
    seekable: bool,
    /// Where in the file it begins.
    start: u64,
    /// Its length, where that is known.
    length: Option<u64>,
    /// Position of the next byte.
    at: u64,
    /// Bytes that have been looked at, and how many of them have been read since.
    ahead: Vec<u8>,
    read: usize,
}

impl Input {
    /// The whole of a file.
    pub(super) fn new(source: Box<dyn MediaSource>) -> Self {
        let seekable = source.is_seekable();
        // A pipe says that it has no bytes.
        let length = source.byte_len().filter(|_| seekable);
        Self { source, seekable, start: 0, length, at: 0, ahead: Vec::new(), read: 0 }
    }

    /// From here on, at most `length` bytes.
    pub(super) fn window(mut self, length: Option<u64>) -> Self {
        let rest = self.rest();
        self.start += self.at;
        self.at = 0;
        self.length = match (rest, length) {
            (Some(rest), Some(length)) => Some(rest.min(length)),
            (rest, length) => rest.or(length),
        };
        self
    }

    /// Position of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Bytes from here to the end, where that is known.
    pub(super) fn rest(&self) -> Option<u64> {
        self.length.map(|length| length.saturating_sub(self.at))
    }

    /// The next bytes, as many as there are up to `count`, without reading them.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        self.ahead.drain(..self.read);
        self.read = 0;
        let count = self.rest().map_or(count, |rest| count.min(usize::try_from(rest).unwrap_or(usize::MAX)));
        if self.ahead.len() < count {
            let missing = (count - self.ahead.len()) as u64;
            self.source.by_ref().take(missing).read_to_end(&mut self.ahead)?;
        }
        Ok(&self.ahead[..count.min(self.ahead.len())])
    }

    /// Leaves out the next bytes. Says whether there were so many.
    pub(super) fn skip(&mut self, count: u64) -> Result<bool> {
        if self.rest().is_some_and(|rest| rest < count) {
            return Ok(false);
        }
        if self.seekable {
            self.seek(SeekFrom::Start(self.at.saturating_add(count)))?;
            return Ok(true);
        }
        Ok(std::io::copy(&mut self.by_ref().take(count), &mut std::io::sink())? == count)
    }

    /// The next `N` bytes, or `None` at the end.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        Ok((self.fill(&mut bytes)? == N).then_some(bytes))
    }

    /// Reads until `buffer` is full or the end is there. Says how many bytes were read.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let room =
            self.rest().map_or(buffer.len(), |rest| buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX)));
        let buffer = &mut buffer[..room];
        let looked_at = &self.ahead[self.read..];
        let count = if looked_at.is_empty() {
            self.source.read(buffer)?
        } else {
            let count = looked_at.len().min(buffer.len());
            buffer[..count].copy_from_slice(&looked_at[..count]);
            self.read += count;
            count
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.length.ok_or(ErrorKind::Unsupported)?, by),
        };
        let at = base.checked_add_signed(by).ok_or(ErrorKind::InvalidInput)?;
        if !self.seekable {
            return Err(Error::from(ErrorKind::NotSeekable));
        }
        self.source.seek(SeekFrom::Start(self.start.checked_add(at).ok_or(ErrorKind::InvalidInput)?))?;
        self.ahead.clear();
        self.read = 0;
        self.at = at;
        Ok(at)
    }
}

impl MediaSource for Input {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.length
    }
}
