//! The secret that clients have to send.
//!
//! Any text may be one, as long as it can be sent: HTTP cuts white space off at the ends of a header, and control characters cannot stand in
//! one. What is not a letter or a digit may be percent-encoded in a header, a sub-protocol or an address, and has to be where it could not
//! stand otherwise; the page always does so.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use subtle::{Choice, ConstantTimeEq as _};

/// Longest token, bytes: encoded, it still fits into an address and a header.
const LONGEST: usize = 1024;
/// Shorter ones can be guessed, characters.
const SHORT: usize = 8;
/// What stands for itself in every part of an address (RFC 3986's unreserved characters) and in a sub-protocol.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// See the module's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// `from` says where the text comes from.
    ///
    /// # Errors
    /// What is wrong with it as a token, and where it is from.
    pub fn new(text: &str, from: &str) -> Result<Self> {
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        if text.chars().all(blank) {
            bail!("the token in {from} is empty: give a secret (openssl rand -hex 16 makes one), or leave it out");
        }
        if text.starts_with(blank) || text.ends_with(blank) {
            bail!("the token in {from} begins or ends with white space, which headers do not carry: take it away");
        }
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            bail!(
                "the token in {from} holds the control character {:#04x}, which headers do not carry: take it out",
                bad as u32
            );
        }
        if text.len() > LONGEST {
            bail!("the token in {from} is longer than {LONGEST} bytes: take a shorter one");
        }
        Ok(Self(text.into()))
    }

    /// The first line of a file that has no other.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else than a token.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let reading = || format!("cannot read the token file {name}");
        let kind = std::fs::metadata(path).with_context(reading)?;
        if !kind.is_file() {
            let what = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
            bail!("the token file {name} is {what}: give an ordinary file with the token in it");
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST as u64 + 8).read_to_end(&mut bytes))
            .with_context(reading)?;
        if bytes.len() > LONGEST + 5 {
            bail!("the token file {name} is longer than {LONGEST} bytes: it should hold the token and nothing else");
        }
        let Ok(text) = String::from_utf8(bytes) else {
            bail!("the token file {name} is not text in UTF-8: it should hold the token and nothing else");
        };
        // Editors end a file with a line's end, and some begin it with a mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self::new(text.strip_suffix('\r').unwrap_or(text), &name.to_string())
    }

    /// Whether others than the file's owner can read it, with what to do about that.
    #[cfg(unix)]
    pub fn readable_by_others(path: &Path) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        let name = path.display();
        (mode & 0o077 != 0)
            .then(|| format!("other users may read the token file {name} (mode {mode:o}): chmod 600 {name}"))
    }

    /// Who can read a file is not known here.
    #[cfg(not(unix))]
    pub fn readable_by_others(_: &Path) -> Option<String> {
        None
    }

    /// Says if it is easily guessed.
    pub fn weakness(&self) -> Option<String> {
        let count = self.0.chars().count();
        let advice = "a longer one is harder to guess (openssl rand -hex 16 makes one)";
        (count < SHORT).then(|| format!("the token has only {count} characters: {advice}"))
    }

    /// Whether this was given: as it is, percent-encoded, or in Latin-1, as browsers and some libraries write headers. Compares in a time that
    /// does not tell how much of the token was right.
    pub fn is(&self, given: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let decoded: Vec<u8> = percent_decode(given).collect();
        let latin: String = given.iter().map(|byte| char::from(*byte)).collect();
        let any: Choice = given.ct_eq(token) | decoded.ct_eq(token) | latin.as_bytes().ct_eq(token);
        any.into()
    }

    /// As it stands in an address.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, ENCODED).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens as people make them.
    const TOKENS: [&str; 12] = [
        "s3cret!!",
        "a+b/c=",
        "100%",
        "100%25",
        "a b c",
        "ä€😀",
        "#?&=",
        "\"quoted\"",
        "a,b;c",
        "bearer.x",
        "()<>@[]{}",
        "..%2F..",
    ];

    #[test]
    fn any_token_is_known_as_it_is_and_encoded() {
        for text in TOKENS {
            let token = Token::new(text, "a test").unwrap();
            assert!(token.is(text.as_bytes()) && token.is(token.encoded().as_bytes()), "{text}");
            assert!(token.encoded().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{text}");
            for other in TOKENS.iter().filter(|other| **other != text && !(text == "100%" && **other == "100%25")) {
                assert!(!token.is(other.as_bytes()), "{other} passes for {text}");
            }
            let (last, _) = text.char_indices().next_back().unwrap();
            assert!(!token.is(&text.as_bytes()[..last]) && !token.is(b""));
        }
        assert!(Token::new("ä", "a test").unwrap().is(&[0xe4]), "Latin-1");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (text, words) in [
            ("", "is empty"),
            (" \t", "is empty"),
            ("\u{feff}", "is empty"),
            (" a", "white space"),
            ("a\n", "white space"),
            ("a\u{a0}", "white space"),
            ("a\nb", "0x0a"),
            ("a\0b", "0x00"),
            ("a\u{7f}b", "0x7f"),
            (&"x".repeat(1025), "longer than 1024"),
        ] {
            let error = Token::new(text, "--token").unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("--token"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_holds_a_token_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for text in ["s3cret", "s3cret\n", "s3cret\r\n", "\u{feff}s3cret\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Token::read(&path).unwrap(), Token::new("s3cret", "").unwrap(), "{text:?}");
        }
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"two\nlines\n", "0x0a"),
            (b"\xff\xfe\0", "not text"),
            (&[b'x'; 5000], "longer than 1024"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Token::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(path.to_str().unwrap()), "{error}");
        }
        assert!(Token::read(dir.path()).unwrap_err().to_string().contains("is a folder"));
        assert!(format!("{:#}", Token::read(&dir.path().join("none")).unwrap_err()).contains("cannot read"));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_are_refused_and_open_files_are_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(Token::read(&pipe).unwrap_err().to_string().contains("is a pipe"));
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cret").unwrap();
        for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Token::readable_by_others(&path).is_some(), told, "{mode:o}");
        }
    }

    #[test]
    fn it_is_not_printed_by_accident() {
        assert_eq!(format!("{:?}", Token::new("s3cret", "").unwrap()), "Token(…)");
    }
}
