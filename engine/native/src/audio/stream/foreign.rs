//! Files of other kinds than WAV at the beginning of an utterance. Taken for samples they would be noise, as loud as can be.

/// What may be known of the beginning of an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Samples, or a WAV.
    Fine,
    /// A file of this kind.
    File(&'static str),
    /// It takes more bytes to say.
    More,
}

const KINDS: [(usize, &[u8], &str); 7] = [
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"ID3", "an MP3 file"),
    (4, b"ftyp", "an MP4 file"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file"),
    (0, b"FORM", "an AIFF file"),
    (0, b"caff", "a CAF file"),
];
/// Bytes that are held back at most until more is known. Longer frames are known only where they come whole in the first piece: sound must not wait.
const HELD: usize = 512;
/// Kilobits a second of layer III, by MPEG-1 and by MPEG-2 and 2.5.
const BITRATES: [[usize; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const RATES: [usize; 3] = [44_100, 48_000, 32_000];

pub(super) fn look(start: &[u8]) -> Start {
    let mut more = false;
    for (at, magic, name) in KINDS {
        let there = start.get(at..).unwrap_or_default();
        let seen = there.len().min(magic.len());
        if there[..seen] != magic[..seen] {
            continue;
        }
        if seen == magic.len() {
            return Start::File(name);
        }
        // Four letters that nothing has contradicted, or the bytes before them alone.
        more |= seen > 0;
    }
    // Frames without a header before them: two that agree are no chance.
    for (name, length) in [("an MP3 file", mp3(start)), ("an AAC file", aac(start))] {
        match length {
            Some(length) if start.len() < length + 4 => more |= length + 4 <= HELD,
            Some(length) if start[length] == 0xff && start[length + 1] == start[1] => return Start::File(name),
            _ => {}
        }
    }
    if more { Start::More } else { Start::Fine }
}

/// Bytes of the MPEG layer III frame that begins here, if one does (ISO/IEC 11172-3, 2.4.1.3).
fn mp3(start: &[u8]) -> Option<usize> {
    let [0xff, b, c, ..] = *start else { return None };
    let (version, layer) = (b >> 3 & 3, b >> 1 & 3);
    if b >> 5 != 7 || version == 1 || layer != 1 {
        return None;
    }
    let first = version == 3;
    let rate = RATES.get(usize::from(c >> 2 & 3))? >> [2, 0, 1, 0][usize::from(version)];
    let bits = *BITRATES[usize::from(!first)].get(usize::from(c >> 4)).filter(|bits| **bits > 0)?;
    Some(if first { 144 } else { 72 } * bits * 1000 / rate + usize::from(c >> 1 & 1))
}

/// Bytes of the AAC frame with an ADTS header that begins here, if one does (ISO/IEC 13818-7, 6.2).
fn aac(start: &[u8]) -> Option<usize> {
    let [0xff, b, _, d, e, f, ..] = *start else { return None };
    let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
    (b & 0xf6 == 0xf0 && length > 7).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_and_samples_are_not_taken_for_them() {
        // 128 kbit/s at 44.1 kHz; 24 kHz at 64 kbit/s, as text-to-speech sends it.
        for (head, length) in [([0xff, 0xfb, 0x90, 0x64], 417), ([0xff, 0xf3, 0x84, 0xc4], 192)] {
            let mut file = vec![0; length + 4];
            file[..4].copy_from_slice(&head);
            file[length..].copy_from_slice(&head);
            assert_eq!(look(&file), Start::File("an MP3 file"), "{head:x?}");
            assert_eq!(look(&file[..300.min(length)]), Start::More);
            file[length] = 0;
            assert_eq!(look(&file), Start::Fine, "one header may be chance");
        }
        let mut aac = vec![0; 304];
        aac[..7].copy_from_slice(&[0xff, 0xf1, 0x50, 0x80, 37, 0x9f, 0xfc]);
        let length = (37 << 3) | (0x9f >> 5);
        aac.resize(length + 4, 0);
        aac[length..length + 2].copy_from_slice(&[0xff, 0xf1]);
        assert_eq!(look(&aac), Start::File("an AAC file"));
        assert_eq!(look(b"OggS\0\x02"), Start::File("an Ogg file"));
        assert_eq!(look(b"\0\0\0\x20ftypM4A "), Start::File("an MP4 file"));
        assert_eq!(look(b"Og"), Start::More);
        for samples in [&b"\0\0\0\0\0\0\0\0"[..], b"RIFF\0\0\0\0WAVE", b"\xff\xff\xff\xff\xff\xff", b"", b"\x01\x02"] {
            assert_eq!(look(samples), Start::Fine, "{samples:x?}");
        }
    }
}
