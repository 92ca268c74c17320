//! Plans the arena: which tensors may share memory, from when they are first written and last read.
//!
//! The arena is a set of slabs rather than one block with offsets, because WebGPU forbids binding one buffer for reading and for writing in
//! one dispatch, even at ranges that do not overlap. A slab is a buffer on the GPU and a vector on the CPU.

use super::step::{Role, Step, TensorInfo};

/// Slab of each tensor that is not resident, words of each slab.
#[derive(Debug, Default)]
pub(super) struct Slabs {
    pub(super) of: Vec<usize>,
    pub(super) lens: Vec<usize>,
}

/// Temps take the best-fitting free slab at their first use and give it back after their last; all others own a slab for good,
/// but for resident ones, which have none.
pub(super) fn plan(tensors: &[TensorInfo], steps: &[Step]) -> Slabs {
    let mut span: Vec<Option<(usize, usize)>> = vec![None; tensors.len()];
    for (at, step) in steps.iter().enumerate() {
        let (reads, writes) = step.uses();
        for t in reads.iter().chain(&writes) {
            let first = span[t.index()].map_or(at, |s| s.0);
            span[t.index()] = Some((first, at));
        }
    }
    let shared = |i: usize| matches!(tensors[i].role, Role::Temp) && !tensors[i].output && span[i].is_some();

    let mut slabs = Slabs { of: vec![usize::MAX; tensors.len()], lens: Vec::new() };
    for (i, t) in tensors.iter().enumerate() {
        if !shared(i) && !t.role.resident() {
            slabs.of[i] = slabs.lens.len();
            slabs.lens.push(t.tensor.words());
        }
    }
    let mut free: Vec<usize> = Vec::new();
    for at in 0..steps.len() {
        for i in 0..tensors.len() {
            if shared(i) && span[i].is_some_and(|s| s.0 == at) {
                let fits = free
                    .iter()
                    .copied()
                    .enumerate()
                    .filter(|(_, s)| slabs.lens[*s] >= tensors[i].tensor.words())
                    .min_by_key(|(_, s)| slabs.lens[*s]);
                // Where none is large enough, the largest free one grows: cheaper than a new slab beside it.
                let pick = fits.or_else(|| free.iter().copied().enumerate().max_by_key(|(_, s)| slabs.lens[*s]));
                let slab = match pick {
                    Some((k, slab)) => {
                        free.swap_remove(k);
                        slabs.lens[slab] = slabs.lens[slab].max(tensors[i].tensor.words());
                        slab
                    }
                    None => {
                        slabs.lens.push(tensors[i].tensor.words());
                        slabs.lens.len() - 1
                    }
                };
                slabs.of[i] = slab;
            }
        }
        for i in 0..tensors.len() {
            if shared(i) && span[i].is_some_and(|s| s.1 == at) {
                free.push(slabs.of[i]);
            }
        }
    }
    slabs
}

#[cfg(test)]
mod tests {
    use super::super::plan::PlanBuilder;
    use super::super::tensor::Element::F32;

    #[test]
    fn temps_share_memory_only_when_their_lives_do_not_overlap() {
        let mut b = PlanBuilder::new("test");
        let input = b.input("in", [8], F32);
        let temps: Vec<_> = (0..4).map(|_| b.temp("t", [8], F32)).collect();
        let out = b.temp("out", [16], F32);
        b.output(out);
        b.copy(input, 0, temps[0], 0, 8);
        b.copy(temps[0], 0, temps[1], 0, 8);
        b.copy(temps[1], 0, temps[2], 0, 8); // temps[0] is free from here on
        b.copy(temps[2], 0, temps[3], 0, 8);
        b.copy(temps[3], 0, out, 0, 8);
        b.copy(temps[2], 0, out, 8, 8);
        let plan = b.finish().unwrap();
        let slab: Vec<_> = temps.iter().map(|t| plan.slab(*t)).collect();
        assert_ne!(slab[0], slab[1]);
        assert_ne!(slab[1], slab[2]);
        assert_ne!(slab[2], slab[3], "both live until the end");
        assert_eq!(slab[0], slab[2], "the first is dead when the third is born");
        assert_eq!(plan.words(), 8 + 16 + 2 * 8);
    }
}
