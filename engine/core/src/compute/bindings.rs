//! What an executor is made of besides its program.

use std::collections::BTreeMap;

use vultus_shaders::KernelParams;

use super::error::PlanError;
use super::plan::{Dispatch, Plan};
use super::step::{Role, Step};
use super::store::Constant;
use super::tensor::Tensor;

/// Resident tensors, and parameters in place of those that were recorded: what one avatar brings to a plan that all avatars share. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    tensors: BTreeMap<usize, (Tensor, Constant)>,
    params: BTreeMap<usize, Vec<u8>>,
}

impl Bindings {
    /// Binds `constant` to a [bound](super::PlanBuilder::bound) tensor.
    pub fn tensor(&mut self, tensor: Tensor, constant: Constant) {
        self.tensors.insert(tensor.index(), (tensor, constant));
    }

    /// Binds the parameters of a [bound](super::PlanBuilder::dispatch_bound) kernel: the recorded ones, changed.
    pub fn params<P: KernelParams>(&mut self, at: &Dispatch<P>, change: impl FnOnce(&mut P)) {
        let mut params = at.params;
        change(&mut params);
        self.params.insert(at.step, bytemuck::bytes_of(&params).to_vec());
    }

    /// Bytes of the tensors.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|(_, constant)| constant.bytes()).sum()
    }

    pub(super) fn constant(&self, tensor: usize) -> &Constant {
        &self.tensors[&tensor].1
    }

    /// Of a step, in place of those that were recorded.
    pub(super) fn params_of(&self, step: usize) -> Option<&[u8]> {
        self.params.get(&step).map(Vec::as_slice)
    }

    pub(super) fn has_params(&self) -> bool {
        !self.params.is_empty()
    }

    /// Whether `plan` can run with them.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), PlanError> {
        for (i, info) in plan.tensors.iter().enumerate().filter(|(_, info)| matches!(info.role, Role::Bound)) {
            let Some((_, constant)) = self.tensors.get(&i) else {
                return Err(plan.mistake(info.tensor, info.tensor.to_string(), "nothing bound to it"));
            };
            if (constant.shape(), constant.element()) != (info.tensor.shape(), info.tensor.element()) {
                return Err(plan.mistake(info.tensor, info.tensor.to_string(), format!("{constant:?}")));
            }
            plan.check_fills(info.tensor, constant)?;
        }
        for (tensor, constant) in self.tensors.values() {
            if !plan.info(*tensor).is_some_and(|info| matches!(info.role, Role::Bound)) {
                return Err(plan.mistake(*tensor, "a tensor of this plan that is bound", format!("{constant:?}")));
            }
        }
        for (step, recorded) in plan.steps.iter().enumerate() {
            let Step::Dispatch { kernel, params, bound: true, .. } = recorded else { continue };
            let got = self.params_of(step).map(<[u8]>::len);
            if got != Some(params.len()) {
                let expected = format!("parameters of `{}`, {} bytes", kernel.name, params.len());
                let got = got.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"));
                return Err(PlanError::Parameters { plan: plan.label, step, expected, got });
            }
        }
        let takes = |step: &usize| matches!(plan.steps.get(*step), Some(Step::Dispatch { bound: true, .. }));
        match self.params.keys().find(|step| !takes(step)) {
            None => Ok(()),
            Some(step) => {
                let (expected, got) = ("no parameters".to_owned(), "some".to_owned());
                Err(PlanError::Parameters { plan: plan.label, step: *step, expected, got })
            }
        }
    }
}
