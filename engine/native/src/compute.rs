//! Opening a backend on a computer: the environment is read, and threads wait for the driver.
//!
//! `VULTUS_BACKEND=gpu|cpu` forces an executor, `VULTUS_TIER=base|subgroup|matrix` the highest tier of kernels. A software adapter
//! (lavapipe, WARP) counts as no GPU unless `gpu` is asked for.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use thiserror::Error;
use vultus::compute::{AdapterReport, Compute, ComputeError, Device, Tier};
use vultus::timing::Clock;

/// A replay that takes longer is one that never ends. Generous: the largest network takes seconds on a software adapter.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which executor to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Backend {
    /// `VULTUS_BACKEND` if set, else a hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// WGSL on a GPU; a software adapter will do.
    Gpu,
    /// The CPU twins.
    Cpu,
}

/// Why no backend was opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// An environment variable holds something else than its values.
    #[error("{variable}={value}: {why}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        why: String,
    },
    /// There is no such device, or it refuses.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// What `VULTUS_BACKEND` makes of `backend`, and the tier of `VULTUS_TIER`.
///
/// # Errors
/// A bad environment variable.
pub fn wanted(backend: Backend) -> Result<(Backend, Option<Tier>), OpenError> {
    // Both are looked at even where `backend` leaves nothing to decide: a mistake in them would show up some other day.
    let forced = environment("VULTUS_BACKEND", |value| match value {
        "gpu" => Ok(Backend::Gpu),
        "cpu" => Ok(Backend::Cpu),
        "auto" => Ok(Backend::Auto),
        _ => Err("use gpu, cpu or auto".into()),
    })?;
    let tier = environment("VULTUS_TIER", str::parse)?;
    Ok((if backend == Backend::Auto { forced.unwrap_or_default() } else { backend }, tier))
}

/// Opens `backend`, reading `VULTUS_BACKEND` and `VULTUS_TIER`. `Auto` takes the CPU where there is no GPU and where its driver refuses; who
/// wants to know why asks [`device`].
///
/// A driver that crashes takes the process with it. A program that cannot have that opens the GPU in a child process first, as `vultus` does.
///
/// # Errors
/// No adapter, or one that refuses, where a GPU is asked for; a tier that it does not have; a bad environment variable.
pub fn open(backend: Backend) -> Result<Compute, OpenError> {
    let (backend, tier) = wanted(backend)?;
    match backend {
        Backend::Cpu => Ok(Compute::Cpu),
        Backend::Gpu => Ok(Compute::Gpu(Arc::new(device(true, tier)?))),
        Backend::Auto => match device(false, tier) {
            Ok(device) => Ok(Compute::Gpu(Arc::new(device))),
            Err(ComputeError::NoAdapter | ComputeError::Device { .. }) => Ok(Compute::Cpu),
            Err(error) => Err(error.into()),
        },
    }
}

/// Opens the best adapter, as [`Device::open`]. Whoever runs a plan on it waits.
///
/// # Errors
/// As [`Device::open`].
pub fn device(allow_software: bool, tier: Option<Tier>) -> Result<Device, ComputeError> {
    pollster::block_on(Device::open(allow_software, tier, Some(wait)))
}

/// Every adapter of this machine.
pub fn adapters() -> Vec<AdapterReport> {
    pollster::block_on(vultus::compute::adapters())
}

/// This computer's clock.
pub fn clock() -> Clock {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Clock(|| START.elapsed())
}

fn wait(device: &wgpu::Device) -> Result<(), String> {
    let all = wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) };
    device.poll(all).map(drop).map_err(|error| error.to_string())
}

/// The value of an environment variable; `None` where it is not set or empty.
fn environment<T>(variable: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, OpenError> {
    let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.to_string_lossy();
    read(&value).map(Some).map_err(|why| OpenError::Environment { variable, value: value.into_owned(), why })
}
