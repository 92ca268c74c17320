//! Graphics drivers, tried in a child process before they are let into this one.
//!
//! A driver is a library that the system loads into every program which asks for a GPU. One that crashes, hangs or ends the program takes the
//! program with it, and nothing in Rust can prevent that. So a program first starts a process that does nothing but open the GPU and compute something small on
//! it ([`try_drivers`]), and tells by a line of JSON what it found. The child works while weights are read here.
//!
//! Which process that is, the program says by a [`TrialCommand`]: itself with a hidden argument, as a rule. Without one the driver is let in untried.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vultus::compute::{Compute, ComputeError, Tier};

use crate::compute::{Backend, OpenError, adapters, device, wanted};
use crate::notices::Notices;

/// How long a driver may take: those of real cards answer within two seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// A child that nobody waits for any more ends itself.
const ABANDONED: Duration = Duration::from_secs(60);
/// What is read of a driver that talks without end, bytes.
const LONGEST: u64 = 1 << 16;
/// What begins the child's lines: drivers print as well.
const MARK: &str = "vultus-graphics ";

/// Why no backend was opened.
#[derive(Debug, Error)]
pub enum GraphicsError {
    /// There is no such device, or it refuses; an environment variable is no good.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system does not say which file this program is.
    #[error("cannot find this program's own file, to try graphics with")]
    NoProgram(#[source] io::Error),
    /// The child could not be started.
    #[error("cannot start a process to try graphics in")]
    NoProcess(#[source] io::Error),
    /// Nor what listens to it.
    #[error("cannot start a thread")]
    NoThread(#[source] io::Error),
    /// A GPU was asked for, and its driver does not work.
    #[error("{0}; {ADVICE}, or use --backend cpu")]
    Broken(String),
}

impl From<ComputeError> for GraphicsError {
    fn from(error: ComputeError) -> Self {
        Self::Open(error.into())
    }
}

/// Why the child could not do its work.
#[derive(Debug, Error)]
pub enum TrialError {
    /// A bad environment variable.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nobody hears it.
    #[error("cannot tell what came of trying the graphics drivers")]
    Output(#[from] io::Error),
}

/// How to start the process in which drivers are tried: it has to call [`try_drivers`], and to do nothing else before or after.
#[derive(Clone, Debug)]
pub struct TrialCommand {
    /// This program itself, where there is none.
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
}

impl TrialCommand {
    /// Another program.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self { program: Some(program.into()), arguments: arguments.into_iter().collect() }
    }

    /// This program, started again with an argument that it knows. `--software` follows it where an adapter in software is good enough.
    pub fn own(argument: impl Into<OsString>) -> Self {
        Self { program: None, arguments: vec![argument.into()] }
    }
}

/// An adapter, as the child tells it.
#[derive(Debug, Deserialize, Serialize)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// Whether it is a processor that only behaves like a GPU.
    pub software: bool,
    /// The highest tier of kernels that it runs.
    pub tier: String,
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
pub struct Found {
    /// All that there are.
    pub adapters: Vec<Adapter>,
    /// Whether there is an adapter to use; or why it cannot be.
    pub usable: Result<bool, String>,
}

/// Graphics that are being tried. Dropping it ends the child.
#[derive(Debug)]
pub struct Graphics {
    backend: Backend,
    tier: Option<Tier>,
    /// None where nothing is to be tried, or by no command.
    trial: Option<Trial>,
}

impl Graphics {
    /// Begins to try what `backend` asks for, by `command`. Nothing is started where the CPU is asked for, or where no driver is installed.
    ///
    /// # Errors
    /// A bad environment variable; the child cannot be started.
    pub fn ask(backend: Backend, command: Option<&TrialCommand>) -> Result<Self, GraphicsError> {
        let (backend, tier) = wanted(backend)?;
        let needed = match backend {
            Backend::Cpu => false,
            Backend::Gpu => true,
            Backend::Auto => a_driver_is_installed(),
        };
        if !needed {
            return Ok(Self { backend: Backend::Cpu, tier, trial: None });
        }
        let trial = command.map(|command| Trial::start(command, backend == Backend::Gpu)).transpose()?;
        Ok(Self { backend, tier, trial })
    }

    /// The backend: where everything is as it should be, the one that was asked for. `notices` hear why it is another, and when the GPU is lost later.
    ///
    /// # Errors
    /// A GPU was asked for, and there is none, or none that works.
    pub fn open(self, notices: &Notices) -> Result<Compute, GraphicsError> {
        if self.backend == Backend::Cpu {
            return Ok(Compute::Cpu);
        }
        let forced = self.backend == Backend::Gpu;
        match self.trial.map_or(Ok(true), |trial| trial.wait().usable) {
            Ok(true) => {}
            Ok(false) if forced => return Err(ComputeError::NoAdapter.into()),
            Ok(false) => return Ok(Compute::Cpu),
            Err(why) if forced => return Err(GraphicsError::Broken(why)),
            Err(why) => {
                notices.tell(&format!("{why}; computing on the CPU. {ADVICE}, or say --backend cpu to be spared this"));
                return Ok(Compute::Cpu);
            }
        }
        match device(forced, self.tier) {
            Ok(device) => {
                let name = device.name().to_owned();
                let notices = notices.clone();
                device.on_loss(move |why| {
                    notices.tell(&format!("the GPU {name} was lost ({why}): going on with the CPU"));
                });
                Ok(Compute::Gpu(Arc::new(device)))
            }
            Err(ComputeError::NoAdapter) if !forced => Ok(Compute::Cpu),
            // As a rule it worked a moment ago.
            Err(error @ ComputeError::Device { .. }) if !forced => {
                notices.tell(&format!("{error}; computing on the CPU"));
                Ok(Compute::Cpu)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What to do about a broken driver.
pub const ADVICE: &str = "update or remove the driver (Vulkan lists them in icd.d folders and $VK_DRIVER_FILES)";

/// Tries what [`Backend::Auto`] would use, and tells of all adapters.
///
/// # Errors
/// A bad environment variable; the child cannot be started.
pub fn look(command: &TrialCommand) -> Result<Found, GraphicsError> {
    let (backend, _) = wanted(Backend::Auto)?;
    Ok(Trial::start(command, backend == Backend::Gpu)?.wait())
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
#[derive(Debug)]
struct Trial {
    child: Child,
    words: Receiver<String>,
    start: Instant,
}

impl Trial {
    fn start(how: &TrialCommand, software: bool) -> Result<Self, GraphicsError> {
        let program = match &how.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(GraphicsError::NoProgram)?,
        };
        let mut command = Command::new(program);
        command.args(&how.arguments).args(software.then_some("--software"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(GraphicsError::NoProcess)?;
        let without = || GraphicsError::NoProcess(io::Error::other("a child without an output"));
        let mut stdout = child.stdout.take().ok_or_else(without)?;
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
            .map_err(GraphicsError::NoThread)?;
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

/// The child's side: opens what there is, computes something on it, and says on standard output what came of it. `software` is whether the command
/// has the argument `--software`.
///
/// # Errors
/// Standard output is closed; a bad environment variable.
pub fn try_drivers(software: bool) -> Result<(), TrialError> {
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
    let (_, tier) = wanted(Backend::Auto)?;
    let adapters: Vec<Adapter> = adapters()
        .into_iter()
        .map(|a| Adapter { name: a.name, driver: a.driver, software: a.software, tier: a.tier.to_string() })
        .collect();
    say(&Line::Adapters(adapters))?;
    let line = match device(software, tier) {
        Ok(device) => {
            let compute = Compute::Gpu(Arc::new(device));
            compute.check().map_or_else(|error| Line::Refuses(error.to_string()), |()| Line::Works)
        }
        Err(ComputeError::NoAdapter) => Line::Nothing,
        // The user's own mistake is told where it can be read.
        Err(ComputeError::Tier { .. }) => Line::Works,
        Err(error) => Line::Refuses(error.to_string()),
    };
    Ok(say(&line)?)
}

fn say(line: &Line) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // A driver may have left a line of its own unfinished.
    writeln!(out, "\n{MARK}{}", serde_json::to_string(line)?)?;
    out.flush()
}
