//! What a file is, by its first bytes; and what to do with one that is no picture, or none that is read here.

/// Marks of videos beside MP4's, and where they stand: QuickTime, Matroska and WebM, AVI, Flash, MPEG, Windows Media.
const FILMS: [(usize, &[u8]); 9] = [
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1a\x45\xdf\xa3"),
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"\0\0\x01\xba"),
    (0, b"\0\0\x01\xb3"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
];

/// A format of pictures that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    Gif,
    WebP,
    Bmp,
    Tiff,
}

impl Kind {
    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }

    /// The format of these bytes; or the end of a sentence that begins with the file's name. `file` stands in commands that help.
    pub(super) fn of(bytes: &[u8], file: &str) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("is empty; copy it again".into());
        }
        let starts = |mark: &[u8]| bytes.starts_with(mark);
        let at = |from: usize, mark: &[u8]| bytes.get(from..from + mark.len()) == Some(mark);
        if starts(&[0xff, 0xd8, 0xff]) {
            return Ok(Self::Jpeg);
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self::Png);
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            return Ok(Self::Gif);
        } else if starts(b"RIFF") && at(8, b"WEBP") {
            return Ok(Self::WebP);
        } else if (starts(b"II*\0") || starts(b"MM\0*")) && !at(8, b"CR") {
            return Ok(Self::Tiff);
        } else if starts(b"BM") && bytes.len() >= 26 && at(6, &[0; 4]) {
            return Ok(Self::Bmp);
        }
        let convert = |what: &str| format!("is {what}, which is not read here; convert it: magick {file} photo.png");
        let film = |what: &str| {
            format!("is {what}, not a photo; take a picture out of it: ffmpeg -ss 1 -i {file} -frames:v 1 photo.png")
        };
        Err(if at(4, b"ftyp") {
            match bytes.get(8..12).unwrap_or_default() {
                b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => format!(
                    "is a HEIC picture, which is not read here; convert it: magick {file} photo.jpg (or heif-convert, or let the phone save JPEG: Settings, Camera, Formats, Most Compatible)"
                ),
                b"avif" | b"avis" => convert("an AVIF picture"),
                b"crx " => convert("a camera's raw picture"),
                b"M4A " | b"M4B " => "is a sound, not a photo; give a picture".into(),
                _ => film("a video"),
            }
        } else if FILMS.iter().any(|(from, mark)| at(*from, mark)) {
            film("a video")
        } else if starts(b"RIFF") && at(8, b"WAVE") || starts(b"ID3") || starts(b"OggS") || starts(b"fLaC") {
            "is a sound, not a photo; give a picture".into()
        } else if starts(&[0xff, 0x0a]) || at(4, b"JXL \r\n") {
            convert("a JPEG XL picture")
        } else if at(4, b"jP  \r\n") || starts(&[0xff, 0x4f, 0xff, 0x51]) {
            convert("a JPEG 2000 picture")
        } else if starts(b"8BPS") {
            convert("a Photoshop document")
        } else if starts(b"II*\0") || starts(b"FUJIFILMCCD-RAW") || starts(b"IIU\0") || starts(b"IIRO") {
            convert("a camera's raw picture")
        } else if starts(b"II+\0") || starts(b"MM\0+") {
            convert("a BigTIFF")
        } else if starts(&[0, 0, 1, 0]) {
            convert("an icon")
        } else if starts(b"%PDF") {
            format!("is a PDF, not a photo; make a picture of its page: pdftoppm -r 300 -png {file} photo")
        } else if starts(b"PK\x03\x04") {
            "is a ZIP archive or a document; take the photo out of it".into()
        } else if bytes.get(8) == Some(&b'{') && at(9, b"\"") {
            "is no photo but weights or an avatar; use an avatar by --avatar".into()
        } else {
            text(bytes)
        })
    }
}

/// What is to be said of text, or of what nobody knows.
fn text(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(1024)];
    // The end may be in the middle of a character.
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() + 4 > start.len() => {
            str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    };
    let readable = |c: char| !c.is_control() || c.is_whitespace();
    if text.contains("<svg") {
        "is a drawing (SVG), not a photo; save it as PNG from a browser or Inkscape".into()
    } else if text.to_ascii_lowercase().contains("<html") {
        "is a web page, not a photo; save the picture that is on it".into()
    } else if !text.is_empty() && text.chars().all(readable) {
        "is a text, not a photo; give a JPEG, PNG, WebP, GIF, BMP or TIFF".into()
    } else {
        "is no picture that is known here; save it as JPEG or PNG".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_photo_is_called_by_its_name() {
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC picture"),
            (b"\0\0\0\x18ftypavif\0\0\0\0", "is an AVIF picture"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "is a video"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", "is a video"),
            (b"\x1a\x45\xdf\xa3\x01\0\0\0", "is a video"),
            (b"RIFF\0\0\0\0AVI LIST", "is a video"),
            (b"RIFF\0\0\0\0WAVEfmt ", "is a sound"),
            (b"%PDF-1.7\n", "is a PDF"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=", "is a drawing (SVG)"),
            (b"<!DOCTYPE html>\n<html>", "is a web page"),
            ("Grüße, liebe Leser".as_bytes(), "is a text"),
            (b"PK\x03\x04\x14\0", "is a ZIP archive"),
            (b"\x40\0\0\0\0\0\0\0{\"alpha\":", "an avatar"),
            (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw picture"),
            (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09", "is no picture that is known"),
            (b"\0", "is no picture that is known"),
        ] {
            let text = Kind::of(bytes, "me.x").expect_err(words);
            assert!(text.contains(words), "{bytes:?}: {text}");
        }
        assert_eq!(Kind::of(b"\xff\xd8\xff\xe1", "x"), Ok(Kind::Jpeg));
        assert_eq!(Kind::of(b"MM\0*\0\0\0\x08", "x"), Ok(Kind::Tiff));
    }
}
