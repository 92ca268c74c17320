//! The GPU executor: replays a plan through wgpu. Buffers, bind groups and pipelines are made once; a replay encodes, submits and reads back.

use std::sync::{Arc, mpsc};

use super::ComputeError;
use super::device::Device;
use super::plan::{Plan, Role, Step, Tensor};

/// WebGPU's alignment of a uniform binding's offset.
const UNIFORM_ALIGN: usize = 256;

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
    plan: Plan,
    /// A buffer where the slab is a constant's.
    constants: Vec<Option<wgpu::Buffer>>,
    uniforms: wgpu::Buffer,
    /// Bytes from one dispatch's parameters to the next one's.
    slot: usize,
}

impl GpuProgram {
    /// Uploads constants and parameters, compiles pipelines.
    pub fn new(device: Arc<Device>, mut plan: Plan) -> Self {
        let gpu = &device.device;
        let mut constants = vec![None; plan.slabs.lens.len()];
        for (i, info) in plan.tensors.iter_mut().enumerate() {
            if let Role::Constant(words) = &mut info.role {
                // The words are not needed here once the GPU has them.
                let words = std::mem::take(words);
                let buffer = slab_buffer(&device, plan.label, words.len());
                device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
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
        Self { device, plan, constants, uniforms, slot }
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
            .filter(|i| plan.tensors[*i].output)
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
        Self { program: Arc::clone(&program), slabs, commands, readbacks }
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        let GpuProgram { plan, device, .. } = &*self.program;
        plan.check_write(tensor, words.len());
        device.queue.write_buffer(&self.slabs[plan.slab(tensor)], 0, bytemuck::cast_slice(words));
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        self.program.plan.check_read(tensor);
        &self.readbacks.iter().find(|(t, _)| *t == tensor).expect("outputs have a readback").1.words
    }

    pub(super) fn run(&mut self) -> Result<(), ComputeError> {
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

        let fail = |why: String| ComputeError::Device { adapter: device.name().to_owned(), why };
        let (sender, receiver) = mpsc::channel();
        for (_, r) in &self.readbacks {
            let sender = sender.clone();
            r.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver lives until all callbacks have run.
                let _ = sender.send(result);
            });
        }
        device.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| fail(e.to_string()))?;
        for _ in 0..self.readbacks.len() {
            receiver.recv().map_err(|e| fail(e.to_string()))?.map_err(|e| fail(e.to_string()))?;
        }
        for (_, r) in &mut self.readbacks {
            {
                let view = r.staging.get_mapped_range(..).map_err(|e| fail(e.to_string()))?;
                r.words.copy_from_slice(bytemuck::cast_slice(&view));
            }
            r.staging.unmap();
        }
        Ok(())
    }
}
