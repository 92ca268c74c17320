//! A pass as data: what is computed from what, recorded once.

use vultus_shaders::{Kernel, KernelParams};

use super::error::PlanError;
use super::lifetimes::{self, Slabs};
use super::step::{Grid, Role, Step, TensorInfo};
use super::store::Constant;
use super::tensor::{Data, Element, Shape, Tensor, described};

/// A recorded kernel whose parameters, some of them at least, are [bound](super::Bindings::params).
#[derive(Clone, Copy, Debug)]
pub struct Dispatch<P> {
    pub(super) step: usize,
    pub(super) params: P,
}

/// Records a [`Plan`]. A mistake does not stop the recording: [`PlanBuilder::finish`] gives the first.
#[derive(Debug)]
pub struct PlanBuilder {
    label: &'static str,
    tensors: Vec<TensorInfo>,
    steps: Vec<Step>,
    mark: Option<usize>,
    mistake: Option<PlanError>,
}

impl PlanBuilder {
    /// An empty plan; `label` names it in errors.
    pub fn new(label: &'static str) -> Self {
        Self { label, tensors: Vec::new(), steps: Vec::new(), mark: None, mistake: None }
    }

    fn note(&mut self, mistake: PlanError) {
        self.mistake.get_or_insert(mistake);
    }

    fn add(&mut self, label: &'static str, role: Role, shape: Shape, element: Element) -> Tensor {
        let tensor = Tensor::new(self.tensors.len(), shape, element);
        let bytes = tensor.bytes();
        if bytes == 0 || !bytes.is_multiple_of(4) || u32::try_from(bytes / 4).is_err() {
            let expected = "one to 2³² − 1 whole words".to_owned();
            self.note(PlanError::Tensor { plan: self.label, tensor: label, expected, got: tensor.to_string() });
        }
        self.tensors.push(TensorInfo { label, role, tensor, output: false });
        tensor
    }

    /// A tensor that the host writes before a replay.
    pub fn input(&mut self, label: &'static str, shape: impl Into<Shape>, element: Element) -> Tensor {
        self.add(label, Role::Input, shape.into(), element)
    }

    /// Fixed words of this plan alone: small tables. What is shared or large is [resident](Self::resident).
    pub fn constant<T: Data>(&mut self, label: &'static str, shape: impl Into<Shape>, data: &[T]) -> Tensor {
        self.resident(label, &Constant::new(shape, data))
    }

    /// Fixed words that others may hold too: weights, tables of the face model.
    pub fn resident(&mut self, label: &'static str, constant: &Constant) -> Tensor {
        let tensor = self.add(label, Role::Constant(constant.clone()), constant.shape(), constant.element());
        if let Err(mistake) = fills(self.label, label, tensor, constant) {
            self.note(mistake);
        }
        tensor
    }

    /// Fixed words that each executor is [made with](super::Program::executor): what belongs to an avatar.
    pub fn bound(&mut self, label: &'static str, shape: impl Into<Shape>, element: Element) -> Tensor {
        self.add(label, Role::Bound, shape.into(), element)
    }

    /// A tensor that keeps its words from one replay to the next.
    pub fn state(&mut self, label: &'static str, shape: impl Into<Shape>, element: Element) -> Tensor {
        self.add(label, Role::State, shape.into(), element)
    }

    /// A tensor that lives inside a replay. Its words are undefined until they are written.
    pub fn temp(&mut self, label: &'static str, shape: impl Into<Shape>, element: Element) -> Tensor {
        self.add(label, Role::Temp, shape.into(), element)
    }

    /// Makes `tensor` readable by the host after a replay.
    pub fn output(&mut self, tensor: Tensor) {
        let plan = self.label;
        match self.tensors.get_mut(tensor.index()) {
            Some(info) if info.tensor == tensor && !info.role.resident() => info.output = true,
            _ => {
                let (expected, tensor_label) = ("a tensor of this plan that is computed", self.name(tensor));
                let (expected, got) = (expected.to_owned(), tensor.to_string());
                self.note(PlanError::Tensor { plan, tensor: tensor_label, expected, got });
            }
        }
    }

    /// Label of a tensor, whosever it is.
    fn name(&self, tensor: Tensor) -> &'static str {
        self.tensors
            .get(tensor.index())
            .filter(|info| info.tensor == tensor)
            .map_or("of another plan", |info| info.label)
    }

    fn fixed(&self, tensor: Tensor) -> bool {
        self.tensors.get(tensor.index()).is_none_or(|info| info.role.resident() || matches!(info.role, Role::Input))
    }

    fn is_ours(&self, tensor: Tensor) -> bool {
        self.tensors.get(tensor.index()).is_some_and(|info| info.tensor == tensor)
    }

    /// Records a kernel. `tensors` are its storage bindings in order: all different, of the types that the WGSL says, and none that is written is a constant
    /// or an input.
    pub fn dispatch<P: KernelParams>(&mut self, params: P, tensors: &[Tensor], grid: Grid) {
        self.step(params, false, tensors, grid);
    }

    /// Records a kernel whose parameters each executor is [made with](super::Program::executor): numbers that belong to an avatar. Those that
    /// do not stand in `params`.
    pub fn dispatch_bound<P: KernelParams>(&mut self, params: P, tensors: &[Tensor], grid: Grid) -> Dispatch<P> {
        let step = self.steps.len();
        self.step(params, true, tensors, grid);
        Dispatch { step, params }
    }

    fn step<P: KernelParams>(&mut self, params: P, bound: bool, tensors: &[Tensor], grid: Grid) {
        let kernel = P::KERNEL;
        if let Some(mistake) = self.mistaken(kernel, tensors) {
            return self.note(mistake);
        }
        let (params, tensors) = (bytemuck::bytes_of(&params).to_vec(), tensors.to_vec());
        self.steps.push(Step::Dispatch { kernel, params, bound, tensors, grid });
    }

    /// What is wrong with a kernel's tensors.
    fn mistaken(&self, kernel: &'static Kernel, tensors: &[Tensor]) -> Option<PlanError> {
        let plan = self.label;
        let bindings = kernel.bindings;
        if tensors.len() != bindings.len() {
            let (expected, got) = (bindings.len(), tensors.len());
            return Some(PlanError::Count { plan, kernel: kernel.name, expected, got });
        }
        tensors.iter().zip(bindings).enumerate().find_map(|(i, (t, b))| {
            let is = t.to_string();
            let array = match b.lanes {
                1 => format!("array<{}>", b.element),
                lanes => format!("array<vec{lanes}<{}>>", b.element),
            };
            let (expected, got) = if !self.is_ours(*t) {
                ("a tensor of this plan".to_owned(), is)
            } else if t.element() != b.element {
                (array, is)
            } else if !t.shape().last().is_multiple_of(b.lanes) {
                (format!("{array}: a last dimension that {} divides", b.lanes), is)
            } else if let Some(k) = tensors[..i].iter().position(|other| other == t) {
                ("another tensor".to_owned(), format!("which `{}` has already", bindings[k].name))
            } else if b.writes && self.fixed(*t) {
                ("a tensor that can be written".to_owned(), "which the host writes or nobody does".to_owned())
            } else {
                return None;
            };
            let (binding, tensor) = (b.name, self.name(*t));
            Some(PlanError::Binding { plan, kernel: kernel.name, binding, expected, tensor, got })
        })
    }

    /// Records a copy of `len` elements between two tensors of one type.
    pub fn copy(&mut self, from: Tensor, from_at: usize, to: Tensor, to_at: usize, len: usize) {
        let words = |n: usize| (n * from.element().bytes() / 4, (n * from.element().bytes()).is_multiple_of(4));
        let inside = |t: Tensor, at: usize| at.checked_add(len).is_some_and(|end| end <= t.elements());
        let expected = if !self.is_ours(from) || !self.is_ours(to) {
            "tensors of this plan"
        } else if from == to {
            "two tensors"
        } else if from.element() != to.element() {
            "one type"
        } else if !inside(from, from_at) || !inside(to, to_at) {
            "ranges inside both"
        } else if self.fixed(to) {
            "a tensor that can be written"
        } else if ![from_at, to_at, len].iter().all(|n| words(*n).1) {
            "whole words"
        } else {
            let [from_at, to_at, len] = [from_at, to_at, len].map(|n| words(n).0);
            self.steps.push(Step::Copy { from, from_at, to, to_at, len });
            return;
        };
        let end = |t: Tensor, at: usize| format!("`{}`, {t}, at {at}", self.name(t));
        let (plan, from, to) = (self.label, end(from, from_at), end(to, to_at));
        self.note(PlanError::Copy { plan, from, to, len, expected });
    }

    /// Marks a place between two steps: executors that can tell how long a replay took up to here.
    pub fn mark(&mut self) {
        self.mark = Some(self.steps.len());
    }

    /// Plans the memory and ends the recording.
    ///
    /// # Errors
    /// The first mistake that was made in it.
    pub fn finish(self) -> Result<Plan, PlanError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let slabs = lifetimes::plan(&self.tensors, &self.steps);
        Ok(Plan { label: self.label, tensors: self.tensors, steps: self.steps, slabs, mark: self.mark })
    }
}

/// Whether a constant has as many words as its shape.
fn fills(plan: &'static str, label: &'static str, tensor: Tensor, constant: &Constant) -> Result<(), PlanError> {
    if constant.bytes() == tensor.bytes() {
        return Ok(());
    }
    let got = described(constant.element(), constant.bytes());
    Err(PlanError::Tensor { plan, tensor: label, expected: tensor.to_string(), got })
}

/// A recorded pass with its memory planned; see [`super::Compute::executor`].
#[derive(Debug)]
pub struct Plan {
    pub(super) label: &'static str,
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) steps: Vec<Step>,
    pub(super) slabs: Slabs,
    pub(super) mark: Option<usize>,
}

impl Plan {
    /// 32-bit words of memory that an executor needs beside what is resident.
    pub fn words(&self) -> usize {
        self.slabs.lens.iter().sum()
    }

    /// The slab of a tensor that is not resident.
    pub(super) fn slab(&self, tensor: Tensor) -> usize {
        self.slabs.of[tensor.index()]
    }

    /// What is known of a tensor, if it is one of this plan.
    pub(super) fn info(&self, tensor: Tensor) -> Option<&TensorInfo> {
        self.tensors.get(tensor.index()).filter(|info| info.tensor == tensor)
    }

    pub(super) fn mistake(&self, tensor: Tensor, expected: impl Into<String>, got: impl Into<String>) -> PlanError {
        let tensor = self.info(tensor).map_or("of another plan", |info| info.label);
        PlanError::Tensor { plan: self.label, tensor, expected: expected.into(), got: got.into() }
    }

    pub(super) fn check_fills(&self, tensor: Tensor, constant: &Constant) -> Result<(), PlanError> {
        fills(self.label, self.info(tensor).map_or("", |info| info.label), tensor, constant)
    }

    /// Whether the host may write so much of this type there.
    pub(super) fn check_write(&self, tensor: Tensor, element: Element, bytes: usize) -> Result<(), PlanError> {
        let written = |info: &&TensorInfo| matches!(info.role, Role::Input | Role::State);
        if self.info(tensor).filter(written).is_none() {
            return Err(self.mistake(
                tensor,
                "an input or a state of this plan",
                format!("{tensor}, which is neither"),
            ));
        }
        if (element, bytes) == (tensor.element(), tensor.bytes()) {
            return Ok(());
        }
        Err(self.mistake(tensor, tensor.to_string(), described(element, bytes)))
    }

    /// Whether the host may read this type there.
    pub(super) fn check_read(&self, tensor: Tensor, element: Element, size: usize) -> Result<(), PlanError> {
        if !self.info(tensor).is_some_and(|info| info.output) {
            return Err(self.mistake(tensor, "an output of this plan", format!("{tensor}, which is none")));
        }
        if element == tensor.element() && tensor.bytes().is_multiple_of(size) {
            return Ok(());
        }
        Err(self.mistake(tensor, tensor.to_string(), format!("{element} in rows of {size} bytes")))
    }
}

#[cfg(test)]
mod tests {
    use vultus_shaders::kernels::{LayerNormParams, TentBlurParams};

    use super::super::tensor::Element::{F16, F32, U32};
    use super::super::{Bindings, Compute, Constant};
    use super::{Grid, PlanBuilder};

    /// What `finish` says of a recording.
    fn refused(record: impl FnOnce(&mut PlanBuilder)) -> String {
        let mut plan = PlanBuilder::new("plan");
        record(&mut plan);
        plan.finish().expect_err("a mistake").to_string()
    }

    fn says(text: &str, words: &[&str]) {
        assert!(words.iter().all(|word| text.contains(word)), "{text}\nlacks one of {words:?}");
    }

    const NORM: LayerNormParams = LayerNormParams { rows: 2, width: 8, eps: 1e-5 };

    #[test]
    fn a_kernel_takes_tensors_of_its_types_only() {
        let norm = |shape: [usize; 2], ty, to: Option<usize>| {
            refused(move |plan| {
                let x = plan.input("x", shape, ty);
                let scale = plan.constant("scale", [8], &[1.0f32; 8]);
                let y = plan.temp("y", [2, 8], F32);
                let tensors = [x, scale, x, y];
                match to {
                    None => plan.dispatch(NORM, &[x, scale, y], Grid::linear(1)),
                    Some(2) => plan.dispatch(NORM, &tensors, Grid::linear(1)),
                    Some(_) => {
                        let shift = plan.constant("shift", [8], &[0.0f32; 8]);
                        plan.dispatch(NORM, &[x, scale, shift, scale], Grid::linear(1))
                    }
                };
            })
        };
        says(&norm([2, 8], F32, None), &["`plan`", "`layer_norm`", "expected 4 tensors", "got 3"]);
        says(
            &norm([2, 8], U32, Some(2)),
            &["`plan`", "`layer_norm`", "`x`", "expected array<f32>", "got tensor `x`, u32 [2, 8]"],
        );
        says(&norm([2, 8], F16, Some(2)), &["array<f32>", "f16 [2, 8]"]);
        says(&norm([2, 8], F32, Some(2)), &["`bias`", "expected another tensor", "`x`", "has already"]);
        says(&norm([2, 8], F32, Some(3)), &["`y`", "expected", "tensor `scale`", "which `weight` has already"]);
        let text = refused(|plan| {
            let (x, y) = (plan.input("x", [4, 2], F32), plan.input("y", [4, 2], F32));
            plan.dispatch(TentBlurParams::default(), &[x, y], Grid::linear(1));
        });
        says(&text, &["`tent_blur`", "`to_field`", "expected a tensor that can be written", "tensor `y`"]);
        let text = refused(|plan| {
            let (x, y) = (plan.input("x", [2, 3], F32), plan.temp("y", [4, 2], F32));
            plan.dispatch(TentBlurParams::default(), &[x, y], Grid::linear(1));
        });
        says(&text, &["`from_field`", "array<vec2<f32>>", "2 divides", "tensor `x`, f32 [2, 3]"]);
        let other = PlanBuilder::new("other").temp("theirs", [9], F32);
        let text = refused(|plan| {
            let y = plan.temp("y", [4, 2], F32);
            plan.dispatch(TentBlurParams::default(), &[other, y], Grid::linear(1));
        });
        says(&text, &["`from_field`", "expected a tensor of this plan", "of another plan", "f32 [9]"]);
    }

    #[test]
    fn tensors_constants_copies_and_outputs_are_checked() {
        says(
            &refused(|plan| {
                plan.temp("none", [4, 0], F32);
            }),
            &["`none`", "2³²", "f32 [4, 0]"],
        );
        says(
            &refused(|plan| {
                plan.temp("half", [3], F16);
            }),
            &["whole words", "f16 [3]"],
        );
        says(
            &refused(|plan| {
                plan.temp("vast", [1 << 31, 2], F32);
            }),
            &["2³²", "`vast`"],
        );
        let text = refused(|plan| {
            plan.constant("table", [2, 4], &[1u32; 7]);
        });
        says(&text, &["`plan`", "`table`", "expected u32 [2, 4]", "got u32, 7 elements"]);
        let text = refused(|plan| {
            let (x, y) = (plan.input("x", [4], F32), plan.temp("y", [4], F32));
            plan.copy(x, 2, y, 0, 3);
        });
        says(&text, &["copy of 3", "`x`, f32 [4], at 2", "`y`, f32 [4], at 0", "expected ranges inside both"]);
        let text = refused(|plan| {
            let (x, y) = (plan.input("x", [4], F32), plan.temp("y", [4], U32));
            plan.copy(x, 0, y, 0, 4);
        });
        says(&text, &["f32 [4]", "u32 [4]", "expected one type"]);
        let text = refused(|plan| {
            let fixed = plan.constant("fixed", [1], &[1.0f32]);
            plan.output(fixed);
        });
        says(&text, &["`fixed`", "expected a tensor of this plan that is computed", "f32 [1]"]);
    }

    #[test]
    fn the_host_writes_and_reads_what_a_tensor_holds() {
        let mut plan = PlanBuilder::new("plan");
        let x = plan.input("x", [2, 4], F32);
        let y = plan.temp("y", [2, 4], F32);
        plan.copy(x, 0, y, 0, 8);
        plan.output(y);
        let mut executor = Compute::Cpu.executor(plan.finish().unwrap()).unwrap();
        says(
            &executor.write(x, &[1.0f32; 7]).unwrap_err().to_string(),
            &["`x`", "expected f32 [2, 4]", "got f32, 7 elements"],
        );
        says(&executor.write(x, &[1u32; 8]).unwrap_err().to_string(), &["expected f32 [2, 4]", "got u32, 8 elements"]);
        says(&executor.write(y, &[1.0f32; 8]).unwrap_err().to_string(), &["`y`", "an input or a state", "neither"]);
        executor.write(x, &[[1.0f32, 2.0, 3.0, 4.0]; 2]).unwrap();
        executor.run().unwrap();
        assert_eq!(executor.read::<f32>(y).unwrap()[5], 2.0);
        assert_eq!(executor.read::<[f32; 4]>(y).unwrap()[1], [1.0, 2.0, 3.0, 4.0]);
        says(&executor.read::<u32>(y).unwrap_err().to_string(), &["`y`", "expected f32 [2, 4]", "got u32"]);
        says(&executor.read::<[f32; 3]>(y).unwrap_err().to_string(), &["f32 [2, 4]", "rows of 12 bytes"]);
        says(&executor.read::<f32>(x).unwrap_err().to_string(), &["`x`", "expected an output", "none"]);
    }

    #[test]
    fn executors_share_a_program_and_differ_in_what_is_bound() {
        let mut plan = PlanBuilder::new("plan");
        let x = plan.bound("portrait", [4, 4, 2], F32);
        let y = plan.temp("y", [4, 4, 2], F32);
        let params = TentBlurParams { width: 4, height: 4, dx: 1, radius: 0 };
        let blur = plan.dispatch_bound(params, &[x, y], Grid::image(4, 4));
        plan.output(y);
        let program = Compute::Cpu.program(plan.finish().unwrap());
        let refused = |bindings: &Bindings| program.executor(bindings).expect_err("a mistake").to_string();
        let bound = |constant| {
            let mut bindings = Bindings::default();
            bindings.tensor(x, constant);
            bindings
        };
        says(&refused(&Bindings::default()), &["`plan`", "`portrait`", "f32 [4, 4, 2]", "nothing"]);
        says(&refused(&bound(Constant::new([4, 2], &[1.0f32; 8]))), &["f32 [4, 4, 2]", "f32 [4, 2]"]);
        says(&refused(&bound(Constant::new([4, 4, 2], &[1u32; 32]))), &["f32 [4, 4, 2]", "u32 [4, 4, 2]"]);
        says(&refused(&bound(Constant::new([4, 4, 2], &[1.0f32; 31]))), &["f32 [4, 4, 2]", "31 elements"]);
        let steps: Vec<f32> = (0..32).map(|k| if k % 8 < 4 { 0.0 } else { 1.0 }).collect();
        let mut one = bound(Constant::new([4, 4, 2], &steps));
        says(&refused(&one), &["`plan`", "step 0", "parameters of `tent_blur`", "got none"]);
        one.params(&blur, |p| p.radius = 1);
        let mut stray = one.clone();
        stray.tensor(y, Constant::new([4, 4, 2], &steps));
        says(&refused(&stray), &["`y`", "that is bound"]);
        let mut other = one.clone();
        other.params(&blur, |p| p.radius = 2);
        let see = |executor: &mut super::super::Executor| {
            executor.run().unwrap();
            executor.read::<f32>(y).unwrap().to_vec()
        };
        let (mut first, mut second) = (program.executor(&one).unwrap(), program.executor(&other).unwrap());
        let (narrow, wide) = (see(&mut first), see(&mut second));
        assert_ne!(narrow, wide);
        first.rebind(&other).unwrap();
        assert_eq!(see(&mut first), wide);
        first.rebind(&one).unwrap();
        assert_eq!(see(&mut first), narrow);
    }
}
