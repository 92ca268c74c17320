//! A file that appears under its name only when it is complete.
//!
//! Bytes go to `NAME.<process>-<number>.part` in the same folder. [`AtomicFile::commit`] renames it; dropping it in any other way
//! removes it: an error, a panic, a cancelled run. A process that has to leave at once (the second ctrl-C) calls
//! [`remove_unfinished`] first.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Every part file of this process that is neither committed nor removed yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Bytes of the name that a part file keeps: file systems allow 255 in all.
const NAME_KEPT: usize = 200;

/// Removes the part files of this process. For use right before the process exits.
pub fn remove_unfinished() {
    for part in std::mem::take(&mut *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)) {
        // The process is leaving: there is nobody to tell about a file that cannot be removed.
        let _ = fs::remove_file(part);
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
}

impl AtomicFile {
    /// Opens the part file beside `target`. An existing `target` stays as it is until [`Self::commit`].
    ///
    /// # Errors
    /// When `target` is a folder, a pipe or a device, or its folder does not exist or cannot be written to.
    pub fn create(target: &Path) -> io::Result<Self> {
        // A link is followed: the file it leads to is replaced, not the link, even where that file is yet to be made.
        let behind = |_| Ok::<_, io::Error>(target.with_file_name("").join(fs::read_link(target)?));
        let resolved = target.canonicalize().or_else(behind).unwrap_or_else(|_| target.to_owned());
        let target = resolved.as_path();
        if target.is_dir() || target.file_name().is_none() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if target.exists() && !target.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is a pipe or a device; name a file (a film is written whole, then renamed)",
            ));
        }
        // A name that is too long for the file is better refused now than when the file is complete.
        if let Err(error) = fs::symlink_metadata(target)
            && error.kind() == io::ErrorKind::InvalidFilename
        {
            return Err(error);
        }
        let part = target.with_file_name(part_name(&target.file_name().unwrap_or_default().to_string_lossy()));
        let file = File::create(&part)?;
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).insert(part.clone());
        Ok(Self { file, part, target: target.to_owned() })
    }

    /// Where the file will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the file appear under its name, in place of any file that has it.
    ///
    /// # Errors
    /// When the disk does not take the last bytes or the rename is refused; the part file is then removed.
    pub fn commit(self) -> io::Result<()> {
        // A crash of the machine shortly after the rename must not leave an empty file under the final name.
        self.file.sync_data()?;
        fs::rename(&self.part, &self.target)?;
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.part);
        Ok(())
    }
}

/// A name that no other unfinished file has.
fn part_name(name: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}.{}-{number}.part", &name[..name.floor_char_boundary(NAME_KEPT)], std::process::id())
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.part) {
            // Whatever made us drop the file is the error that the user hears about.
            let _ = fs::remove_file(&self.part);
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.mp4");
        fs::write(&target, "old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        drop(file);
        assert_eq!((names(dir.path()), fs::read(&target).unwrap()), (vec!["out.mp4".into()], b"old".to_vec()));

        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!((names(dir.path()), fs::read(&target).unwrap()), (vec!["out.mp4".into()], b"new".to_vec()));
    }

    #[test]
    fn every_name_that_the_disk_allows_will_do() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["n".repeat(255), "é".repeat(127)] {
            let target = dir.path().join(&name);
            // Two at a time keep apart.
            let (first, second) = (AtomicFile::create(&target).unwrap(), AtomicFile::create(&target).unwrap());
            assert_eq!(names(dir.path()).len(), 2);
            drop(first);
            second.commit().unwrap();
            assert_eq!(names(dir.path()), [name]);
            fs::remove_file(target).unwrap();
        }
        let error = AtomicFile::create(&dir.path().join("n".repeat(256))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
        assert_eq!(names(dir.path()).len(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link.mp4"), dir.path().join("out.mp4"));
        std::os::unix::fs::symlink("out.mp4", &link).unwrap();
        for content in ["made", "replaced"] {
            let mut file = AtomicFile::create(&link).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            file.commit().unwrap();
            assert_eq!((fs::read(&target).unwrap(), fs::read_link(&link).unwrap()), (content.into(), "out.mp4".into()));
        }
    }

    #[test]
    fn folders_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(AtomicFile::create(dir.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let missing = dir.path().join("no/such/out.mp4");
        assert_eq!(AtomicFile::create(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
