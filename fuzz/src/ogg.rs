//! Checksums of OGG pages (RFC 3533, section 6): CRC-32 with polynomial 0x04c11db7, not reflected, from zero.

const CAPTURE: &[u8] = b"OggS";
const CHECKSUM: std::ops::Range<usize> = 22..26;
const HEADER: usize = 27;

/// Makes every page's checksum right.
pub(crate) fn sign(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(next) = bytes[at..].windows(4).position(|w| w == CAPTURE) {
        at += next;
        let Some(&segments) = bytes.get(at + HEADER - 1) else { return };
        let table = at + HEADER..at + HEADER + usize::from(segments);
        let Some(sizes) = bytes.get(table.clone()) else { return };
        let end = table.end + sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
        let Some(page) = bytes.get_mut(at..end) else { return };
        page[CHECKSUM].fill(0);
        let sum = checksum(page);
        page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
}

fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_signed() {
        // The catalogue's check value of CRC-32/CKSUM, whose only difference is that it is inverted at the end.
        assert_eq!(checksum(b"123456789"), !0x765e_7680);
        let mut page = b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xaa\xaa\xaa\xaa\x01\x01A".to_vec();
        sign(&mut page);
        let signed: [u8; 4] = page[CHECKSUM].try_into().unwrap();
        page[CHECKSUM].fill(0);
        assert_eq!(signed, checksum(&page).to_le_bytes());
    }
}
