//! Backends, and what they run.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::bindings::Bindings;
use super::cpu::CpuExecutor;
use super::device::Device;
use super::error::{ComputeError, PlanError};
use super::gpu::{GpuExecutor, GpuProgram};
use super::plan::Plan;
use super::tensor::{Data, Tensor, words_of};
use crate::timing::Clock;

/// An opened backend, from which executors are made. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Compute {
    /// The CPU twins.
    Cpu,
    /// A GPU.
    Gpu(Arc<Device>),
}

impl Compute {
    /// The GPU, where there is one and it has not been lost.
    fn gpu(&self) -> Option<&Arc<Device>> {
        match self {
            Self::Gpu(device) if device.lost().is_none() => Some(device),
            _ => None,
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

    /// The only executor of `plan`, in which nothing is bound.
    ///
    /// # Errors
    /// Something is.
    pub fn executor(&self, plan: Plan) -> Result<Executor, PlanError> {
        self.program(plan).executor(&Bindings::default())
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
    fn plan(&self) -> &Arc<Plan> {
        match self {
            Self::Cpu(plan) => plan,
            Self::Gpu(program) => program.plan(),
        }
    }

    /// A new executor with what is bound: allocates everything that a replay needs beside what is resident.
    ///
    /// # Errors
    /// A [bound](super::PlanBuilder::bound) tensor lacks its constant, or has one of another shape or type; `bindings` are another plan's.
    pub fn executor(&self, bindings: &Bindings) -> Result<Executor, PlanError> {
        bindings.check(self.plan())?;
        Ok(match self {
            Self::Gpu(program) if program.device().lost().is_none() => {
                Executor::Gpu(Box::new(GpuExecutor::new(Arc::clone(program), bindings.clone())))
            }
            _ => Executor::Cpu(CpuExecutor::new(Arc::clone(self.plan()), bindings.clone())),
        })
    }
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
    fn plan(&self) -> &Plan {
        match self {
            Self::Cpu(e) => e.plan(),
            Self::Gpu(e) => e.program().plan(),
        }
    }

    /// Binds something else: another avatar to a session that goes on. Records and compiles nothing; memory, inputs and states stay.
    ///
    /// # Errors
    /// As [`Program::executor`].
    pub fn rebind(&mut self, bindings: &Bindings) -> Result<(), PlanError> {
        bindings.check(self.plan())?;
        match self {
            Self::Cpu(e) => e.rebind(bindings.clone()),
            Self::Gpu(e) => e.rebind(bindings.clone()),
        }
        Ok(())
    }

    /// Writes an input or a state tensor.
    ///
    /// # Errors
    /// `tensor` is neither, or holds another type or number of elements than `data`.
    pub fn write<T: Data>(&mut self, tensor: Tensor, data: &[T]) -> Result<(), PlanError> {
        self.plan().check_write(tensor, T::ELEMENT, size_of_val(data))?;
        let words = words_of(data);
        match self {
            Self::Cpu(e) => e.write(tensor, &words),
            Self::Gpu(e) => e.write(tensor, &words),
        }
        Ok(())
    }

    /// Starts a replay. The CPU does it at once; a GPU is given the work, and [`Executor::poll`] tells when it is done. Nothing may be written in between.
    pub fn submit(&mut self) {
        match self {
            Self::Cpu(e) => e.run(),
            Self::Gpu(e) => e.submit(),
        }
    }

    /// Whether the replay that was submitted is done, so that [`Executor::read`] gives its results. Never waits. Where the GPU is lost the replay is done again on
    /// the CPU, with the same inputs, and this executor stays there: who draws notices nothing but the time it takes. [`Device::on_loss`] tells.
    ///
    /// # Errors
    /// None at present.
    pub fn poll(&mut self) -> Poll<Result<(), ComputeError>> {
        let Self::Gpu(e) = self else { return Poll::Ready(Ok(())) };
        match e.poll() {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(why)) => {
                let mut cpu = e.on_the_cpu();
                e.program().device().lose(why);
                cpu.run();
                *self = Self::Cpu(cpu);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Replays the plan and waits for its results: [`Executor::submit`] and [`Executor::poll`] in one.
    ///
    /// # Errors
    /// [`ComputeError::NoWait`] where this thread cannot wait for the device.
    pub fn run(&mut self) -> Result<(), ComputeError> {
        self.submit();
        loop {
            if let Poll::Ready(done) = self.poll() {
                return done;
            }
            // Ready from here on, or it is a device that nobody can wait for.
            let Self::Gpu(e) = self else { continue };
            e.wait()?;
        }
    }

    /// Who tells this executor the time, for [`Executor::lap`].
    pub fn timed_by(mut self, clock: Clock) -> Self {
        if let Self::Cpu(e) = &mut self {
            e.timed_by(clock);
        }
        self
    }

    /// From the start of the last replay to the plan's [mark](super::PlanBuilder::mark). `None` on a GPU, which replays in one piece.
    pub fn lap(&self) -> Option<Duration> {
        match self {
            Self::Cpu(e) => Some(e.lap()),
            Self::Gpu(_) => None,
        }
    }

    /// What the last replay left in an output tensor.
    ///
    /// # Errors
    /// `tensor` is not an output of the plan, or holds another type.
    pub fn read<T: Data>(&self, tensor: Tensor) -> Result<&[T], PlanError> {
        self.plan().check_read(tensor, T::ELEMENT, size_of::<T>())?;
        Ok(bytemuck::cast_slice(match self {
            Self::Cpu(e) => e.read(tensor),
            Self::Gpu(e) => e.read(tensor),
        }))
    }

    /// Replays on the CPU with a clock around every step: kernel name (or `copy`) and time. On a GPU the whole replay is one entry.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn run_timed(&mut self, clock: Clock) -> Result<Vec<(&'static str, Duration)>, ComputeError> {
        match self {
            Self::Cpu(e) => Ok(e.run_timed(clock)),
            Self::Gpu(_) => {
                let start = clock.now();
                self.run()?;
                Ok(vec![("replay", clock.now() - start)])
            }
        }
    }
}
