//! Finding Chromium, starting it without a window, and ending it, whatever happens.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, io, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

/// Names under which Chromium is installed, the first that is found is taken.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What every run needs. Sound is not muted: it goes nowhere on a machine without a sound card, but its clock has to run.
const FLAGS: [&str; 17] = [
    "--headless=new",
    "--disable-gpu",
    "--window-size=1280,900",
    // A microphone that needs no permission, and a voice that needs no click.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    // Nothing of its own beside the page.
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    // The page is never in the background.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    // What the page says on its console comes here by standard error.
    "--enable-logging=stderr",
];

/// The running one, for [`end_at_once`].
static RUNNING: Mutex<Option<(u32, PathBuf)>> = Mutex::new(None);

/// The browser to use: the one that was given (a path or a name), else the first one known on PATH.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    find_in(given, &folders)
}

fn find_in(given: Option<&Path>, folders: &OsString) -> Result<PathBuf> {
    let on_path = |name: &Path| env::split_paths(folders).map(|folder| folder.join(name)).find(|file| runs(file));
    match given {
        Some(path) if path.components().count() > 1 || path.is_absolute() => {
            if runs(path) {
                return Ok(path.to_owned());
            }
            bail!("{} is no program that can be started; give --browser the path of Chromium", path.display())
        }
        Some(name) => on_path(name)
            .ok_or_else(|| anyhow!("there is no program named {} on PATH; give --browser its path", name.display())),
        None => NAMES.iter().find_map(|name| on_path(Path::new(name))).ok_or_else(|| {
            anyhow!("no Chromium was found; install it (apt install chromium) or give its path by --browser")
        }),
    }
}

#[cfg(unix)]
fn runs(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn runs(file: &Path) -> bool {
    file.is_file()
}

/// Chromium with a profile of its own. Dropping it ends it, its helpers, and the profile.
pub(super) struct Browser {
    child: Child,
    folder: PathBuf,
    console: Receiver<String>,
}

impl Browser {
    /// Opens `address`, with `microphone` (a WAV file that is looped) to listen to. The profile goes into `folder`, which is removed
    /// with everything else in it when the browser ends.
    pub(super) fn start(program: &Path, folder: TempDir, microphone: &Path, address: &str) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(FLAGS);
        command.arg(joined("--user-data-dir=", &folder.path().join("profile")));
        command.arg(joined("--use-file-for-fake-audio-capture=", microphone));
        command.args(only_for_root());
        command.arg(address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // In a group of its own it does not get the terminal's ctrl-C, and is ended with all its helpers by us.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let errors = child.stderr.take();
        let folder = folder.keep();
        running().replace((child.id(), folder.clone()));
        let (say, console) = channel();
        // From here on dropping it cleans up, should the next step fail.
        let browser = Self { child, folder, console };
        if let Some(errors) = errors {
            thread::Builder::new().name("vultus-console".into()).spawn(move || {
                let mut lines = BufReader::new(errors);
                let mut line = Vec::new();
                // Read to the end even when nobody listens: a full pipe would stop the browser.
                while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                    if let Some(words) = on_console(&String::from_utf8_lossy(&line)) {
                        let _ = say.send(words.to_owned());
                    }
                    line.clear();
                }
            })?;
        }
        Ok(browser)
    }

    /// What the page has said on its console since the last call.
    pub(super) fn said(&self) -> impl Iterator<Item = String> {
        self.console.try_iter()
    }

    /// Whether it has ended by itself.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        end_group(self.child.id());
        // For where there are no groups; one that has ended already is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
        running().take();
        remove(&self.folder);
    }
}

/// For use right before the process exits without dropping anything.
pub(crate) fn end_at_once() {
    if let Some((group, folder)) = running().take() {
        end_group(group);
        remove(&folder);
    }
}

fn running() -> std::sync::MutexGuard<'static, Option<(u32, PathBuf)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Helpers need a moment to die, and write into the profile until then.
fn remove(folder: &Path) {
    for _ in 0..30 {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(Duration::from_millis(50)),
            _ => return,
        }
    }
}

#[cfg(unix)]
fn end_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // A group that is gone is what was wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end_group(_: u32) {}

/// Chromium's sandbox refuses to run as root (in containers, mostly).
fn only_for_root() -> Option<&'static str> {
    #[cfg(unix)]
    let root = rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    let root = false;
    root.then_some("--no-sandbox")
}

fn joined(flag: &str, path: &Path) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(path);
    joined
}

/// The words of a line that is about the page's console: `[…:INFO:CONSOLE:12] "words", source: http://… (12)`.
fn on_console(line: &str) -> Option<&str> {
    let (place, said) = line.split_once("] \"")?;
    if !place.contains(":CONSOLE") {
        return None;
    }
    said.rsplit_once("\", source:").map(|(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_browser_is_told_how_to_get() {
        let nowhere = tempfile::tempdir().unwrap();
        let path = nowhere.path().as_os_str().to_owned();
        let text = find_in(None, &path).unwrap_err().to_string();
        assert!(text.contains("apt install chromium") && text.contains("--browser"), "{text}");
        let text = find_in(Some(Path::new("firefox-or-so")), &path).unwrap_err().to_string();
        assert!(text.contains("firefox-or-so"), "{text}");
        // A file that cannot be started is no browser.
        let file = nowhere.path().join("chromium");
        fs::write(&file, "").unwrap();
        assert!(find_in(Some(&file), &path).is_err());
        assert!(cfg!(not(unix)) || find_in(None, &path).is_err());
    }

    #[test]
    fn the_pages_words_are_told_from_the_browsers() {
        let line = "[7:7:1121/130000.1:INFO:CONSOLE:43] \"measuring for \"60\" s\", source: http://127.0.0.1:1/measure.js (43)\n";
        assert_eq!(on_console(line), Some("measuring for \"60\" s"));
        let older = "[1121/130000.1:INFO:CONSOLE(43)] \"calling\", source: http://127.0.0.1:1/measure.js (43)";
        assert_eq!(on_console(older), Some("calling"));
        assert_eq!(on_console("[7:7:1121/130000.1:ERROR:bus.cc:407] Failed to connect to \"bus\", source: x"), None);
        assert_eq!(on_console(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn ending_ends_helpers_too_and_removes_the_profile() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let (program, pid) = (place.path().join("browser"), place.path().join("pid"));
        // A "browser" with a helper that outlives it, if it is let.
        let script = format!("#!/bin/sh\nsleep 600 &\necho $! > {0}.new\nmv {0}.new {0}\nwait\n", pid.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().to_owned();
        fs::create_dir(kept.join("profile")).unwrap();
        let mut browser = Browser::start(&program, folder, Path::new("x.wav"), "http://127.0.0.1:1/").unwrap();
        let helper = loop {
            assert!(browser.ended().unwrap().is_none());
            match fs::read_to_string(&pid) {
                Ok(text) => break text.trim().parse::<i32>().unwrap(),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        drop(browser);
        assert!(!kept.exists());
        let helper = rustix::process::Pid::from_raw(helper).unwrap();
        // Gone, or dead and waiting for whoever inherits orphans here to notice.
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", helper.as_raw_nonzero())).unwrap_or_default();
            stat.rsplit_once(") ").map_or('X', |(_, rest)| rest.chars().next().unwrap_or('X'))
        };
        for _ in 0..100 {
            if rustix::process::test_kill_process(helper).is_err() || matches!(state(), 'X' | 'Z') {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the helper still runs");
    }
}
