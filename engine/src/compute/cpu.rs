//! The CPU executor: replays a plan on the twins.

use std::time::{Duration, Instant};

use super::plan::{Plan, Role, Step, Tensor};

/// A plan with its memory on the CPU.
#[derive(Debug)]
pub struct CpuExecutor {
    plan: Plan,
    slabs: Vec<Vec<u32>>,
}

impl CpuExecutor {
    /// Allocates the plan's slabs and fills in its constants.
    pub fn new(mut plan: Plan) -> Self {
        let mut slabs: Vec<Vec<u32>> = plan.slabs.lens.iter().map(|n| vec![0; *n]).collect();
        for (i, info) in plan.tensors.iter_mut().enumerate() {
            if let Role::Constant(words) = &mut info.role {
                slabs[plan.slabs.of[i]] = std::mem::take(words);
            }
        }
        Self { plan, slabs }
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        self.plan.check_write(tensor, words.len());
        self.slabs[self.plan.slab(tensor)].copy_from_slice(words);
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        self.plan.check_read(tensor);
        &self.slabs[self.plan.slab(tensor)][..tensor.len()]
    }

    pub(super) fn run(&mut self) {
        for step in &self.plan.steps {
            run_step(&self.plan, step, &mut self.slabs);
        }
    }

    pub(super) fn run_timed(&mut self) -> Vec<(&'static str, Duration)> {
        let mut times = Vec::with_capacity(self.plan.steps.len());
        for step in &self.plan.steps {
            let start = Instant::now();
            run_step(&self.plan, step, &mut self.slabs);
            times.push((step.name(), start.elapsed()));
        }
        times
    }
}

fn run_step(plan: &Plan, step: &Step, slabs: &mut [Vec<u32>]) {
    match step {
        Step::Dispatch { kernel, params, tensors, .. } => {
            // The slabs that are written leave the arena for the call, so that the others can be lent out beside them.
            let mut taken: Vec<(usize, Vec<u32>)> = tensors
                .iter()
                .zip(kernel.bindings)
                .filter(|(_, b)| b.writes)
                .map(|(t, _)| (plan.slab(*t), std::mem::take(&mut slabs[plan.slab(*t)])))
                .collect();
            let reads: Vec<&[u32]> = tensors
                .iter()
                .zip(kernel.bindings)
                .filter(|(_, b)| !b.writes)
                .map(|(t, _)| &slabs[plan.slab(*t)][..t.len()])
                .collect();
            let lens = tensors.iter().zip(kernel.bindings).filter(|(_, b)| b.writes).map(|(t, _)| t.len());
            let mut writes: Vec<&mut [u32]> =
                taken.iter_mut().zip(lens).map(|((_, words), len)| &mut words[..len]).collect();
            // Uniform structs may hold vectors, which bytemuck wants aligned; a copy into u128s is.
            (kernel.twin)(aligned(params).as_slice(), &reads, &mut writes);
            for (slab, words) in taken {
                slabs[slab] = words;
            }
        }
        Step::Copy { from, from_at, to, to_at, len } => {
            let target = plan.slab(*to);
            let mut words = std::mem::take(&mut slabs[target]);
            words[*to_at..to_at + len].copy_from_slice(&slabs[plan.slab(*from)][*from_at..from_at + len]);
            slabs[target] = words;
        }
    }
}

struct Aligned([u128; 16], usize);

impl Aligned {
    fn as_slice(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.0)[..self.1]
    }
}

fn aligned(params: &[u8]) -> Aligned {
    let mut words = [0u128; 16];
    bytemuck::bytes_of_mut(&mut words)[..params.len()].copy_from_slice(params);
    Aligned(words, params.len())
}
