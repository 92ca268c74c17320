//! The network over frames of the geometric generator, and what it has seen of portraits.

use super::channels::{SOURCE, STYLE_WORDS, portrait};
use super::crop::{
    Blend, Crop, CutOut, Driven, Person, record_blend, record_bound, record_cut_out, record_inputs, record_range,
};
use super::observe::Sight;
use super::record::{HefInputs, record, record_source};
use super::trust::trust;
use super::weights::HefWeights;
use crate::avatar::AvatarFile;
use crate::compute::{
    Bindings, Compute, ComputeError, Constant, Element::F32, PlanBuilder, PlanError, Program, Tensor,
};
use crate::face::FaceModel;
use crate::generator::frame::FrameTensors;
use crate::generator::setup::{Preparer, Setup};

/// What frames of a portrait share: E_src's pyramid, resident.
#[derive(Clone, Debug)]
pub(in crate::generator) struct LearnedPortrait {
    crop: Crop,
    /// Share of the changes that is shown.
    trust: f32,
    /// See [`Setup::plain`].
    plain: f32,
    /// (1, C, C, 4): colours and matte.
    pixels: Constant,
    /// (1, channels, side, side) each, coarsest first.
    pyramid: Vec<Constant>,
}

/// E_src, recorded once for all portraits.
#[derive(Debug)]
pub(in crate::generator) struct LearnedPortraits {
    sight: Sight,
    program: Program,
    source: Tensor,
    levels: Vec<Tensor>,
}

impl LearnedPortraits {
    /// For pictures of `size`².
    pub(in crate::generator) fn new(
        compute: &Compute,
        model: &FaceModel,
        preparer: &Preparer,
        size: usize,
        weights: &HefWeights,
    ) -> Result<Self, PlanError> {
        let side = weights.config().crop;
        let mut plan = PlanBuilder::new("E_src");
        let source = plan.input("source", [1, SOURCE, side, side], F32);
        let levels = record_source(&mut plan, weights, source, 1);
        let sight = Sight::new(compute, model, preparer, size, side)?;
        Ok(Self { sight, program: compute.program(plan.finish()?), source, levels })
    }

    /// Runs E_src over `avatar`'s portrait, in a crop around the head.
    pub(in crate::generator) fn look(
        &self,
        model: &FaceModel,
        avatar: &AvatarFile,
        setup: &Setup,
        size: usize,
    ) -> Result<LearnedPortrait, ComputeError> {
        let side = self.source.shape().last();
        let crop = Crop::of(model, avatar, size);
        let source = self.sight.of(model, avatar, setup, crop)?.source()?;
        let mut executor = self.program.executor(&Bindings::default())?;
        executor.write(self.source, &source)?;
        executor.run()?;
        let level = |t: &Tensor| Ok(Constant::new(t.shape(), executor.read::<f32>(*t)?));
        let pyramid = self.levels.iter().map(level).collect::<Result<_, PlanError>>()?;
        let pixels = Constant::new([1, side, side, 4], &portrait(&source, side));
        Ok(LearnedPortrait { crop, trust: trust(&avatar.pose), plain: setup.plain, pixels, pyramid })
    }
}

/// The network in a frame's recording.
#[derive(Debug)]
pub(in crate::generator) struct LearnedFrame {
    /// Input (260): for [`super::Style::words`].
    pub style: Tensor,
    portrait: Tensor,
    pyramid: Vec<Tensor>,
    driven: Driven,
    blend: Blend,
    cut_out: Option<CutOut>,
}

impl LearnedFrame {
    /// Records it: `frame.linear`, which the network sees, is changed, and out of it `person` is cut, if asked for.
    pub(in crate::generator) fn record(
        plan: &mut PlanBuilder,
        weights: &HefWeights,
        frame: &FrameTensors,
        person: Option<Person>,
    ) -> Self {
        let config = weights.config();
        let side = config.crop;
        let driven = record_inputs(plan, side, frame);
        let inputs = HefInputs {
            driven: driven.tensor,
            portrait: plan.bound("portrait", [1, side, side, 4], F32),
            style: plan.input("style", [1, STYLE_WORDS], F32),
            pyramid: (config.source.iter().zip(&config.levels))
                .map(|(channels, side)| plan.bound("F^s", [1, *channels, *side, *side], F32))
                .collect(),
        };
        let result = record(plan, weights, &inputs, 1, false).result;
        let range = if config.prior {
            let range = record_range(plan, inputs.driven);
            record_bound(plan, [inputs.driven, range, result]);
            range
        } else {
            // What knows nothing of the composite is not held to it.
            let plane = (side / 4).pow(2);
            let bounds = [vec![-1e9f32; 3 * plane], vec![1e9f32; 3 * plane]].concat();
            plan.constant("no bounds", [6, side / 4, side / 4], &bounds)
        };
        let blend = record_blend(plan, [result, range], frame.linear);
        let cut_out = person.map(|person| record_cut_out(plan, [result, inputs.driven, frame.linear], person));
        let HefInputs { portrait, style, pyramid, .. } = inputs;
        Self { style, portrait, pyramid, driven, blend, cut_out }
    }

    /// Binds a portrait that the network has seen.
    pub(in crate::generator) fn bind(&self, bindings: &mut Bindings, seen: &LearnedPortrait) {
        let LearnedPortrait { crop, trust, plain, pixels, pyramid } = seen;
        bindings.tensor(self.portrait, pixels.clone());
        self.pyramid.iter().zip(pyramid).for_each(|(tensor, level)| bindings.tensor(*tensor, level.clone()));
        self.driven.bind(bindings, *crop);
        self.blend.bind(bindings, *crop, *trust, *plain);
        if let Some(cut_out) = &self.cut_out {
            cut_out.bind(bindings, *crop, *trust);
        }
    }
}
