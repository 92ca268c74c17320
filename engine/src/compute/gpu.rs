//! The GPU executor: replays a plan through wgpu. Buffers, bind groups and pipelines are made once; a replay encodes, submits and reads back.
//!
//! A device may be lost between any two calls. The executor therefore keeps on the host what the CPU needs to go on: the plan with its constants, what the
//! host wrote last, and what state tensors held after the last replay.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::cpu::CpuExecutor;
use super::device::Device;
use super::plan::{Plan, Role, Step, Tensor};

/// WebGPU's alignment of a uniform binding's offset.
const UNIFORM_ALIGN: usize = 256;
/// A replay that takes longer is one that never ends. Generous: the largest network takes seconds on a software adapter.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Command {
    Dispatch { pipeline: Arc<wgpu::ComputePipeline>, bind: wgpu::BindGroup, groups: [u32; 3] },
    Copy { from: usize, from_at: u64, to: usize, to_at: u64, len: u64 },
}

#[derive(Debug)]
struct Readback {
    slab: usize,
    staging: wgpu::Buffer,
    words: Vec<u32>,
}

/// What executors of one plan share on the GPU: constants and parameters.
#[derive(Debug)]
pub struct GpuProgram {
    device: Arc<Device>,
    plan: Arc<Plan>,
    /// A buffer where the slab is a constant's.
    constants: Vec<Option<wgpu::Buffer>>,
    uniforms: wgpu::Buffer,
    /// Bytes from one dispatch's parameters to the next one's.
    slot: usize,
}

impl GpuProgram {
    /// Uploads constants and parameters, compiles pipelines.
    pub fn new(device: Arc<Device>, plan: Plan) -> Self {
        let gpu = &device.device;
        let mut constants = vec![None; plan.slabs.lens.len()];
        for (i, info) in plan.tensors.iter().enumerate() {
            if let Role::Constant(words) = &info.role {
                let buffer = slab_buffer(&device, plan.label, words.len());
                device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
                constants[plan.slabs.of[i]] = Some(buffer);
            }
        }
        let all_params = || {
            plan.steps.iter().filter_map(|s| {
                if let Step::Dispatch { params, kernel, .. } = s { Some((params, kernel)) } else { None }
            })
        };
        let slot = all_params().map(|(p, _)| p.len()).max().unwrap_or(0).next_multiple_of(UNIFORM_ALIGN);
        let uniforms = gpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: (all_params().count() * slot).max(UNIFORM_ALIGN) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        for (i, (params, kernel)) in all_params().enumerate() {
            device.queue.write_buffer(&uniforms, (i * slot) as u64, params);
            device.pipeline(kernel);
        }
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

/// A plan with its buffers on the GPU.
#[derive(Debug)]
pub struct GpuExecutor {
    program: Arc<GpuProgram>,
    slabs: Vec<wgpu::Buffer>,
    commands: Vec<Command>,
    readbacks: Vec<(Tensor, Readback)>,
    /// What the host wrote last into inputs and states.
    written: HashMap<Tensor, Vec<u32>>,
}

impl GpuExecutor {
    /// Creates buffers and bind groups.
    pub fn new(program: Arc<GpuProgram>) -> Self {
        let GpuProgram { device, plan, constants, uniforms, slot } = &*program;
        let gpu = &device.device;
        let slabs: Vec<wgpu::Buffer> = constants
            .iter()
            .zip(&plan.slabs.lens)
            .map(|(constant, words)| constant.clone().unwrap_or_else(|| slab_buffer(device, plan.label, *words)))
            .collect();
        let mut commands = Vec::with_capacity(plan.steps.len());
        let mut at = 0u64;
        for step in &plan.steps {
            commands.push(match step {
                Step::Dispatch { kernel, params, tensors, grid } => {
                    let pipeline = device.pipeline(kernel);
                    let range = |buffer, offset, bytes: usize| {
                        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                            buffer,
                            offset,
                            size: wgpu::BufferSize::new(bytes as u64),
                        })
                    };
                    let mut entries =
                        vec![wgpu::BindGroupEntry { binding: 0, resource: range(uniforms, at, params.len()) }];
                    for (i, t) in tensors.iter().enumerate() {
                        entries.push(wgpu::BindGroupEntry {
                            binding: i as u32 + 1,
                            resource: range(&slabs[plan.slab(*t)], 0, t.len() * 4),
                        });
                    }
                    let bind = gpu.create_bind_group(&wgpu::BindGroupDescriptor {
                        label: Some(kernel.name),
                        layout: &pipeline.get_bind_group_layout(0),
                        entries: &entries,
                    });
                    at += *slot as u64;
                    Command::Dispatch {
                        pipeline,
                        bind,
                        groups: grid.workgroups(kernel.variant(device.tier()).workgroup),
                    }
                }
                Step::Copy { from, from_at, to, to_at, len } => Command::Copy {
                    from: plan.slab(*from),
                    from_at: *from_at as u64 * 4,
                    to: plan.slab(*to),
                    to_at: *to_at as u64 * 4,
                    len: *len as u64 * 4,
                },
            });
        }

        let readbacks = (0..plan.tensors.len())
            .filter(|i| plan.tensors[*i].output || matches!(plan.tensors[*i].role, Role::State))
            .map(|i| {
                let len = plan.tensors[i].len;
                let staging = gpu.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("readback"),
                    size: len as u64 * 4,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                (plan.tensor(i), Readback { slab: plan.slabs.of[i], staging, words: vec![0; len] })
            })
            .collect();
        Self { program: Arc::clone(&program), slabs, commands, readbacks, written: HashMap::new() }
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        let GpuProgram { plan, device, .. } = &*self.program;
        plan.check_write(tensor, words.len());
        device.queue.write_buffer(&self.slabs[plan.slab(tensor)], 0, bytemuck::cast_slice(words));
        let kept = self.written.entry(tensor).or_default();
        kept.clear();
        kept.extend_from_slice(words);
    }

    pub(super) fn program(&self) -> &GpuProgram {
        &self.program
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        self.program.plan.check_read(tensor);
        &self.readbacks.iter().find(|(t, _)| *t == tensor).expect("outputs have a readback").1.words
    }

    /// Replays, or says why the device is of no use any more.
    pub(super) fn run(&mut self) -> Result<(), String> {
        // wgpu panics where waiting for a device fails because it is gone.
        let replayed = catch_unwind(AssertUnwindSafe(|| self.replay()));
        let outcome = replayed.unwrap_or_else(|_| Err("its driver failed while it was waited for".to_owned()));
        match (self.program.device.lost(), outcome) {
            (None, Ok(())) => Ok(()),
            (Some(why), _) => Err(why.to_owned()),
            (None, Err(why)) => Err(why),
        }
    }

    /// The same plan on the CPU, as it was before the replay that failed. State goes on from the last replay that did not.
    pub(super) fn on_the_cpu(&self) -> CpuExecutor {
        let plan = &self.program.plan;
        let mut cpu = CpuExecutor::new(Arc::clone(plan));
        let states = self.readbacks.iter().filter(|(t, _)| matches!(plan.tensors[t.index()].role, Role::State));
        for (tensor, kept) in states {
            cpu.write(*tensor, &kept.words);
        }
        for (tensor, words) in &self.written {
            cpu.write(*tensor, words);
        }
        cpu
    }

    fn replay(&mut self) -> Result<(), String> {
        let GpuProgram { plan, device, .. } = &*self.program;
        let mut encoder =
            device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(plan.label) });
        let mut commands = self.commands.iter().peekable();
        while let Some(command) = commands.next() {
            match command {
                Command::Copy { from, from_at, to, to_at, len } => {
                    encoder.copy_buffer_to_buffer(&self.slabs[*from], *from_at, &self.slabs[*to], *to_at, *len);
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
            encoder.copy_buffer_to_buffer(&self.slabs[r.slab], 0, &r.staging, 0, r.staging.size());
        }
        device.queue.submit([encoder.finish()]);

        let (sender, receiver) = mpsc::channel();
        for (_, r) in &self.readbacks {
            let sender = sender.clone();
            r.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver lives until all callbacks have run.
                let _ = sender.send(result);
            });
        }
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) };
        device.device.poll(wait).map_err(|e| e.to_string())?;
        for _ in 0..self.readbacks.len() {
            // Polling has run all callbacks, unless the device was lost.
            receiver.try_recv().map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        }
        if device.lost().is_some() {
            // Mapped or not, what lies there is not to be trusted.
            return Err("it was lost".to_owned());
        }
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
