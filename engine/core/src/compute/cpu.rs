//! The CPU executor: replays a plan on the twins.

use std::sync::Arc;
use std::time::Duration;

use super::bindings::Bindings;
use super::plan::Plan;
use super::step::{Role, Step};
use super::tensor::Tensor;
use crate::timing::Clock;

/// A plan with its memory on the CPU. What is resident stays where it is, and any number of executors read it.
#[derive(Debug)]
pub struct CpuExecutor {
    plan: Arc<Plan>,
    bindings: Bindings,
    slabs: Vec<Vec<u32>>,
    /// From the start of the last replay to the plan's mark.
    lap: Duration,
    clock: Clock,
}

impl CpuExecutor {
    /// Allocates the plan's slabs. The bindings are good ones.
    pub(super) fn new(plan: Arc<Plan>, bindings: Bindings) -> Self {
        let slabs = plan.slabs.lens.iter().map(|words| vec![0; *words]).collect();
        Self { plan, bindings, slabs, lap: Duration::ZERO, clock: Clock::default() }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn rebind(&mut self, bindings: Bindings) {
        self.bindings = bindings;
    }

    pub(super) fn write(&mut self, tensor: Tensor, words: &[u32]) {
        self.slabs[self.plan.slab(tensor)][..words.len()].copy_from_slice(words);
    }

    pub(super) fn read(&self, tensor: Tensor) -> &[u32] {
        words(&self.plan, &self.bindings, &self.slabs, tensor)
    }

    pub(super) fn run(&mut self) {
        let start = self.clock.now();
        for index in 0..self.plan.steps.len() {
            if Some(index) == self.plan.mark {
                self.lap = self.clock.now() - start;
            }
            run_step(&self.plan, &self.bindings, index, &mut self.slabs);
        }
    }

    pub(super) fn timed_by(&mut self, clock: Clock) {
        self.clock = clock;
    }

    pub(super) fn lap(&self) -> Duration {
        self.lap
    }

    pub(super) fn run_timed(&mut self, clock: Clock) -> Vec<(&'static str, Duration)> {
        let mut times = Vec::with_capacity(self.plan.steps.len());
        for (index, step) in self.plan.steps.iter().enumerate() {
            let start = clock.now();
            run_step(&self.plan, &self.bindings, index, &mut self.slabs);
            times.push((step.name(), clock.now() - start));
        }
        times
    }
}

/// What a tensor holds, be it resident or in a slab.
fn words<'a>(plan: &'a Plan, bindings: &'a Bindings, slabs: &'a [Vec<u32>], tensor: Tensor) -> &'a [u32] {
    let all = match &plan.tensors[tensor.index()].role {
        Role::Constant(constant) => constant.words(),
        Role::Bound => bindings.constant(tensor.index()).words(),
        _ => &slabs[plan.slab(tensor)],
    };
    &all[..tensor.words()]
}

fn run_step(plan: &Plan, bindings: &Bindings, index: usize, slabs: &mut [Vec<u32>]) {
    match &plan.steps[index] {
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
                .map(|(t, _)| words(plan, bindings, slabs, *t))
                .collect();
            let lens = tensors.iter().zip(kernel.bindings).filter(|(_, b)| b.writes).map(|(t, _)| t.words());
            let mut writes: Vec<&mut [u32]> =
                taken.iter_mut().zip(lens).map(|((_, all), len)| &mut all[..len]).collect();
            // Uniform structs may hold vectors, which bytemuck wants aligned; a copy into u128s is.
            let params = bindings.params_of(index).unwrap_or(params);
            (kernel.twin)(aligned(params).as_slice(), &reads, &mut writes);
            for (slab, all) in taken {
                slabs[slab] = all;
            }
        }
        Step::Copy { from, from_at, to, to_at, len } => {
            let target = plan.slab(*to);
            let mut taken = std::mem::take(&mut slabs[target]);
            taken[*to_at..to_at + len].copy_from_slice(&words(plan, bindings, slabs, *from)[*from_at..from_at + len]);
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
