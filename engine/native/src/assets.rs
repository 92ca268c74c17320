//! Finding weights, avatars and the sample speech.
//!
//! Search order, file by file:
//! 1. the folder given by `--weights DIR`, else by the environment variable `VULTUS_WEIGHTS`. When one is given it must hold
//!    every file that is asked for: nothing is silently taken from elsewhere;
//! 2. a folder `weights` beside the executable;
//! 3. the copies embedded in the executable.
//!
//! A file from a folder is checked against the SHA-256 in that folder's `manifest.toml`, or, where the folder has none, in the
//! embedded one. A file that no manifest mentions is taken as it is: it is the user's own.
//!
//! Files are read within bounds, and only if they are files: [`WEIGHTS_BYTES`], [`AVATAR_BYTES`] (also for the sample speech),
//! [`MANIFEST_BYTES`]; a file whose length is not the manifest's is not read at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use vultus::avatar::{AvatarError, AvatarFile};
use vultus::weights::{WeightError, WeightReader};

use crate::{io_advice, names};

/// The environment variable that names a weights folder.
pub const WEIGHTS_VARIABLE: &str = "VULTUS_WEIGHTS";
/// The avatar that is used where none is named.
pub const DEFAULT_AVATAR: &str = "amara";
/// Weights of the face model.
pub const FACE: &str = "face.safetensors";
/// Weights of the motion network.
pub const EAC: &str = "eac.safetensors";
/// Weights of the network that corrects fits.
pub const ALIGN: &str = "align.safetensors";
/// The sample speech.
pub const SAMPLE: &str = "sample.wav";
const MANIFEST: &str = "manifest.toml";
/// Longest weights file that is read, bytes.
pub const WEIGHTS_BYTES: u64 = 512 << 20;
/// Longest avatar that is read, bytes: two pictures of 2048² that cannot be packed have 16 MiB.
pub const AVATAR_BYTES: u64 = 32 << 20;
/// Longest manifest that is read, bytes: thousands of files.
pub const MANIFEST_BYTES: u64 = 1 << 20;

/// `(path below weights/, content)`, written by the build script.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Why a file could not be had.
#[derive(Debug, Error)]
pub enum AssetError {
    /// The folder given by the user is not there.
    #[error("the weights folder {} does not exist; check --weights and ${WEIGHTS_VARIABLE}", .0.display())]
    NoFolder(PathBuf),
    /// The folder given by the user lacks a file.
    #[error("{} has no {path}; copy it there, or leave out --weights and ${WEIGHTS_VARIABLE} to use the built-in copy", .dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// Path below it.
        path: String,
    },
    /// This build does not embed the file and no folder has it.
    #[error("{0} is neither in a weights folder nor built in; give its folder by --weights or ${WEIGHTS_VARIABLE}")]
    NotEmbedded(String),
    /// The file differs from the manifest.
    #[error("{} has SHA-256 {got}, but the manifest says {expected}; copy the file again or correct manifest.toml", .file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// Hex digest in the manifest.
        expected: String,
        /// Hex digest of the file.
        got: String,
    },
    /// The file has another length than in the manifest.
    #[error("{} has {got} bytes, but the manifest says {expected}; copy the file again or correct manifest.toml", .file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// Bytes in the manifest.
        expected: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// The file is longer than any of its kind.
    #[error("{} has more than {limit} bytes, which is more than is read; it is another kind of file: give the right one", .file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
        /// Bytes that are read at most.
        limit: u64,
    },
    /// The manifest cannot be read.
    #[error("{file} is not a valid manifest: {reason}")]
    Manifest {
        /// Where it was read from.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// Reading a file failed.
    #[error("cannot read {}: {}", .file.display(), io_advice::reading(.cause))]
    Read {
        /// The file.
        file: PathBuf,
        /// The operating system's answer.
        cause: std::io::Error,
    },
    /// A picture, where an avatar was meant.
    #[error("{file} is a picture; make an avatar of it first: vultus enrol {file} -o me.avatar", file = .0.display())]
    Picture(PathBuf),
    /// No avatar has this name.
    #[error("{}", names::unknown("avatar", .name, &.known.iter().map(String::as_str).collect::<Vec<_>>(), "an .avatar file"))]
    UnknownAvatar {
        /// What was asked for.
        name: String,
        /// Every name that would have done, sorted.
        known: Vec<String>,
    },
    /// The file is no good as weights.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The file is no good as an avatar.
    #[error(transparent)]
    Avatar(#[from] AvatarError),
}

/// Where a file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a folder.
    File(PathBuf),
    /// In the executable.
    Embedded,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Embedded => f.write_str("built in"),
        }
    }
}

/// One line of the manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct ManifestFile {
    /// Path below the weights folder (`name` in the manifest).
    #[serde(rename = "name")]
    pub path: String,
    /// Hex digest of the whole file.
    pub sha256: String,
    /// Length of the file.
    pub bytes: u64,
    /// SPDX expression.
    #[serde(default)]
    pub licence: String,
    /// What it was made from.
    #[serde(default)]
    pub source: String,
    /// The command that makes it.
    #[serde(default)]
    pub how: String,
}

#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    file: Vec<ManifestFile>,
}

/// One file as [`Assets::verify`] found it.
#[derive(Debug)]
pub struct AssetCheck {
    /// Path below the weights folder.
    pub path: String,
    /// What the manifest says about it.
    pub entry: Option<ManifestFile>,
    /// Where it is, or why it is no good.
    pub result: Result<Source, AssetError>,
}

/// The places to look in. See the module's text for the order.
#[derive(Clone, Debug)]
pub struct Assets {
    explicit: Option<PathBuf>,
    beside: Option<PathBuf>,
}

impl Assets {
    /// Looks in `folder` if given, else in `$VULTUS_WEIGHTS` if set; beside the executable; in the executable.
    ///
    /// # Errors
    /// [`AssetError::NoFolder`] when a given folder is not there.
    pub fn locate(folder: Option<&Path>) -> Result<Self, AssetError> {
        let explicit = match folder {
            Some(folder) => Some(folder.to_owned()),
            None => std::env::var_os(WEIGHTS_VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from),
        };
        if let Some(folder) = explicit.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(AssetError::NoFolder(folder.clone()));
        }
        let beside =
            std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("weights"))).filter(|d| d.is_dir());
        Ok(Self { explicit, beside })
    }

    /// Only what the executable embeds.
    pub fn embedded() -> Self {
        Self { explicit: None, beside: None }
    }

    /// Where a file would be read from.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn find(&self, path: &str) -> Result<Source, AssetError> {
        if let Some(dir) = &self.explicit {
            let file = dir.join(path);
            return if file.is_file() {
                Ok(Source::File(file))
            } else {
                Err(AssetError::Missing { dir: dir.clone(), path: path.into() })
            };
        }
        if let Some(file) = self.beside.as_ref().map(|dir| dir.join(path)).filter(|file| file.is_file()) {
            return Ok(Source::File(file));
        }
        embedded(path).map(|_| Source::Embedded).ok_or_else(|| AssetError::NotEmbedded(path.into()))
    }

    /// Reads a file by its path below the weights folder; checks its checksum unless it is embedded.
    ///
    /// # Errors
    /// When it is nowhere, unreadable, or differs from the manifest.
    pub fn read(&self, path: &str) -> Result<Cow<'static, [u8]>, AssetError> {
        match self.find(path)? {
            Source::Embedded => Ok(Cow::Borrowed(embedded(path).ok_or_else(|| AssetError::NotEmbedded(path.into()))?)),
            Source::File(file) => {
                let entry = self.manifest()?.into_iter().find(|entry| entry.path == path);
                if let Some(expected) = entry.as_ref().map(|entry| entry.bytes) {
                    let got =
                        fs::metadata(&file).map_err(|cause| AssetError::Read { file: file.clone(), cause })?.len();
                    if got != expected {
                        return Err(AssetError::Length { file, expected, got });
                    }
                }
                let limit = if path.ends_with(".safetensors") { WEIGHTS_BYTES } else { AVATAR_BYTES };
                let bytes = read_file(&file, limit)?;
                if let Some(entry) = entry {
                    check_sum(&file, &bytes, &entry.sha256)?;
                }
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Opens a weights file, for instance `face.safetensors`.
    ///
    /// # Errors
    /// As [`Self::read`], or when it is not a whole safetensors file.
    pub fn weights(&self, path: &str) -> Result<WeightReader, AssetError> {
        let shown = self.find(path)?;
        let name = if shown == Source::Embedded { format!("{path} (built in)") } else { shown.to_string() };
        Ok(WeightReader::new(name, self.read(path)?)?)
    }

    /// Opens an avatar: a file where `name_or_file` has a folder or the ending `.avatar`, else one of [`Self::avatars`].
    ///
    /// # Errors
    /// [`AssetError::UnknownAvatar`], or what is wrong with the file.
    pub fn avatar(&self, name_or_file: &str) -> Result<AvatarFile, AssetError> {
        let as_path = Path::new(name_or_file);
        let file = || {
            let bytes = read_file(as_path, AVATAR_BYTES)?;
            // Pictures are what people try first.
            match image::guess_format(&bytes) {
                Ok(_) => Err(AssetError::Picture(as_path.to_owned())),
                Err(_) => Ok(AvatarFile::parse(name_or_file, bytes)?),
            }
        };
        if as_path.extension().is_some_and(|e| e == "avatar") || as_path.components().count() > 1 {
            return file();
        }
        let known = self.avatars()?;
        if !known.iter().any(|name| name == name_or_file) {
            // What is there is a file that was meant, and it says itself what is wrong with it.
            if as_path.exists() {
                return file();
            }
            return Err(AssetError::UnknownAvatar { name: name_or_file.into(), known });
        }
        let path = format!("avatars/{name_or_file}.avatar");
        Ok(AvatarFile::parse(&path, self.read(&path)?)?)
    }

    /// Names of all avatars, sorted.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn avatars(&self) -> Result<Vec<String>, AssetError> {
        let mut names: Vec<String> = self
            .paths()?
            .iter()
            .filter_map(|p| Some(p.strip_prefix("avatars/")?.strip_suffix(".avatar")?.into()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What the manifest in force says: the given folder's, else the one beside the executable, else the embedded one.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn manifest(&self) -> Result<Vec<ManifestFile>, AssetError> {
        let folder = self.explicit.as_ref().or(self.beside.as_ref());
        let (file, text) = match folder.map(|dir| dir.join(MANIFEST)).filter(|file| file.is_file()) {
            Some(file) => (file.display().to_string(), Cow::Owned(read_file(&file, MANIFEST_BYTES)?)),
            None => (format!("{MANIFEST} (built in)"), Cow::Borrowed(embedded(MANIFEST).unwrap_or_default())),
        };
        let bad = |reason: String| AssetError::Manifest { file: file.clone(), reason };
        let text = str::from_utf8(&text).map_err(|e| bad(e.to_string()))?;
        let manifest: Manifest = toml::from_str(text).map_err(|e| bad(e.to_string().trim().replace('\n', " ")))?;
        Ok(manifest.file)
    }

    /// Checks every file of the manifest and every file found, embedded ones too: presence and checksum.
    ///
    /// # Errors
    /// Only when the manifest or a folder cannot be read; a bad file is in its [`AssetCheck`].
    pub fn verify(&self) -> Result<Vec<AssetCheck>, AssetError> {
        let entries: BTreeMap<String, ManifestFile> =
            self.manifest()?.into_iter().map(|e| (e.path.clone(), e)).collect();
        let mut paths = self.paths()?;
        paths.extend(entries.keys().cloned());
        paths.sort();
        paths.dedup();
        let check = |path: String| {
            let entry = entries.get(&path).cloned();
            let result = self.find(&path).and_then(|source| {
                let bytes = self.read(&path)?;
                if let (Source::Embedded, Some(entry)) = (&source, &entry) {
                    check_sum(Path::new(&path), &bytes, &entry.sha256)?;
                }
                Ok(source)
            });
            AssetCheck { path, entry, result }
        };
        Ok(paths.into_iter().map(check).collect())
    }

    /// Every file of a folder that may be read: weights, avatars, the sample speech and the manifest, where they are there.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(dir) = self.explicit.as_ref().or(self.beside.as_ref()) else { return Vec::new() };
        // A folder that cannot be listed cannot be read either, and is told when it is.
        let paths = self.paths().unwrap_or_default();
        let all = paths.iter().map(String::as_str).chain([MANIFEST, SAMPLE]);
        all.map(|path| dir.join(path)).filter(|file| file.is_file()).collect()
    }

    /// Every weights file and avatar in sight, by path below the weights folder.
    fn paths(&self) -> Result<Vec<String>, AssetError> {
        let mut paths = Vec::new();
        if self.explicit.is_none() {
            paths.extend(EMBEDDED.iter().map(|(path, _)| (*path).to_owned()).filter(|path| path != MANIFEST));
        }
        if let Some(dir) = self.explicit.as_ref().or(self.beside.as_ref()) {
            for (sub, ending) in [("", "safetensors"), ("avatars", "avatar")] {
                let dir = dir.join(sub);
                if !dir.is_dir() {
                    continue;
                }
                let read = |cause| AssetError::Read { file: dir.clone(), cause };
                for entry in fs::read_dir(&dir).map_err(read)? {
                    let path = entry.map_err(read)?.path();
                    if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|e| e == ending)) {
                        let name = name.to_string_lossy();
                        paths.push(if sub.is_empty() { name.into_owned() } else { format!("{sub}/{name}") });
                    }
                }
            }
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }
}

/// The embedded file at `path`, if this build has one.
pub fn embedded(path: &str) -> Option<&'static [u8]> {
    EMBEDDED.iter().find(|(name, _)| *name == path).map(|&(_, bytes)| bytes)
}

/// A whole file of at most `limit` bytes.
///
/// # Errors
/// [`AssetError::Read`], also where it is a pipe or a device; [`AssetError::TooLong`].
pub fn read_file(file: &Path, limit: u64) -> Result<Vec<u8>, AssetError> {
    let failed = |cause| AssetError::Read { file: file.into(), cause };
    // Asked before it is opened: opening a pipe waits for its other end.
    let metadata = fs::metadata(file).map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is a pipe or a device; give a file")));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= limit {
        // It may grow while it is read.
        File::open(file).and_then(|open| open.take(limit + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 <= limit {
            return Ok(bytes);
        }
    }
    Err(AssetError::TooLong { file: file.into(), limit })
}

fn check_sum(file: &Path, bytes: &[u8], expected: &str) -> Result<(), AssetError> {
    let got: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if got.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(AssetError::Checksum { file: file.into(), expected: expected.into(), got })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("avatars")).unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    fn manifest_of(path: &str, sha256: &str) -> Vec<u8> {
        format!("[[file]]\nname = {path:?}\nsha256 = {sha256:?}\nbytes = 3\n").into_bytes()
    }

    const SHA_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_given_folder_is_checked_and_never_mixed_with_others() {
        let dir = folder(&[("a.safetensors", b"abc"), ("manifest.toml", &manifest_of("a.safetensors", SHA_ABC))]);
        let assets = Assets::locate(Some(dir.path())).unwrap();
        assert_eq!(&*assets.read("a.safetensors").unwrap(), b"abc");
        let error = assets.read("face.safetensors").unwrap_err();
        assert!(matches!(error, AssetError::Missing { .. }), "{error}");
    }

    #[test]
    fn a_wrong_checksum_names_file_and_both_digests() {
        let dir = folder(&[("a.safetensors", b"abd"), ("manifest.toml", &manifest_of("a.safetensors", SHA_ABC))]);
        let assets = Assets::locate(Some(dir.path())).unwrap();
        let text = assets.read("a.safetensors").unwrap_err().to_string();
        assert!(
            text.contains("a.safetensors") && text.contains(SHA_ABC) && text.contains("copy the file again"),
            "{text}"
        );
        let checks = assets.verify().unwrap();
        assert!(matches!(&checks[0].result, Err(AssetError::Checksum { .. })));
    }

    #[test]
    fn files_of_another_length_or_kind_are_not_read() {
        let dir = folder(&[("a.safetensors", b"abcd"), ("manifest.toml", &manifest_of("a.safetensors", SHA_ABC))]);
        let assets = Assets::locate(Some(dir.path())).unwrap();
        assert_eq!(assets.files().len(), 2);
        let text = assets.read("a.safetensors").unwrap_err().to_string();
        assert!(text.contains("has 4 bytes, but the manifest says 3"), "{text}");
        // Sparse files cost the test nothing, and would cost a reader everything.
        let sparse = |name: &str, bytes: u64| File::create(dir.path().join(name)).unwrap().set_len(bytes).unwrap();
        for (name, limit) in [
            ("avatars/x.avatar", AVATAR_BYTES),
            ("b.safetensors", WEIGHTS_BYTES),
            ("sample.wav", AVATAR_BYTES),
            ("manifest.toml", MANIFEST_BYTES),
        ] {
            sparse(name, limit + 1);
            let read = if name == "manifest.toml" { assets.manifest().map(drop) } else { assets.read(name).map(drop) };
            let text = read.unwrap_err().to_string();
            assert!(text.contains(&format!("more than {limit} bytes")), "{name}: {text}");
        }
        let text = read_file(dir.path(), 10).unwrap_err().to_string();
        assert!(text.contains("it is a folder"), "{text}");
        #[cfg(unix)]
        {
            let text = read_file(Path::new("/dev/zero"), 10).unwrap_err().to_string();
            assert!(text.contains("it is a pipe or a device"), "{text}");
        }
    }

    #[test]
    fn unknown_avatars_list_the_known_ones() {
        let dir = folder(&[("avatars/ada.avatar", b""), ("avatars/bo.avatar", b"")]);
        let assets = Assets::locate(Some(dir.path())).unwrap();
        let text = assets.avatar("add").unwrap_err().to_string();
        assert!(text.contains("ada, bo"), "{text}");
        assert!(matches!(assets.avatar("ada"), Err(AssetError::Avatar(_))), "an empty file is no avatar");
        assert!(matches!(assets.avatar("x/none.avatar"), Err(AssetError::Read { .. })));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let text = Assets::locate(Some(Path::new("/nowhere/at/all"))).unwrap_err().to_string();
        assert!(text.contains("/nowhere/at/all does not exist"), "{text}");
    }

    #[test]
    fn the_embedded_files_match_the_embedded_manifest() {
        for check in Assets::embedded().verify().unwrap() {
            let source = check.result.unwrap_or_else(|error| panic!("{}: {error}", check.path));
            assert_eq!(source, Source::Embedded);
            assert!(check.entry.is_some(), "{} is embedded but not in weights/manifest.toml", check.path);
        }
    }
}
