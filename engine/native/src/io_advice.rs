//! What a user can do about an error of the file system, in place of its number.

use std::io::{Error, ErrorKind as Kind};

/// Why a file cannot be read, and what to do.
pub(crate) fn reading(error: &Error) -> String {
    let advice = match error.kind() {
        Kind::NotFound => "there is no such file; check its path",
        Kind::PermissionDenied => "permission denied; make it readable for you",
        Kind::IsADirectory => "it is a folder; give a file",
        Kind::NotADirectory => "a part of its path is a file, not a folder; check its path",
        Kind::InvalidFilename => "no file can have so long a name; check its path",
        _ => return words(error),
    };
    advice.into()
}

/// Why a file cannot be written, and what to do.
pub(crate) fn writing(error: &Error) -> String {
    let advice = match error.kind() {
        Kind::NotFound => "its folder does not exist; create it, or choose another",
        Kind::StorageFull => "the disk is full; free some space, or choose another disk",
        Kind::QuotaExceeded => "your disk quota is used up; free some space, or choose another disk",
        Kind::FileTooLarge => "the file would exceed the size limit of this disk or shell (ulimit -f)",
        Kind::PermissionDenied => "permission denied; choose a folder that you may write to",
        Kind::ReadOnlyFilesystem => "the file system is read-only; choose another folder",
        Kind::IsADirectory => "it is a folder; give a file name",
        Kind::NotADirectory => "a part of its path is a file, not a folder; choose another",
        Kind::InvalidFilename => "its name is longer than this disk allows; choose a shorter one",
        _ => return words(error),
    };
    advice.into()
}

/// The operating system's words without their number.
fn words(error: &Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).into()
}
