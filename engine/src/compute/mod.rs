//! Compute: the only room that knows wgpu.
//!
//! A network's pass is recorded once as data (a [`Plan`]: dispatches and copies over tensors whose memory was planned from their lifetimes)
//! and replayed every frame by one of two executors: `gpu` runs the WGSL kernels through wgpu, `cpu` their twins. Model code exists once.
//!
//! Environment: `VULTUS_BACKEND=gpu|cpu` forces an executor, `VULTUS_TIER=base|subgroup|matrix` the highest tier of kernels. A software adapter
//! (lavapipe, WARP) counts as no GPU unless `gpu` is asked for.

mod cpu;
mod device;
mod gpu;
mod lifetimes;
mod plan;
mod trial;

use std::sync::Arc;
use std::time::Duration;

pub use cpu::CpuExecutor;
pub use device::{AdapterReport, Device, adapters};
pub use gpu::{GpuExecutor, GpuProgram};
pub use plan::{Grid, Plan, PlanBuilder, Tensor};
pub use vultus_shaders::Tier;

/// What can go wrong with a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// No adapter at all, though one was asked for.
    #[error(
        "no GPU adapter found: install a Vulkan driver (for tests `mesa-vulkan-drivers` brings a software one), or use the cpu backend (--backend cpu)"
    )]
    NoAdapter,
    /// The adapter is below the tier asked for.
    #[error("adapter `{adapter}` offers tier `{got}`, but VULTUS_TIER asks for `{expected}`: lower VULTUS_TIER")]
    Tier {
        /// Its name.
        adapter: String,
        /// Tier asked for.
        expected: vultus_shaders::Tier,
        /// Tier there.
        got: vultus_shaders::Tier,
    },
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
    /// The driver refused or lost the device.
    #[error("GPU `{adapter}` failed: {why}; update its driver or use the cpu backend (--backend cpu)")]
    Device {
        /// Its name.
        adapter: String,
        /// The driver's words.
        why: String,
    },
}

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

/// An opened backend, from which executors are made. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Compute {
    /// The CPU twins.
    Cpu,
    /// A GPU.
    Gpu(Arc<Device>),
}

impl Compute {
    /// What `VULTUS_BACKEND` makes of `backend`, and the tier of `VULTUS_TIER`.
    ///
    /// # Errors
    /// A bad environment variable.
    pub fn wanted(backend: Backend) -> Result<(Backend, Option<vultus_shaders::Tier>), ComputeError> {
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
    /// wants to know why asks [`Device::open`].
    ///
    /// A driver that crashes takes the process with it. A program that cannot have that opens the GPU in a child process first, as `vultus` does.
    ///
    /// # Errors
    /// No adapter, or one that refuses, where a GPU is asked for; a tier that it does not have; a bad environment variable.
    pub fn open(backend: Backend) -> Result<Self, ComputeError> {
        let (backend, tier) = Self::wanted(backend)?;
        match backend {
            Backend::Cpu => Ok(Self::Cpu),
            Backend::Gpu => Ok(Self::Gpu(Arc::new(Device::open(true, tier)?))),
            Backend::Auto => match Device::open(false, tier) {
                Ok(device) => Ok(Self::Gpu(Arc::new(device))),
                Err(ComputeError::NoAdapter | ComputeError::Device { .. }) => Ok(Self::Cpu),
                Err(e) => Err(e),
            },
        }
    }

    /// The GPU, where there is one and it has not been lost.
    fn gpu(&self) -> Option<&Arc<Device>> {
        match self {
            Self::Gpu(device) if device.lost().is_none() => Some(device),
            _ => None,
        }
    }

    /// Whether this backend does what it should: a kernel's result against its twin's.
    ///
    /// # Errors
    /// The device was lost, or gives other numbers.
    pub fn check(&self) -> Result<(), ComputeError> {
        let Self::Gpu(device) = self else { return Ok(()) };
        let fail = |why: String| ComputeError::Device { adapter: device.name().to_owned(), why };
        let mut here = trial::executor(&Self::Cpu);
        let mut there = trial::executor(self);
        let expected = trial::run(&mut here).map_err(|e| fail(e.to_string()))?;
        let got = trial::run(&mut there).map_err(|e| fail(e.to_string()))?;
        if let Some(why) = device.lost() {
            return Err(fail(why.to_owned()));
        }
        if got.iter().zip(&expected).all(|(g, e)| (g - e).abs() <= trial::TOLERANCE) {
            Ok(())
        } else {
            Err(fail("it computes wrong numbers".to_owned()))
        }
    }

    /// `cpu`, or `gpu` with its tier. A device that is lost is none.
    pub fn name(&self) -> String {
        match self.gpu() {
            None => "cpu".into(),
            Some(device) => format!("gpu/{}", device.tier()),
        }
    }

    /// The adapter's name, or the number of CPU threads.
    pub fn adapter(&self) -> String {
        let threads = || format!("{} CPU threads", rayon::current_num_threads());
        match self {
            Self::Cpu => threads(),
            Self::Gpu(device) if device.lost().is_some() => format!("{}, since {} was lost", threads(), device.name()),
            Self::Gpu(device) => device.name().to_owned(),
        }
    }

    /// Loads `plan`: compiles and uploads what all its executors share.
    pub fn program(&self, plan: Plan) -> Program {
        match self.gpu() {
            None => Program::Cpu(Arc::new(plan)),
            Some(device) => Program::Gpu(Arc::new(GpuProgram::new(Arc::clone(device), plan))),
        }
    }

    /// The only executor of `plan`.
    pub fn executor(&self, plan: Plan) -> Executor {
        self.program(plan).executor()
    }
}

/// A plan with its constants on a backend. Cheap to clone; any number of executors share it, each with state of its own.
#[derive(Clone, Debug)]
pub enum Program {
    /// For the CPU twins.
    Cpu(Arc<Plan>),
    /// For a GPU.
    Gpu(Arc<GpuProgram>),
}

impl Program {
    /// A new executor: allocates everything that a replay needs beside the constants.
    pub fn executor(&self) -> Executor {
        match self {
            Self::Cpu(plan) => Executor::Cpu(CpuExecutor::new(Arc::clone(plan))),
            Self::Gpu(program) if program.device().lost().is_some() => {
                Executor::Cpu(CpuExecutor::new(Arc::clone(program.plan())))
            }
            Self::Gpu(program) => Executor::Gpu(Box::new(GpuExecutor::new(Arc::clone(program)))),
        }
    }
}

/// The value of an environment variable; `None` where it is not set or empty.
fn environment<T>(variable: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, ComputeError> {
    let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.to_string_lossy();
    read(&value).map(Some).map_err(|why| ComputeError::Environment { variable, value: value.into_owned(), why })
}

/// A plan bound to a backend, ready for replay.
#[derive(Debug)]
pub enum Executor {
    /// Runs the twins.
    Cpu(CpuExecutor),
    /// Runs the WGSL.
    Gpu(Box<GpuExecutor>),
}

impl Executor {
    /// Writes an input or a state tensor.
    ///
    /// # Panics
    /// Where `tensor` is neither, or `data` has another length: both are mistakes in the caller's code.
    pub fn write<T: bytemuck::NoUninit + bytemuck::AnyBitPattern>(&mut self, tensor: Tensor, data: &[T]) {
        let words: &[u32] = bytemuck::cast_slice(data);
        match self {
            Self::Cpu(e) => e.write(tensor, words),
            Self::Gpu(e) => e.write(tensor, words),
        }
    }

    /// Replays the plan. Where the GPU is lost the replay is done again on the CPU, with the same inputs, and this executor stays there: who draws notices
    /// nothing but the time it takes. [`Device::on_loss`] tells.
    ///
    /// # Errors
    /// None at present.
    pub fn run(&mut self) -> Result<(), ComputeError> {
        match self {
            Self::Cpu(e) => e.run(),
            Self::Gpu(e) => {
                if let Err(why) = e.run() {
                    let mut cpu = e.on_the_cpu();
                    e.program().device().lose(why);
                    cpu.run();
                    *self = Self::Cpu(cpu);
                }
            }
        }
        Ok(())
    }

    /// From the start of the last replay to the plan's [mark](PlanBuilder::mark). `None` on a GPU, which replays in one piece.
    pub fn lap(&self) -> Option<Duration> {
        match self {
            Self::Cpu(e) => Some(e.lap()),
            Self::Gpu(_) => None,
        }
    }

    /// What the last replay left in an output tensor.
    ///
    /// # Panics
    /// Where `tensor` is not an output of the plan.
    pub fn read<T: bytemuck::NoUninit + bytemuck::AnyBitPattern>(&self, tensor: Tensor) -> &[T] {
        bytemuck::cast_slice(match self {
            Self::Cpu(e) => e.read(tensor),
            Self::Gpu(e) => e.read(tensor),
        })
    }

    /// Replays on the CPU with a clock around every step: kernel name (or `copy`) and time. On a GPU the whole replay is one entry.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn run_timed(&mut self) -> Result<Vec<(&'static str, Duration)>, ComputeError> {
        match self {
            Self::Cpu(e) => Ok(e.run_timed()),
            Self::Gpu(_) => {
                let start = std::time::Instant::now();
                self.run()?;
                Ok(vec![("replay", start.elapsed())])
            }
        }
    }
}
