//! Compute: the only room that knows wgpu.
//!
//! A network's pass is recorded once as data (a [`Plan`]: dispatches and copies over tensors whose memory was planned from their lifetimes)
//! and replayed every frame by one of two executors: `gpu` runs the WGSL kernels through wgpu, `cpu` their twins. Model code exists once.
//!
//! A [`Tensor`] has a shape and a type, which are checked against the WGSL where it is recorded. Words that never change are [`Constant`]s, held once a process;
//! what belongs to one of many, an avatar's pictures and places, is bound where an executor is made ([`Bindings`]).
//!
//! Nothing here waits for a device by itself: it is opened by a future, and a replay is [submitted](Executor::submit) and then [polled](Executor::poll).
//! [`Executor::run`] does both and waits in between by the [`Wait`] that whoever opened the device brought along.

mod bindings;
mod cpu;
mod device;
mod error;
mod executor;
mod gpu;
mod lifetimes;
mod plan;
mod step;
mod store;
mod tensor;
mod trial;

pub use bindings::Bindings;
pub use cpu::CpuExecutor;
pub use device::{AdapterReport, Device, Wait, adapters};
pub use error::{ComputeError, PlanError};
pub use executor::{Compute, Executor, Program};
pub use gpu::{GpuExecutor, GpuProgram};
pub use plan::{Dispatch, Plan, PlanBuilder};
pub use step::Grid;
pub use store::Constant;
pub use tensor::{Data, Element, Shape, Tensor};
pub use vultus_shaders::Tier;
