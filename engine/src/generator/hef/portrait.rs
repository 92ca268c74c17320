//! A portrait that the network has seen: everything of it that frames share.

use super::{
    Crop, FrameTensors, HefInputs, HefWeights, Observer, STYLE_WORDS, record, record_blend, record_inputs,
    record_source,
};
use crate::avatar::AvatarFile;
use crate::compute::{Compute, PlanBuilder, Tensor};
use crate::face::FaceModel;
use crate::generator::GeneratorError;

/// E_src's pyramid of a portrait, and the network for its frames.
#[derive(Clone, Debug)]
pub struct LearnedPortrait {
    weights: HefWeights,
    crop: Crop,
    /// (C, C, 4): colours and matte.
    pixels: Vec<[f32; 4]>,
    /// (channels, side, side) each, coarsest first.
    pyramid: Vec<Vec<f32>>,
}

impl LearnedPortrait {
    /// Runs E_src over `avatar`'s portrait at `size` × `size`, in a crop around the head.
    ///
    /// # Errors
    /// The size is not one that the generator takes, or the device was lost.
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        weights: &HefWeights,
    ) -> Result<Self, GeneratorError> {
        let side = weights.config().crop;
        let crop = Crop::of(model, avatar, size);
        let source = Observer::new(compute, model, avatar, size, crop, side)?.source()?;
        let mut plan = PlanBuilder::new("E_src");
        let input = plan.input("source", source.len());
        let levels = record_source(&mut plan, weights, input, 1);
        let mut executor = compute.executor(plan.finish());
        executor.write(input, &source);
        executor.run()?;
        let pyramid = levels.iter().map(|level| executor.read(*level).to_vec()).collect();
        Ok(Self { weights: weights.clone(), crop, pixels: super::portrait(&source, side), pyramid })
    }

    /// Records a frame of `size` × `size`: what the network sees of `frame` changes `linear`, and where the person is cut out the alpha too. Gives the
    /// input (260) for [`super::Style::words`].
    pub(in crate::generator) fn record(
        &self,
        plan: &mut PlanBuilder,
        size: usize,
        frame: &FrameTensors,
        linear: Tensor,
        cut_out: bool,
    ) -> Tensor {
        let config = self.weights.config();
        let inputs = HefInputs {
            driven: record_inputs(plan, config.crop, self.crop, size, frame),
            portrait: plan.constant("portrait", &self.pixels),
            style: plan.input("style", STYLE_WORDS),
            pyramid: self.pyramid.iter().map(|level| plan.constant("F^s", level)).collect(),
        };
        let made = record(plan, &self.weights, &inputs, 1, false);
        record_blend(plan, config, self.crop, size, [made.result, inputs.driven], linear, cut_out);
        inputs.style
    }
}
