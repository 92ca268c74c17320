//! Records layers, and keeps what tests and measurements ask for.

use crate::compute::{Element::F32, PlanBuilder, Tensor};

/// Activations by the names that golden files have for them.
pub type Probes = Vec<(String, Tensor)>;

/// One recorded step, in order, for measurements.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes, by the name that its weights have.
    pub name: String,
    /// Two for each product that is added up, without zeros that fill up; 0 for steps that do little else than move.
    pub flop: u64,
}

/// Some channels of a tensor (B, channels, …).
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub tensor: Tensor,
    pub first: usize,
    pub channels: usize,
}

impl From<Tensor> for Span {
    fn from(tensor: Tensor) -> Self {
        Self { tensor, first: 0, channels: tensor.shape()[1] }
    }
}

impl Span {
    /// `channels` of these from `first` on.
    pub(crate) fn part(self, first: usize, channels: usize) -> Self {
        debug_assert!(first + channels <= self.channels, "{first} + {channels} of {} channels", self.channels);
        Self { first: self.first + first, channels, ..self }
    }

    /// Channels of the whole tensor.
    pub(crate) fn total(self) -> usize {
        self.tensor.shape()[1]
    }

    /// Side of a planar tensor.
    pub(crate) fn side(self) -> usize {
        self.tensor.shape().last()
    }
}

pub(crate) struct Recorder<'a> {
    pub plan: &'a mut PlanBuilder,
    pub batch: usize,
    pub steps: Vec<Step>,
    probes: Option<Probes>,
    nothing: Option<[Tensor; 2]>,
}

impl<'a> Recorder<'a> {
    /// Over `batch` members at once; `probe` keeps the activations that are [probed](Self::probe) readable.
    pub(crate) fn new(plan: &'a mut PlanBuilder, batch: usize, probe: bool) -> Self {
        Self { plan, batch, steps: Vec::new(), probes: probe.then(Vec::new), nothing: None }
    }

    /// A planar tensor.
    pub(crate) fn planar(&mut self, label: &'static str, channels: usize, side: usize) -> Span {
        self.plan.temp(label, [self.batch, channels, side, side], F32).into()
    }

    /// What stands where a layer needs a tensor that it does not look at: two that differ.
    pub(crate) fn nothing(&mut self) -> [Tensor; 2] {
        let plan = &mut *self.plan;
        *self
            .nothing
            .get_or_insert_with(|| ["nothing", "nothing else"].map(|label| plan.constant(label, [1], &[1.0f32])))
    }

    pub(crate) fn step(&mut self, name: impl Into<String>, flop: usize) {
        self.steps.push(Step { name: name.into(), flop: (flop * self.batch) as u64 });
    }

    /// Keeps a copy of an activation for the golden test.
    pub(crate) fn probe(&mut self, name: impl Into<String>, x: impl Into<Span>) {
        let Some(probes) = &mut self.probes else { return };
        let x: Span = x.into();
        let plane: usize = x.tensor.shape().dims()[2..].iter().product();
        let copy = self.plan.temp("probe", [self.batch, x.channels, plane], F32);
        for b in 0..self.batch {
            let from = (b * x.total() + x.first) * plane;
            self.plan.copy(x.tensor, from, copy, b * x.channels * plane, x.channels * plane);
        }
        self.plan.output(copy);
        probes.push((name.into(), copy));
    }

    /// The activations that were kept; none unless they were asked for.
    pub(crate) fn probes(&mut self) -> Probes {
        self.probes.take().unwrap_or_default()
    }
}
