//! A file that appears under its name only when it is complete.
//!
//! Bytes go to `NAME.vultus-<process>-<number>.part` in the same folder. [`AtomicFile::commit`] renames it; dropping it in any other
//! way removes it: an error, a panic, a cancelled run. A process that has to leave at once (the second ctrl-C) calls
//! [`remove_unfinished`] first. A process that was killed leaves its part file; [`sweep`] removes it later. A part file is locked for
//! as long as its process lives, on whichever machine or in whichever container that is, so nobody's work is swept away.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Every part file of this process that is neither committed nor removed yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Bytes of the name that a part file keeps: file systems allow 255 in all.
const NAME_KEPT: usize = 200;
/// What tells our part files from those of others.
const MARK: &str = ".vultus-";
const ENDING: &str = ".part";
/// Links that lead to one another; Linux follows as many.
const LINKS: usize = 40;

/// Removes the part files of this process. For use right before the process exits.
pub fn remove_unfinished() {
    for part in std::mem::take(&mut *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)) {
        // The process is leaving: there is nobody to tell about a file that cannot be removed.
        let _ = fs::remove_file(part);
    }
}

/// Removes the part files in `folder` whose processes are gone. Files that cannot be read or locked stay, as does everything that
/// is not named as ours are. Gives the number of files that were removed.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let ours = entries.flatten().filter(|entry| is_part(&entry.file_name().to_string_lossy()));
    ours.filter(|entry| {
        // A link or a folder of that name is not ours; it is not followed either.
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            return false;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { return false };
        // Held by a process that lives, or by a file system without locks.
        file.try_lock().is_ok() && is_at(&file, &entry.path()) && fs::remove_file(entry.path()).is_ok()
    })
    .count()
}

/// The file that is written when `path` is named as an output: links are followed, one that leads to no file yet too. The file
/// need not be there; its folder must be.
///
/// # Errors
/// When the folder is not there, or links lead in a circle.
pub fn output_place(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        let name = place.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        place = folder.canonicalize()?.join(name);
        match fs::read_link(&place) {
            // The folder of a link is where its own path starts, unless that is absolute.
            Ok(to) => place = place.with_file_name("").join(to),
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "its links lead in a circle; name a file"))
}

/// See the module's text.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    /// Of the file that is replaced.
    permissions: Option<Permissions>,
}

impl AtomicFile {
    /// Opens the part file beside `target`. An existing `target` stays as it is until [`Self::commit`].
    ///
    /// # Errors
    /// When `target` is a folder, a pipe or a device, is write-protected, or its folder does not exist or cannot be written to.
    pub fn create(target: &Path) -> io::Result<Self> {
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // A link is followed: the file it leads to is replaced, not the link, even where that file is yet to be made.
        let target = output_place(target)?;
        let permissions = match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is a pipe or a device; name a file (outputs are written whole, then renamed)",
                ));
            }
            Ok(metadata) => {
                // Renaming would replace what nobody may write to.
                let protected = metadata.permissions().readonly();
                if protected || OpenOptions::new().write(true).open(&target).is_err() {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "the file that is there is write-protected; make it writable, or choose another name",
                    ));
                }
                Some(metadata.permissions())
            }
            // A name that is too long for the file is better refused now than when the file is complete.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => return Err(error),
            Err(_) => None,
        };
        loop {
            let part = target.with_file_name(part_name(&target.file_name().unwrap_or_default().to_string_lossy()));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&part) {
                Ok(file) => file,
                // Of a process that was killed and had the number that this one has.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // So answer folders that are no place for files, such as /proc.
                Err(error) if error.kind() == io::ErrorKind::NotFound && part.parent().is_some_and(Path::is_dir) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "no file can be made in its folder; choose another",
                    ));
                }
                Err(error) => return Err(error),
            };
            UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).insert(part.clone());
            // File systems without locks have nothing swept either.
            let _ = file.lock();
            let made = Self { file, part, target: target.clone(), permissions: permissions.clone() };
            // Somebody may have swept it between making and locking.
            if is_at(&made.file, &made.part) {
                return Ok(made);
            }
        }
    }

    /// Where the file will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the file appear under its name, in place of any file that has it, whose permissions it takes over.
    ///
    /// # Errors
    /// When the disk does not take the last bytes or the rename is refused; the part file is then removed.
    pub fn commit(self) -> io::Result<()> {
        // A crash of the machine shortly after the rename must not leave an empty file under the final name.
        self.file.sync_data()?;
        if let Some(permissions) = &self.permissions {
            self.file.set_permissions(permissions.clone())?;
        }
        fs::rename(&self.part, &self.target)?;
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.part);
        // Not every system can open a folder; then the new name may come a little later.
        if let Some(folder) = self.target.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

/// A name that no other unfinished file of this process has.
fn part_name(name: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}{MARK}{}-{number}{ENDING}", &name[..name.floor_char_boundary(NAME_KEPT)], std::process::id())
}

/// Whether [`part_name`] gives such names.
fn is_part(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_suffix(ENDING)
        .and_then(|name| name.rsplit_once(MARK))
        .and_then(|(_, numbers)| numbers.split_once('-'))
        .is_some_and(|(process, number)| is_number(process) && is_number(number))
}

/// Whether the open file is the one that lies at `path` now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// Systems that do not let go of a name while a file is open cannot have swept it.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.part) && is_at(&self.file, &self.part)
        {
            // Whatever made us drop the file is the error that the user hears about.
            let _ = fs::remove_file(&self.part);
        }
    }
}

impl Read for AtomicFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
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

    #[cfg(unix)]
    #[test]
    fn a_chain_of_links_is_followed_to_its_end() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("far")).unwrap();
        symlink("b.mp4", root.join("a.mp4")).unwrap();
        symlink("far/c.mp4", root.join("b.mp4")).unwrap();
        symlink("../d.mp4", root.join("far/c.mp4")).unwrap();
        assert_eq!(output_place(&root.join("far/../a.mp4")).unwrap(), root.join("d.mp4"));
        AtomicFile::create(&root.join("a.mp4")).unwrap().commit().unwrap();
        assert!(root.join("d.mp4").is_file() && root.join("b.mp4").is_symlink());
        symlink("f.mp4", root.join("e.mp4")).unwrap();
        symlink("e.mp4", root.join("f.mp4")).unwrap();
        assert!(AtomicFile::create(&root.join("e.mp4")).unwrap_err().to_string().contains("circle"));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_protect() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.mp4");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o620)).unwrap();
        AtomicFile::create(&target).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o620);
        fs::set_permissions(&target, Permissions::from_mode(0o444)).unwrap();
        let error = AtomicFile::create(&target).unwrap_err().to_string();
        assert!(error.contains("write-protected"), "{error}");
        assert_eq!(names(dir.path()), ["out.mp4"]);
    }

    #[test]
    fn only_our_own_forsaken_files_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let forsaken = ["out.mp4.vultus-4000000-0.part", "x.vultus-1-17.part"];
        let others = ["out.mp4.123-0.part", "film.part", "vultus-1-2.part.mp4", "a.vultus-1-b.part", "a.vultus-1.part"];
        forsaken.iter().chain(&others).for_each(|name| fs::write(dir.path().join(name), "x").unwrap());
        fs::create_dir(dir.path().join("folder.vultus-1-1.part")).unwrap();
        let alive = AtomicFile::create(&dir.path().join("out.mp4")).unwrap();
        assert_eq!(sweep(dir.path()), forsaken.len());
        assert!(alive.part.is_file(), "a file that is being written was swept");
        others.iter().for_each(|name| assert!(dir.path().join(name).is_file(), "{name} was swept"));
        assert_eq!(names(dir.path()).len(), others.len() + 2);
        alive.commit().unwrap();
        assert!(dir.path().join("out.mp4").is_file());
        assert_eq!(sweep(&dir.path().join("nowhere")), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_named_as_ours_are_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "x").unwrap();
        let link = dir.path().join("a.vultus-1-1.part");
        std::os::unix::fs::symlink("precious", &link).unwrap();
        assert_eq!(sweep(dir.path()), 0);
        assert!(link.is_symlink() && dir.path().join("precious").is_file());
    }

    #[test]
    fn making_and_sweeping_at_once_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    sweep(dir.path());
                }
            });
            for n in 0..300 {
                let target = dir.path().join(format!("{n}"));
                let mut file = AtomicFile::create(&target).unwrap();
                file.write_all(b"whole").unwrap();
                file.commit().unwrap();
                assert_eq!(fs::read(target).unwrap(), b"whole");
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(names(dir.path()).len(), 300);
    }
}
