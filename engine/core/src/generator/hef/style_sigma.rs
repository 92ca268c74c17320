//! What a network has for σ̂ in its style vector (eq. 7).

use serde_json::Value;

use crate::weights::{WeightError, WeightReader};

/// Where σ̂ comes from, as in the network's training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StyleSigma {
    /// Of what drives the face: [`crate::drive::Drive::sigma`].
    Driven,
    /// It was always this in training, so anything else would mean nothing.
    Constant(f32),
}

impl StyleSigma {
    /// From a weights file's metadata, `style_sigma`: the text `"driven"`, or a number. Files without it, from before there was such a key, were trained with 0.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn read(reader: &WeightReader) -> Result<Self, WeightError> {
        const KEY: &str = "style_sigma";
        let Ok(text) = reader.metadata(KEY) else { return Ok(Self::Constant(0.0)) };
        let number = |value: &Value| value.as_f64().map(|v| v as f32).filter(|v| v.is_finite());
        match serde_json::from_str(text) {
            Ok(Value::String(word)) if word == "driven" => Ok(Self::Driven),
            Ok(value) if number(&value).is_some() => Ok(Self::Constant(number(&value).unwrap_or_default())),
            _ => Err(reader.metadata_error(KEY, "expected \"driven\" or a finite number")),
        }
    }

    /// What the style vector gets where the face is driven with `sigma`.
    pub(super) fn word(self, sigma: f32) -> f32 {
        match self {
            Self::Driven => sigma,
            Self::Constant(constant) => constant,
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::compute::Compute;
    use crate::drive::Drive;
    use crate::face::FaceModel;
    use crate::generator::hef::{HefWeights, STYLE, Style};
    use crate::generator::{Generator, Method, OutputFormat, PortraitGenerator};
    use crate::shipped;

    const NANO: &str = "hef_nano.safetensors";

    /// The shipped network, with this in its metadata.
    fn nano(change: &[(&str, String)]) -> Result<HefWeights, WeightError> {
        let bytes = shipped::bytes(NANO);
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("whole");
        let mut metadata = header.metadata().clone().expect("metadata");
        metadata.extend(change.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let tensors = SafeTensors::deserialize(&bytes).expect("whole").tensors();
        let changed = safetensors::serialize(tensors, Some(metadata)).expect("as it was");
        HefWeights::read(WeightReader::new(NANO, changed)?)
    }

    #[test]
    fn sigma_reaches_a_network_that_was_trained_with_it_and_no_other() {
        let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
        let avatar = shipped::avatar("amara");
        let mut beta = avatar.beta;
        beta[model.expression_index("jawOpen").expect("an ARKit name")] = 0.3;
        let drive = |sigma| Drive { sigma, ..Drive::new(&beta, &[0.0, 0.1, 0.0, 0.0, 0.0, 0.0]) };
        let word = |weights: &HefWeights| Style::of(&model, &avatar).for_network(weights).words(&drive(2.5))[STYLE - 1];
        let draw = |weights: &HefWeights, sigma: f32| {
            let method = Method::Learned(weights);
            let generator = PortraitGenerator::new(&Compute::Cpu, &model, &avatar, 256, OutputFormat::Rgba, method);
            let mut generator = generator.expect("a good size");
            generator.frame(&drive(sigma)).expect("the CPU is there").bytes.to_vec()
        };
        let as_shipped = nano(&[]).expect("nano");
        assert_eq!((as_shipped.style_sigma(), word(&as_shipped)), (StyleSigma::Constant(0.0), 0.0));
        let picture = draw(&as_shipped, 0.0);
        assert!(draw(&as_shipped, 2.5) == picture, "the shipped network knows nothing of it");

        let wide = |word: f32| serde_json::to_string(&vec![word; STYLE]).expect("a list");
        let free = |sigma: &str| {
            let range = [("style_low", wide(-1e3)), ("style_high", wide(1e3)), ("style_sigma", sigma.to_owned())];
            nano(&range).expect("nano")
        };
        let [driven, constant] = [free("\"driven\""), free("2.5")];
        assert_eq!((driven.style_sigma(), word(&driven)), (StyleSigma::Driven, 2.5));
        assert_eq!((constant.style_sigma(), word(&constant)), (StyleSigma::Constant(2.5), 2.5));
        let [weak, strong] = [0.0, 2.5].map(|sigma| draw(&driven, sigma));
        assert!(weak != strong, "it is drawn otherwise");
        assert!(draw(&constant, 0.0) == strong, "and the constant is what it would be with that");
    }

    #[test]
    fn metadata_that_says_neither_is_refused() {
        for wrong in ["\"loud\"", "null", "1e999", "[0]", "", "driven"] {
            let why = nano(&[("style_sigma", wrong.to_owned())]).expect_err(wrong).to_string();
            assert!(why.contains(NANO) && why.contains("style_sigma") && why.contains("driven"), "{wrong}: {why}");
        }
    }
}
