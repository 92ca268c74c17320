//! Whether a path leads to something that can be heard at all: a device or a socket would be read without end.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a path is no sound.
#[derive(Debug, Error)]
pub enum NoSound {
    /// It has no end, or cannot be opened.
    #[error("{} is {kind}, not a sound; give a file", .path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It can be read once only, and is to be read again and again.
    #[error("{} is a pipe, which can be heard once only; give a file", .0.display())]
    Once(PathBuf),
}

/// A sound must be a file or a pipe. One that is not there is told by who opens it.
///
/// # Errors
/// It is something that has no end or cannot be opened.
pub fn check_sound(path: &Path) -> Result<(), NoSound> {
    let kind = fs::metadata(path).ok().and_then(|metadata| no_sound(&metadata));
    kind.map_or(Ok(()), |kind| Err(NoSound::Kind { path: path.to_owned(), kind }))
}

/// A sound that is read again and again must be a file.
///
/// # Errors
/// It is something that can be read once only.
pub fn check_repeatable(path: &Path) -> Result<(), NoSound> {
    check_sound(path)?;
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Err(NoSound::Once(path.to_owned()));
    }
    Ok(())
}

#[cfg(unix)]
fn no_sound(metadata: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    if kind.is_socket() {
        return Some("a socket");
    }
    (kind.is_char_device() || kind.is_block_device()).then_some("a device")
}

#[cfg(not(unix))]
fn no_sound(_: &Metadata) -> Option<&'static str> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_no_sound() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let _listener = std::os::unix::net::UnixListener::bind(at("socket.wav")).unwrap();
        for (path, word) in [(Path::new("/dev/zero"), "a device"), (&at("socket.wav"), "a socket")] {
            let text = check_sound(path).unwrap_err().to_string();
            assert!(text.contains(word) && text.contains("give a file"), "{text}");
        }
        fs::write(at("in.wav"), "sound").unwrap();
        check_repeatable(&at("in.wav")).unwrap();
        check_repeatable(&at("none.wav")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe.wav")).status().unwrap().success());
        check_sound(&at("pipe.wav")).unwrap();
        assert!(check_repeatable(&at("pipe.wav")).unwrap_err().to_string().contains("once only"));
    }
}
