//! The CPU executor: replays a plan on the twins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::{Plan, Role, Step, Tensor};

/// A plan with its memory on the CPU. Constants stay in the plan, which any number of executors share.
#[derive(Debug)]
pub struct CpuExecutor {
    plan: Arc<Plan>,
    /// Empty where the slab is a constant's.
    slabs: Vec<Vec<u32>>,
    /// From the start of the last replay to the plan's mark.
    lap: Duration,
}

impl CpuExecutor {
    /// Allocates the plan's slabs.
    pub fn new(plan: Arc<Plan>) -> Self {
        let slabs = (0..plan.slabs.lens.len())
            .map(|slab| if plan.constant(slab).is_some() { Vec::new() } else { vec![0; plan.slabs.lens[slab]] })
            .collect();
        Self { plan, slabs, lap: Duration::ZERO }
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        self.plan.check_write(tensor, words.len());
        self.slabs[self.plan.slab(tensor)].copy_from_slice(words);
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        self.plan.check_read(tensor);
        words(&self.plan, &self.slabs, tensor)
    }

    pub(super) fn run(&mut self) {
        let start = Instant::now();
        for (index, step) in self.plan.steps.iter().enumerate() {
            if Some(index) == self.plan.mark {
                self.lap = start.elapsed();
            }
            run_step(&self.plan, step, &mut self.slabs);
        }
    }

    pub(super) fn lap(&self) -> Duration {
        self.lap
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

/// What a tensor holds, be it a constant or in a slab.
fn words<'a>(plan: &'a Plan, slabs: &'a [Vec<u32>], tensor: Tensor) -> &'a [u32] {
    let all = match &plan.tensors[tensor.index()].role {
        Role::Constant(words) => words,
        _ => &slabs[plan.slab(tensor)],
    };
    &all[..tensor.len()]
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
                .map(|(t, _)| words(plan, slabs, *t))
                .collect();
            let lens = tensors.iter().zip(kernel.bindings).filter(|(_, b)| b.writes).map(|(t, _)| t.len());
            let mut writes: Vec<&mut [u32]> =
                taken.iter_mut().zip(lens).map(|((_, all), len)| &mut all[..len]).collect();
            // Uniform structs may hold vectors, which bytemuck wants aligned; a copy into u128s is.
            (kernel.twin)(aligned(params).as_slice(), &reads, &mut writes);
            for (slab, all) in taken {
                slabs[slab] = all;
            }
        }
        Step::Copy { from, from_at, to, to_at, len } => {
            let target = plan.slab(*to);
            let mut taken = std::mem::take(&mut slabs[target]);
            taken[*to_at..to_at + len].copy_from_slice(&words(plan, slabs, *from)[*from_at..from_at + len]);
            slabs[target] = taken;
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
