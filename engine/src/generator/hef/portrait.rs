//! A portrait that the network has seen: everything of it that frames share.

use super::trust::trust;
use super::{
    Crop, FrameTensors, HefInputs, HefWeights, Observer, Person, STYLE_WORDS, record, record_blend, record_bound,
    record_cut_out, record_inputs, record_range, record_source,
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
    /// Share of the changes that is shown.
    trust: f32,
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
        let (pixels, trust) = (super::portrait(&source, side), trust(&avatar.pose));
        Ok(Self { weights: weights.clone(), crop, trust, pixels, pyramid })
    }

    /// Records a frame of `size` × `size`: `frame.linear`, which the network sees, is changed, and out of it `person` is cut, if asked for. Gives the
    /// input (260) for [`super::Style::words`].
    pub(in crate::generator) fn record(
        &self,
        plan: &mut PlanBuilder,
        size: usize,
        frame: &FrameTensors,
        person: Option<Person>,
    ) -> Tensor {
        let config = self.weights.config();
        let inputs = HefInputs {
            driven: record_inputs(plan, config.crop, self.crop, size, frame),
            portrait: plan.constant("portrait", &self.pixels),
            style: plan.input("style", STYLE_WORDS),
            pyramid: self.pyramid.iter().map(|level| plan.constant("F^s", level)).collect(),
        };
        let made = record(plan, &self.weights, &inputs, 1, false);
        let side = config.crop;
        let range = if config.prior {
            let range = record_range(plan, side, inputs.driven);
            record_bound(plan, side, [inputs.driven, range, made.result]);
            range
        } else {
            // What knows nothing of the composite is not held to it.
            let plane = (side / 4).pow(2);
            plan.constant("no bounds", &[vec![-1e9f32; 3 * plane], vec![1e9f32; 3 * plane]].concat())
        };
        record_blend(plan, side, self.crop, size, self.trust, [made.result, range], frame.linear);
        if let Some(person) = person {
            record_cut_out(plan, side, self.crop, size, self.trust, [made.result, inputs.driven, frame.linear], person);
        }
        inputs.style
    }
}

#[cfg(test)]
mod tests {
    use crate::assets::Assets;
    use crate::avatar::AvatarFile;

    use crate::compute::Compute;
    use crate::face::FaceModel;
    use crate::generator::hef::HefWeights;
    use crate::generator::picture::{Layers, srgb_to_linear};
    use crate::generator::{Generator, Method, OutputFormat, PortraitGenerator};

    #[test]
    fn a_cut_out_over_its_own_background_is_the_picture() {
        let assets = Assets::embedded();
        let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("a face model");
        let weights = HefWeights::read(assets.weights("hef_nano.safetensors").expect("weights")).expect("nano");
        let size = 256;
        let jaw = model.expression_index("jawOpen").expect("an ARKit name");
        for name in ["amara", "ingrid", "lea"] {
            let avatar = assets.avatar(name).expect("a built-in avatar");
            let mut beta = avatar.beta;
            beta[jaw] = 0.3;
            let [picture, person] = [OutputFormat::Rgba, OutputFormat::RgbaCutOut].map(|format| {
                let method = Method::Learned(&weights);
                let mut generator =
                    PortraitGenerator::new(&Compute::Cpu, &model, &avatar, size, format, method).expect("a good size");
                generator.frame(&beta, &[0.0, 0.2, 0.05, 0.0, 0.0, 0.0]).expect("the CPU is there").bytes.to_vec()
            });
            let background = Layers::new(&avatar, size).background;
            let mut sum = 0.0;
            let pixels = picture.chunks_exact(4).zip(person.chunks_exact(4)).zip(&background);
            for ((picture, person), background) in pixels {
                let alpha = f32::from(person[3]) / 255.0;
                for c in 0..3 {
                    let laid = alpha * srgb_to_linear(person[c]) + (1.0 - alpha) * background[c];
                    sum += (laid.max(0.0).sqrt() - srgb_to_linear(picture[c]).sqrt()).powi(2);
                }
            }
            let psnr = -10.0 * (sum / (3 * size * size) as f32).log10();
            assert!(psnr > 48.0, "{name}: {psnr:.1} dB");
        }
    }

    #[test]
    fn light_that_nobody_had_in_training_garbles_nobody() {
        let assets = Assets::embedded();
        let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("a face model");
        let weights = HefWeights::read(assets.weights("hef_nano.safetensors").expect("weights")).expect("nano");
        let size = 256;
        let smile = ["mouthSmileLeft", "mouthSmileRight"].map(|n| model.expression_index(n).expect("an ARKit name"));
        let mut avatar = assets.avatar("amara").expect("a built-in avatar");
        let mut beta = avatar.beta;
        smile.iter().for_each(|i| beta[*i] = 0.5);
        let change = |avatar: &AvatarFile| {
            let [was, is] = [Method::Geometric, Method::Learned(&weights)].map(|method| {
                let mut generator =
                    PortraitGenerator::new(&Compute::Cpu, &model, avatar, size, OutputFormat::Rgba, method)
                        .expect("a good size");
                generator.frame(&beta, &[0.0, -0.17, 0.0, 0.0, 0.0, 0.0]).expect("the CPU is there").bytes.to_vec()
            });
            let off: u64 = was.iter().zip(&is).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            off as f32 / was.len() as f32
        };
        let usual = change(&avatar);
        // All that is not the same from every side, thirty times as strong: without the hold on styles this is four times the usual change.
        avatar.gamma[3..].iter_mut().for_each(|g| *g *= 30.0);
        let strange = change(&avatar);
        assert!(usual > 0.2 && strange < 2.0 * usual, "levels off: {usual:.2} in usual light, {strange:.2} in strange");
    }
}
