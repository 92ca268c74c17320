//! Graphics drivers, tried in a child process before they are let into this one.
//!
//! A driver is a library that the system loads into every program which asks for a GPU. One that crashes, hangs or ends the program takes the
//! program with it, and nothing in Rust can prevent that. So this program first starts itself again with a hidden command, which opens the GPU and computes something small on
//! it, and tells by a line of JSON what it found. The child works while weights are read here.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use vultus::compute::{Backend, Compute, ComputeError, Device, adapters};

use crate::console::warn;

/// The hidden command.
pub(crate) const COMMAND: &str = "try-graphics";
/// How long a driver may take: those of real cards answer within two seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// A child that nobody waits for any more ends itself.
const ABANDONED: Duration = Duration::from_secs(60);
/// What is read of a driver that talks without end, bytes.
const LONGEST: u64 = 1 << 16;
/// What begins the child's lines: drivers print as well.
const MARK: &str = "vultus-graphics ";

/// An adapter, as the child tells it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Adapter {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) software: bool,
    pub(crate) tier: String,
}

/// A line of the child.
#[derive(Debug, Deserialize, Serialize)]
enum Line {
    /// Drivers could be asked.
    Adapters(Vec<Adapter>),
    /// The one that would be used works.
    Works,
    /// There is none to use.
    Nothing,
    /// It does not.
    Refuses(String),
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) adapters: Vec<Adapter>,
    /// Whether there is an adapter to use; or why it cannot be.
    pub(crate) usable: Result<bool, String>,
}

/// Graphics that are being tried. Dropping it ends the child.
pub(crate) struct Graphics {
    backend: Backend,
    tier: Option<vultus::compute::Tier>,
    trial: Option<Trial>,
}

impl Graphics {
    /// Begins to try what `backend` asks for. Nothing is started where the CPU is asked for, or where no driver is installed.
    ///
    /// # Errors
    /// A bad environment variable; the child cannot be started.
    pub(crate) fn ask(backend: Backend) -> Result<Self> {
        let (backend, tier) = Compute::wanted(backend)?;
        let needed = match backend {
            Backend::Cpu => false,
            Backend::Gpu => true,
            Backend::Auto => a_driver_is_installed(),
        };
        let trial = if needed { Some(Trial::start(backend == Backend::Gpu)?) } else { None };
        Ok(Self { backend, tier, trial })
    }

    /// The backend: where everything is as it should be, the one that was asked for.
    ///
    /// # Errors
    /// A GPU was asked for, and there is none, or none that works.
    pub(crate) fn open(self) -> Result<Compute> {
        let Some(trial) = self.trial else { return Ok(Compute::Cpu) };
        let forced = self.backend == Backend::Gpu;
        match trial.wait().usable {
            Ok(true) => {}
            Ok(false) if forced => return Err(ComputeError::NoAdapter.into()),
            Ok(false) => return Ok(Compute::Cpu),
            Err(why) if forced => bail!("{why}; {ADVICE}, or use --backend cpu"),
            Err(why) => {
                warn(&format!("{why}; computing on the CPU. {ADVICE}, or say --backend cpu to be spared this"));
                return Ok(Compute::Cpu);
            }
        }
        match Device::open(forced, self.tier) {
            Ok(device) => {
                let name = device.name().to_owned();
                device.on_loss(move |why| warn(&format!("the GPU {name} was lost ({why}): going on with the CPU")));
                Ok(Compute::Gpu(Arc::new(device)))
            }
            // It worked a moment ago.
            Err(error @ ComputeError::Device { .. }) if !forced => {
                warn(&format!("{error}; computing on the CPU"));
                Ok(Compute::Cpu)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What to do about a broken driver.
pub(crate) const ADVICE: &str = "update or remove the driver (Vulkan lists them in icd.d folders and $VK_DRIVER_FILES)";

/// Tries what `--backend auto` would use, for `doctor`.
///
/// # Errors
/// The child cannot be started.
pub(crate) fn look() -> Result<Found> {
    let (backend, _) = Compute::wanted(Backend::Auto)?;
    Ok(Trial::start(backend == Backend::Gpu)?.wait())
}

/// Whether a Vulkan driver can be there at all, as its loader looks for them. Saves a process on servers.
fn a_driver_is_installed() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"].iter().any(|name| set(name).is_some()) {
        return true;
    }
    let home = set("HOME").unwrap_or_default();
    let lists = [set("XDG_CONFIG_DIRS"), set("XDG_DATA_DIRS"), set("XDG_CONFIG_HOME"), set("XDG_DATA_HOME")];
    let mut folders: Vec<std::path::PathBuf> =
        lists.iter().flatten().flat_map(|list| std::env::split_paths(list).collect::<Vec<_>>()).collect();
    folders.extend(["/etc", "/etc/xdg", "/usr/local/etc", "/usr/local/share", "/usr/share"].map(Into::into));
    folders.extend([".config", ".local/share"].map(|folder| std::path::Path::new(&home).join(folder)));
    folders.iter().any(|folder| {
        folder.join("vulkan/icd.d").read_dir().is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|ending| ending == "json")))
        })
    })
}

/// A child that tries.
struct Trial {
    child: Child,
    words: Receiver<String>,
    start: Instant,
}

impl Trial {
    fn start(software: bool) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file, to try graphics with")?;
        let mut command = Command::new(program);
        command.arg(COMMAND).args(software.then_some("--software"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start a process to try graphics in")?;
        let mut stdout = child.stdout.take().ok_or_else(|| anyhow!("a child without an output"))?;
        let (sender, words) = channel();
        // Read apart, so that neither a driver that prints without end nor one that holds the pipe holds us.
        thread::Builder::new()
            .name("vultus-graphics".into())
            .spawn(move || {
                let mut bytes = Vec::new();
                // What could not be read was not said.
                let _ = stdout.by_ref().take(LONGEST).read_to_end(&mut bytes);
                let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
                let _ = io::copy(&mut stdout, &mut io::sink());
            })
            .context("cannot start a thread")?;
        Ok(Self { child, words, start: Instant::now() })
    }

    fn wait(mut self) -> Found {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if self.start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(2)),
                _ => break None,
            }
        };
        if status.is_none() {
            // It may have ended in this moment; then there is nothing to end.
            let _ = self.child.kill();
        }
        let words = self.words.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        found(&words, status)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child's words and end mean.
fn found(words: &str, status: Option<ExitStatus>) -> Found {
    let mut adapters = Vec::new();
    let mut usable = None;
    for line in words.lines().filter_map(|line| serde_json::from_str(line.split_once(MARK)?.1).ok()) {
        match line {
            Line::Adapters(found) => adapters = found,
            Line::Works => usable = Some(Ok(true)),
            Line::Nothing => usable = Some(Ok(false)),
            Line::Refuses(why) => usable = Some(Err(why)),
        }
    }
    let name = adapters.iter().min_by_key(|adapter| adapter.software).map(|adapter| adapter.name.as_str());
    let who = name.map_or_else(|| "a graphics driver".to_owned(), |name| format!("the graphics driver of {name}"));
    let failed = match status {
        None => Some(format!("{who} did not answer within {} s", PATIENCE.as_secs())),
        Some(status) if status.success() => None,
        Some(status) => Some(format!("{who} crashed when it was tried ({status})")),
    };
    // A child that says that all is well and then dies is as bad as one that says nothing: ours would die like it.
    let usable = match (failed, usable) {
        (Some(why), _) => Err(why),
        (None, Some(usable)) => usable,
        (None, None) => Err(format!("{who} ended the program that tried it")),
    };
    Found { adapters, usable }
}

/// The child's side.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn run(software: bool) -> Result<()> {
    #[cfg(unix)]
    {
        // A crash is expected here and leaves no file.
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
        thread::spawn(|| {
            thread::sleep(ABANDONED);
            // Not by exit(): what runs then belongs to the driver that hangs.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        });
    }
    let (_, tier) = Compute::wanted(Backend::Auto)?;
    let adapters: Vec<Adapter> = adapters()
        .into_iter()
        .map(|a| Adapter { name: a.name, driver: a.driver, software: a.software, tier: a.tier.to_string() })
        .collect();
    say(&Line::Adapters(adapters))?;
    let line = match Device::open(software, tier) {
        Ok(device) => {
            let compute = Compute::Gpu(Arc::new(device));
            compute.check().map_or_else(|error| Line::Refuses(error.to_string()), |()| Line::Works)
        }
        Err(ComputeError::NoAdapter) => Line::Nothing,
        // The user's own mistake is told where it can be read.
        Err(ComputeError::Tier { .. } | ComputeError::Environment { .. }) => Line::Works,
        Err(error) => Line::Refuses(error.to_string()),
    };
    say(&line)
}

fn say(line: &Line) -> Result<()> {
    let mut out = io::stdout().lock();
    // A driver may have left a line of its own unfinished.
    writeln!(out, "\n{MARK}{}", serde_json::to_string(line)?)?;
    out.flush()?;
    Ok(())
}
