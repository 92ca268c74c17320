//! The files of a command: what it reads and what it writes are looked at together, before anything is written.
//!
//! An output must be none of the inputs and none of the other outputs, by whatever name: links, hard links, other spellings. Two
//! files are the same where the file system says so: by device and number where they exist, by its own idea of names where they are
//! yet to be made.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use vultus_native::assets::Assets;
use vultus_native::media::{self, AtomicFile, MediaError};

/// Folders within a folder of inputs that are looked into, and entries of all of them: far beyond what any has.
const DEPTH: usize = 4;
const ENTRIES: usize = 100_000;

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Files {
    inputs: Vec<(String, PathBuf)>,
    outputs: Vec<(&'static str, PathBuf)>,
}

impl Files {
    /// Everything that every command reads: the weights and avatars that lie in folders, and the program itself.
    pub(crate) fn of(assets: &Assets) -> Self {
        let mut files = Self::default();
        for path in assets.files() {
            files = files.reads(&format!("{}, which is read too", path.display()), &path);
        }
        match std::env::current_exe() {
            Ok(program) => files.reads("this program", &program),
            Err(_) => files,
        }
    }

    /// A file that is read. `what` follows "is also".
    pub(crate) fn reads(mut self, what: &str, path: &Path) -> Self {
        self.inputs.push((what.to_owned(), path.to_owned()));
        self
    }

    /// A folder whose files are read.
    pub(crate) fn reads_folder(mut self, path: &Path) -> Self {
        let mut left = ENTRIES;
        self.walk(path, DEPTH, &mut left);
        self
    }

    fn walk(&mut self, folder: &Path, depth: usize, left: &mut usize) {
        // What cannot be listed cannot be read either, and is told when it is.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            *left = left.saturating_sub(1);
            let path = entry.path();
            if *left > 0 && path.is_file() {
                self.inputs.push((format!("{}, which is read too", path.display()), path));
            } else if *left > 0 && depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(&path, depth - 1, left);
            }
        }
    }

    /// A file that is written, and the option that names it.
    pub(crate) fn writes(mut self, option: &'static str, path: Option<&Path>) -> Self {
        self.outputs.extend(path.map(|path| (option, path.to_owned())));
        self
    }

    /// Checks everything, and removes what killed runs have left beside the outputs.
    ///
    /// # Errors
    /// One sentence about the first output that cannot be written or would replace another file of the command.
    pub(crate) fn check(&self) -> Result<()> {
        for (_, output) in &self.outputs {
            let shown = output.display();
            if output.is_dir() || output.file_name().is_none() {
                bail!("{shown} is a folder; give a file name in it");
            }
            let folder = folder_of(output);
            if !folder.exists() {
                bail!("cannot write {shown}: the folder {} does not exist; create it first", folder.display());
            }
        }
        for (index, (option, output)) in self.outputs.iter().enumerate() {
            let shown = output.display();
            if let Some((what, _)) = self.inputs.iter().find(|(_, input)| same(output, input)) {
                bail!("{shown} is also {what}; give another name for the output");
            }
            if let Some(stream) = STREAMS.iter().find(|stream| same(output, Path::new(stream.1))) {
                bail!("{shown} is where {} goes; give another name for the output", stream.0);
            }
            if let Some((other, _)) = self.outputs[..index].iter().find(|(_, other)| same(other, output)) {
                bail!("{option} and {other} both name {shown}; give one of them another name");
            }
        }
        let folders: BTreeSet<PathBuf> = (self.outputs.iter())
            .filter_map(|(_, output)| media::output_place(output).ok()?.parent().map(Path::to_owned))
            .collect();
        for folder in &folders {
            media::sweep(folder);
        }
        for (_, output) in &self.outputs {
            // Everything else that the system may have against it, it says when asked; the file disappears again at once.
            let failed = |cause| MediaError::Write { file: output.display().to_string(), cause };
            AtomicFile::create(output).map(drop).map_err(failed)?;
        }
        Ok(())
    }
}

/// What this process writes to anyway, where that is a file.
const STREAMS: [(&str, &str); 2] = [("standard output", "/dev/stdout"), ("standard error", "/dev/stderr")];

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether writing `output` would replace what `other` names.
fn same(output: &Path, other: &Path) -> bool {
    match (identity(output), identity(other)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => {
            let (Ok(a), Ok(b)) = (media::output_place(output), media::output_place(other)) else { return false };
            a == b || (identity(folder_of(&a)) == identity(folder_of(&b)) && one_name(&a, &b))
        }
        _ => false,
    }
}

/// Whether the file system takes the names of two files of one folder, both yet to be made, for one: it may not tell capitals from
/// small letters, or two ways to write an accent.
fn one_name(a: &Path, b: &Path) -> bool {
    let (Some(a_name), Some(b_name)) = (a.file_name(), b.file_name()) else { return false };
    // Names that differ in more than that are not worth a try.
    let plain = |name: &std::ffi::OsStr| -> String {
        let name = name.to_string_lossy().to_lowercase();
        name.chars().filter(char::is_ascii_alphanumeric).collect()
    };
    if a_name == b_name || plain(a_name) != plain(b_name) {
        return a_name == b_name;
    }
    // A file of its own, named after the first, is looked for by the name of the second.
    let mark = |name: &std::ffi::OsStr| {
        let mut marked = name.to_owned();
        marked.push(".vultus-name");
        a.with_file_name(marked)
    };
    let (made, sought) = (mark(a_name), mark(b_name));
    if made.exists() || sought.exists() {
        return false;
    }
    let found = fs::File::create_new(&made).is_ok() && sought.exists();
    let _ = fs::remove_file(&made);
    found
}

/// Device and number of the file that a path leads to, if there is one.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The system's own spelling of the path of the file, if there is one.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a sound, and links to it and to nothing.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("in.wav"), "sound").unwrap();
        fs::create_dir(at("sub")).unwrap();
        symlink("in.wav", at("link.json")).unwrap();
        symlink("../in.wav", at("sub/link.json")).unwrap();
        fs::hard_link(at("in.wav"), at("hard.json")).unwrap();
        symlink("out.mp4", at("dangling.json")).unwrap();
        symlink("../dangling.json", at("sub/chain.json")).unwrap();
        symlink(".", at("self")).unwrap();
        dir
    }

    fn refusal(dir: &Path, film: &str, report: &str) -> Option<String> {
        let files = Files::default()
            .reads("the sound to read", &dir.join("in.wav"))
            .writes("--output", Some(&dir.join(film)))
            .writes("--report", Some(&dir.join(report)));
        let before = fs::read_dir(dir).unwrap().count();
        let answer = files.check().err().map(|error| error.to_string());
        assert_eq!(fs::read_dir(dir).unwrap().count(), before, "{film}, {report}: something was left");
        assert_eq!(fs::read(dir.join("in.wav")).unwrap(), b"sound");
        answer
    }

    #[test]
    fn no_spelling_of_a_name_replaces_another_file_of_the_command() {
        let dir = folder();
        let dir = dir.path();
        for name in ["in.wav", "sub/../in.wav", "link.json", "sub/link.json", "hard.json", "self/self/in.wav"] {
            for (film, report) in [("out.mp4", name), (name, "report.json")] {
                let text = refusal(dir, film, report).unwrap_or_else(|| panic!("{film}, {report} went through"));
                assert!(text.contains("is also the sound to read"), "{text}");
            }
        }
        for report in
            ["out.mp4", "./out.mp4", "sub/../out.mp4", "dangling.json", "sub/chain.json", "self/dangling.json"]
        {
            let text = refusal(dir, "out.mp4", report).unwrap_or_else(|| panic!("{report} went through"));
            assert!(text.contains("--report and --output both name"), "{text}");
        }
        assert_eq!(refusal(dir, "out.mp4", "report.json"), None);
        // On a file system that tells capitals apart these are two.
        let apart = !dir.join("IN.WAV").exists();
        assert_eq!(refusal(dir, "out.mp4", "OUT.mp4").is_none(), apart);
    }

    #[test]
    fn folders_of_inputs_are_inputs() {
        let dir = folder();
        let report = dir.path().join("sub/truth.json");
        fs::write(&report, "truth").unwrap();
        let files = Files::default().reads_folder(dir.path()).writes("--json", Some(&report));
        assert!(files.check().unwrap_err().to_string().contains("which is read too"));
    }
}
