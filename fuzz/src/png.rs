//! Checksums of PNG chunks, wherever a PNG lies in a file.

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Makes every chunk's checksum right, until something is no chunk.
pub(crate) fn sign(bytes: &mut [u8]) {
    let starts: Vec<usize> =
        bytes.windows(SIGNATURE.len()).enumerate().filter(|(_, w)| *w == SIGNATURE).map(|(at, _)| at).collect();
    for start in starts {
        let mut at = start + SIGNATURE.len();
        while let Some(length) = bytes.get(at..at + 4) {
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let Some(chunk) = at.checked_add(8 + length).and_then(|end| bytes.get(at + 4..end)) else { break };
            let sum = crc32fast::hash(chunk).to_be_bytes();
            let end = at + 8 + length;
            let Some(place) = bytes.get_mut(end..end + 4) else { break };
            place.copy_from_slice(&sum);
            at = end + 4;
        }
    }
}
