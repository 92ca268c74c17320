//! Making room at the front of what has been written, in place and in bounded memory.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes that are moved at a time.
const BLOCK: usize = 1 << 20;

/// Moves the bytes from `start` to `end` towards the end of the file by `by` bytes. What lies where they were is left there.
pub(super) fn move_back(file: &mut (impl Read + Write + Seek), start: u64, end: u64, by: u64) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut left = end;
    // From the end on, so that nothing is written over before it has been read.
    while left > start {
        let size = (left - start).min(BLOCK as u64);
        left -= size;
        let bytes = &mut block[..size as usize];
        file.seek(SeekFrom::Start(left))?;
        file.read_exact(bytes)?;
        file.seek(SeekFrom::Start(left + by))?;
        file.write_all(bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn every_byte_arrives_whatever_the_distance() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 77).map(|i| (i * 31 % 251) as u8).collect();
        for by in [1, 1000, BLOCK as u64, 2 * BLOCK as u64 + 5] {
            let mut file = Cursor::new(bytes.clone());
            move_back(&mut file, 100, bytes.len() as u64, by).unwrap();
            let moved = file.into_inner();
            assert_eq!(moved[..100], bytes[..100]);
            assert!(moved[100 + by as usize..] == bytes[100..], "{by}");
        }
    }
}
