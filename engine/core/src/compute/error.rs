//! What can go wrong: with a device, and in a recording.

use vultus_shaders::Tier;

/// A mistake in what was recorded, bound, written or read. Every message names the plan, the tensor, what was expected and what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A kernel was given too many tensors, or too few.
    #[error("plan `{plan}`, kernel `{kernel}`: expected {expected} tensors, got {got}")]
    Count {
        /// Label of the plan.
        plan: &'static str,
        /// Name of the kernel.
        kernel: &'static str,
        /// The kernel's bindings.
        expected: usize,
        /// Tensors there.
        got: usize,
    },
    /// A binding was given a tensor that it cannot take.
    #[error("plan `{plan}`, kernel `{kernel}`, binding `{binding}`: expected {expected}, got tensor `{tensor}`, {got}")]
    Binding {
        /// Label of the plan.
        plan: &'static str,
        /// Name of the kernel.
        kernel: &'static str,
        /// Name of the binding.
        binding: &'static str,
        /// What the kernel's WGSL says.
        expected: String,
        /// Label of the tensor.
        tensor: &'static str,
        /// What the tensor is.
        got: String,
    },
    /// A tensor is none, or was given data or a use that is not its own.
    #[error("plan `{plan}`, tensor `{tensor}`: expected {expected}, got {got}")]
    Tensor {
        /// Label of the plan.
        plan: &'static str,
        /// Label of the tensor.
        tensor: &'static str,
        /// What the tensor takes.
        expected: String,
        /// What was given.
        got: String,
    },
    /// Elements cannot be copied like this.
    #[error("plan `{plan}`, copy of {len} from {from} to {to}: expected {expected}")]
    Copy {
        /// Label of the plan.
        plan: &'static str,
        /// What is read, and from which element on.
        from: String,
        /// What is written, and from which element on.
        to: String,
        /// Elements.
        len: usize,
        /// What would do.
        expected: &'static str,
    },
    /// Parameters were not bound, or to a step that does not take them.
    #[error("plan `{plan}`, step {step}: expected {expected}, got {got}")]
    Parameters {
        /// Label of the plan.
        plan: &'static str,
        /// Number of the step.
        step: usize,
        /// What is there.
        expected: String,
        /// What was bound.
        got: String,
    },
}

/// What can go wrong with a device, or with what it is given to do.
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
        expected: Tier,
        /// Tier there.
        got: Tier,
    },
    /// A result was waited for where no thread may wait.
    #[error("this thread cannot wait for the GPU `{0}`: submit and poll instead of run, or use the cpu backend")]
    NoWait(String),
    /// The driver refused or lost the device.
    #[error("GPU `{adapter}` failed: {why}; update its driver or use the cpu backend (--backend cpu)")]
    Device {
        /// Its name.
        adapter: String,
        /// The driver's words.
        why: String,
    },
    /// A mistake in a plan or in its use.
    #[error(transparent)]
    Plan(#[from] PlanError),
}
