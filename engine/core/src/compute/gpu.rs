//! The GPU executor: replays a plan through wgpu. Buffers, bind groups and pipelines are made once; a replay encodes, submits and reads back.
//!
//! A device may be lost between any two calls. The executor therefore keeps on the host what the CPU needs to go on: the plan with its constants, what the
//! host wrote last, and what state tensors held after the last replay.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use super::bindings::Bindings;
use super::cpu::CpuExecutor;
use super::device::Device;
use super::error::ComputeError;
use super::plan::Plan;
use super::step::{Role, Step};
use super::store::Constant;
use super::tensor::Tensor;

/// WebGPU's alignment of a uniform binding's offset.
const UNIFORM_ALIGN: usize = 256;

#[derive(Debug)]
enum Command {
    Dispatch { pipeline: Arc<wgpu::ComputePipeline>, bind: wgpu::BindGroup, groups: [u32; 3] },
    Copy { from: wgpu::Buffer, from_at: u64, to: wgpu::Buffer, to_at: u64, len: u64 },
}

#[derive(Debug)]
struct Readback {
    from: wgpu::Buffer,
    staging: wgpu::Buffer,
    words: Vec<u32>,
}

/// What executors of one plan share on the GPU: constants and parameters.
#[derive(Debug)]
pub struct GpuProgram {
    device: Arc<Device>,
    plan: Arc<Plan>,
    /// Of each tensor that is a constant. Other programs may have the same buffers.
    constants: Vec<Option<wgpu::Buffer>>,
    uniforms: wgpu::Buffer,
    /// Bytes from one dispatch's parameters to the next one's.
    slot: usize,
}

impl GpuProgram {
    /// Uploads constants and parameters, compiles pipelines.
    pub(super) fn new(device: Arc<Device>, plan: Plan) -> Self {
        let constants = plan.tensors.iter().map(|info| match &info.role {
            Role::Constant(constant) => Some(resident(&device, constant)),
            _ => None,
        });
        let constants = constants.collect();
        let params = |step: &Step| if let Step::Dispatch { params, .. } = step { params.len() } else { 0 };
        let slot = plan.steps.iter().map(params).max().unwrap_or(0).next_multiple_of(UNIFORM_ALIGN);
        for step in &plan.steps {
            if let Step::Dispatch { kernel, .. } = step {
                device.pipeline(kernel);
            }
        }
        let uniforms = uniforms(&device, &plan, slot, &Bindings::default());
        Self { device, plan: Arc::new(plan), constants, uniforms, slot }
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// What the CPU needs to go on without the device.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}

fn slab_buffer(device: &Device, label: &str, words: usize) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: words as u64 * 4,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

/// The device's buffer of a constant.
fn resident(device: &Device, constant: &Constant) -> wgpu::Buffer {
    device.store.buffer(constant, |words| {
        let buffer = slab_buffer(device, "resident", words.len());
        device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
        buffer
    })
}

/// Every step's parameters, `slot` bytes each.
fn uniforms(device: &Device, plan: &Plan, slot: usize, bindings: &Bindings) -> wgpu::Buffer {
    let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("parameters"),
        size: (plan.steps.len() * slot).max(UNIFORM_ALIGN) as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    for (i, step) in plan.steps.iter().enumerate() {
        if let Step::Dispatch { params, .. } = step {
            device.queue.write_buffer(&buffer, (i * slot) as u64, bindings.params_of(i).unwrap_or(params));
        }
    }
    buffer
}

/// A plan with its buffers on the GPU.
#[derive(Debug)]
pub struct GpuExecutor {
    program: Arc<GpuProgram>,
    bindings: Bindings,
    slabs: Vec<wgpu::Buffer>,
    commands: Vec<Command>,
    readbacks: Vec<(Tensor, Readback)>,
    /// What the host wrote last into inputs and states.
    written: HashMap<Tensor, Vec<u32>>,
    flight: Option<Flight>,
}

/// A replay that has been submitted.
#[derive(Debug)]
struct Flight {
    /// Results that are not mapped yet.
    missing: Arc<AtomicUsize>,
    /// Why one of them never will be.
    failed: Arc<OnceLock<String>>,
}

impl GpuExecutor {
    /// Creates buffers and bind groups. The bindings are good ones.
    pub(super) fn new(program: Arc<GpuProgram>, bindings: Bindings) -> Self {
        let GpuProgram { device, plan, .. } = &*program;
        let slabs: Vec<_> = plan.slabs.lens.iter().map(|words| slab_buffer(device, plan.label, *words)).collect();
        let kept = plan.tensors.iter().filter(|info| info.output || matches!(info.role, Role::State));
        let readbacks = kept
            .map(|info| {
                let words = info.tensor.words();
                let staging = device.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("readback"),
                    size: words as u64 * 4,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                (info.tensor, Readback { from: slabs[plan.slab(info.tensor)].clone(), staging, words: vec![0; words] })
            })
            .collect();
        let commands = commands(&program, &slabs, &bindings);
        Self { program, bindings, slabs, commands, readbacks, written: HashMap::new(), flight: None }
    }

    /// Makes the bind groups anew; memory and pipelines stay.
    pub(super) fn rebind(&mut self, bindings: Bindings) {
        // Of a device that is lost nothing is asked any more: the next replay finds out, and goes on with these bindings on the CPU.
        if self.program.device.lost().is_none() {
            self.commands = commands(&self.program, &self.slabs, &bindings);
        }
        self.bindings = bindings;
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        let GpuProgram { plan, device, .. } = &*self.program;
        device.queue.write_buffer(&self.slabs[plan.slab(tensor)], 0, bytemuck::cast_slice(words));
        let kept = self.written.entry(tensor).or_default();
        kept.clear();
        kept.extend_from_slice(words);
    }

    pub(super) fn program(&self) -> &GpuProgram {
        &self.program
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        &self.readbacks.iter().find(|(t, _)| *t == tensor).expect("outputs have a readback").1.words
    }

    /// Gives the device a replay to do. What goes wrong is told by [`Self::poll`].
    pub(super) fn submit(&mut self) {
        let missing = Arc::new(AtomicUsize::new(self.readbacks.len()));
        let failed = Arc::new(OnceLock::new());
        // wgpu panics where a device is gone.
        if catch_unwind(AssertUnwindSafe(|| self.encode(&missing, &failed))).is_err() {
            drop(failed.set("its driver failed while it was given work".to_owned()));
        }
        self.flight = Some(Flight { missing, failed });
    }

    /// Whether the replay is done, or why the device is of no use any more.
    pub(super) fn poll(&mut self) -> Poll<Result<(), String>> {
        let Some(flight) = &self.flight else { return Poll::Ready(Ok(())) };
        let device = &self.program.device;
        let polled = catch_unwind(AssertUnwindSafe(|| device.device.poll(wgpu::PollType::Poll)));
        let why = match (device.lost(), flight.failed.get(), polled) {
            (Some(why), ..) => Some(why.to_owned()),
            (None, Some(why), _) => Some(why.clone()),
            (None, None, Ok(Ok(_))) => None,
            (None, None, Ok(Err(error))) => Some(error.to_string()),
            (None, None, Err(_)) => Some("its driver failed while it was waited for".to_owned()),
        };
        if why.is_none() && flight.missing.load(Ordering::Acquire) > 0 {
            return Poll::Pending;
        }
        self.flight = None;
        Poll::Ready(match why {
            // Mapped or not, what lies there is not to be trusted.
            Some(why) => Err(why),
            None => self.take(),
        })
    }

    /// Waits until the replay is done or never will be, if this thread may.
    pub(super) fn wait(&mut self) -> Result<(), ComputeError> {
        let device = &self.program.device;
        let wait = device.wait.ok_or_else(|| ComputeError::NoWait(device.name().to_owned()))?;
        let waited = catch_unwind(AssertUnwindSafe(|| wait(&device.device)));
        let Some(flight) = &self.flight else { return Ok(()) };
        let why = match waited {
            Ok(Ok(())) if flight.missing.load(Ordering::Acquire) == 0 => return Ok(()),
            // Waiting runs all callbacks, unless the device was lost.
            Ok(Ok(())) => "it left a replay unfinished".to_owned(),
            Ok(Err(why)) => why,
            Err(_) => "its driver failed while it was waited for".to_owned(),
        };
        drop(flight.failed.set(why));
        Ok(())
    }

    /// The same plan on the CPU, as it was before the replay that failed. State goes on from the last replay that did not.
    pub(super) fn on_the_cpu(&self) -> CpuExecutor {
        let plan = &self.program.plan;
        let mut cpu = CpuExecutor::new(Arc::clone(plan), self.bindings.clone());
        let states = self.readbacks.iter().filter(|(t, _)| matches!(plan.tensors[t.index()].role, Role::State));
        for (tensor, kept) in states {
            cpu.write(*tensor, &kept.words);
        }
        for (tensor, words) in &self.written {
            cpu.write(*tensor, words);
        }
        cpu
    }

    fn encode(&self, missing: &Arc<AtomicUsize>, failed: &Arc<OnceLock<String>>) {
        let GpuProgram { plan, device, .. } = &*self.program;
        let mut encoder =
            device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(plan.label) });
        let mut commands = self.commands.iter().peekable();
        while let Some(command) = commands.next() {
            match command {
                Command::Copy { from, from_at, to, to_at, len } => {
                    encoder.copy_buffer_to_buffer(from, *from_at, to, *to_at, *len);
                }
                Command::Dispatch { .. } => {
                    // Neighbouring dispatches share a pass; wgpu puts the barriers between them.
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    let mut next = Some(command);
                    while let Some(Command::Dispatch { pipeline, bind, groups }) = next {
                        pass.set_pipeline(pipeline);
                        pass.set_bind_group(0, bind, &[]);
                        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
                        next = commands.next_if(|c| matches!(c, Command::Dispatch { .. }));
                    }
                }
            }
        }
        for (_, r) in &self.readbacks {
            encoder.copy_buffer_to_buffer(&r.from, 0, &r.staging, 0, r.staging.size());
        }
        device.queue.submit([encoder.finish()]);

        for (_, r) in &self.readbacks {
            let (missing, failed) = (Arc::clone(missing), Arc::clone(failed));
            r.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                if let Err(error) = result {
                    // The first reason is as good as the others.
                    drop(failed.set(error.to_string()));
                }
                missing.fetch_sub(1, Ordering::Release);
            });
        }
    }

    /// Copies what the device has left for the host.
    fn take(&mut self) -> Result<(), String> {
        let GpuProgram { plan, .. } = &*self.program;
        for (tensor, r) in &mut self.readbacks {
            {
                let view = r.staging.get_mapped_range(..).map_err(|e| e.to_string())?;
                r.words.copy_from_slice(bytemuck::cast_slice(&view));
            }
            r.staging.unmap();
            if matches!(plan.tensors[tensor.index()].role, Role::State) {
                // The replay has changed what the host once wrote.
                self.written.remove(tensor);
            }
        }
        Ok(())
    }
}

/// Every step with its pipeline and its buffers.
fn commands(program: &GpuProgram, slabs: &[wgpu::Buffer], bindings: &Bindings) -> Vec<Command> {
    let GpuProgram { device, plan, constants, slot, .. } = program;
    let bound = |i: usize| match &plan.tensors[i].role {
        Role::Bound => resident(device, bindings.constant(i)),
        _ => constants[i].clone().unwrap_or_else(|| slabs[plan.slabs.of[i]].clone()),
    };
    let buffers: Vec<wgpu::Buffer> = (0..plan.tensors.len()).map(bound).collect();
    let own = bindings.has_params().then(|| uniforms(device, plan, *slot, bindings));
    let uniforms = own.as_ref().unwrap_or(&program.uniforms);
    let range = |buffer, offset, bytes: usize| {
        let size = wgpu::BufferSize::new(bytes as u64);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
    };
    let command = |(i, step): (usize, &Step)| match step {
        Step::Dispatch { kernel, params, tensors, grid, .. } => {
            let pipeline = device.pipeline(kernel);
            let parameters = range(uniforms, (i * slot) as u64, params.len());
            let entries: Vec<_> = std::iter::once(parameters)
                .chain(tensors.iter().map(|t| range(&buffers[t.index()], 0, t.words() * 4)))
                .zip(0..)
                .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
                .collect();
            let bind = device.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.name),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let groups = grid.workgroups(kernel.variant(device.tier()).workgroup);
            Command::Dispatch { pipeline, bind, groups }
        }
        Step::Copy { from, from_at, to, to_at, len } => Command::Copy {
            from: buffers[from.index()].clone(),
            from_at: *from_at as u64 * 4,
            to: buffers[to.index()].clone(),
            to_at: *to_at as u64 * 4,
            len: *len as u64 * 4,
        },
    };
    plan.steps.iter().enumerate().map(command).collect()
}
