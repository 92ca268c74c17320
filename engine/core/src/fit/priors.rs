//! How much each coefficient may be used to explain points, before any was seen.
//!
//! A portrait shows few expressions, and what drives it replaces them: what of a face's shape is taken for an expression by mistake is undone when it talks
//! (thick lips, bulging eyes). So only those are free that pictures do show, and the rest is left to identity. A film of a known face may use more.

use super::FitError;
use crate::avatar::EXPRESSION;

/// What a fit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Whose face it is.
    Portrait,
    /// What a known face does.
    Film,
}

/// Standard deviation of identity.
pub(super) const ALPHA: f64 = 0.7;
/// Of what the two sides of a face do differently.
const SIDES: [f64; 2] = [0.12, 0.2];

/// Expressions, without their side where both have the same, and their standard deviations in portraits and in films; 0 where no point tells of it.
const TABLE: &[(&str, f64, f64)] = &[
    ("eyeBlink", 0.4, 1.0),
    ("eyeLookDown", 0.25, 0.4),
    ("eyeLookIn", 0.25, 0.4),
    ("eyeLookOut", 0.25, 0.4),
    ("eyeLookUp", 0.25, 0.4),
    ("eyeSquint", 0.15, 0.15),
    ("eyeWide", 0.1, 0.1),
    ("jawForward", 0.05, 0.05),
    ("jawLeft", 0.05, 0.05),
    ("jawRight", 0.05, 0.05),
    ("jawOpen", 0.5, 1.0),
    ("mouthClose", 0.04, 0.25),
    ("mouthFunnel", 0.06, 0.4),
    ("mouthPucker", 0.15, 0.4),
    ("mouthLeft", 0.05, 0.05),
    ("mouthRight", 0.05, 0.05),
    ("mouthSmile", 0.5, 1.0),
    ("mouthFrown", 0.12, 0.12),
    ("mouthDimple", 0.12, 0.12),
    ("mouthStretch", 0.12, 0.4),
    ("mouthRollLower", 0.04, 0.25),
    ("mouthRollUpper", 0.04, 0.25),
    ("mouthShrugLower", 0.04, 0.04),
    ("mouthShrugUpper", 0.04, 0.04),
    ("mouthPress", 0.04, 0.25),
    ("mouthLowerDown", 0.35, 0.35),
    ("mouthUpperUp", 0.35, 0.35),
    ("browDown", 0.2, 0.4),
    ("browInnerUp", 0.2, 0.4),
    ("browOuterUp", 0.2, 0.4),
    ("cheekPuff", 0.0, 0.0),
    ("cheekSquint", 0.2, 0.2),
    ("noseSneer", 0.06, 0.06),
    ("tongueOut", 0.0, 0.0),
    ("tongueTipUp", 0.0, 0.0),
    ("tongueTipOut", 0.0, 0.0),
    ("tongueBodyUp", 0.0, 0.0),
    ("tongueBack", 0.0, 0.0),
    ("tongueWide", 0.0, 0.0),
    ("tongueDown", 0.0, 0.0),
    ("lipSeal", 0.03, 0.25),
    ("lipsPart", 0.03, 0.03),
    ("lowerLipUnderTeeth", 0.03, 0.25),
    ("lipCornersIn", 0.03, 0.03),
    ("browsTogether", 0.03, 0.03),
    ("breatheIn", 0.03, 0.03),
];

/// Standard deviations of expressions, and which of them belong together.
#[derive(Clone, Debug)]
pub(super) struct Priors {
    sigma: [[f64; 2]; EXPRESSION],
    /// Left and right of one expression. Not of gaze: what is inwards for one eye is outwards for the other.
    pub pairs: Vec<[usize; 2]>,
}

impl Priors {
    /// For expressions of these names.
    pub(super) fn new(names: &[String]) -> Result<Self, FitError> {
        let mut used = [false; TABLE.len()];
        let mut sigma = [[0.0; 2]; EXPRESSION];
        for (to, name) in sigma.iter_mut().zip(names) {
            let side = name.strip_suffix("Left").or(name.strip_suffix("Right"));
            let row = |name: &str| TABLE.iter().position(|(known, ..)| *known == name);
            let Some(k) = row(name).or(side.and_then(row)) else { return Err(FitError::Expression(name.clone())) };
            used[k] = true;
            *to = [TABLE[k].1, TABLE[k].2];
        }
        if let Some(k) = used.iter().position(|used| !used) {
            return Err(FitError::Expression(TABLE[k].0.into()));
        }
        let find = |name: &str| names.iter().position(|n| n == name);
        let pair = |name: &String| -> Option<[usize; 2]> {
            let (left, stem) = (find(name)?, name.strip_suffix("Left")?);
            let both = TABLE.iter().any(|(known, ..)| *known == stem) && !stem.starts_with("eyeLook");
            both.then(|| find(&format!("{stem}Right")).map(|right| [left, right]))?
        };
        Ok(Self { sigma, pairs: names.iter().filter_map(pair).collect() })
    }

    /// Standard deviation of an expression; 0 where it stays 0.
    pub(super) fn beta(&self, k: usize, of: Use) -> f64 {
        self.sigma[k][of as usize]
    }

    /// Of the difference between the sides.
    pub(super) fn sides(&self, of: Use) -> f64 {
        SIDES[of as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::FaceModel;
    use crate::shipped;

    #[test]
    fn every_expression_has_its_prior_and_another_name_is_an_error() {
        let model = FaceModel::read(shipped::weights("face.safetensors")).unwrap();
        let priors = Priors::new(&model.expression_names).unwrap();
        let sigma = |name: &str| priors.beta(model.expression_index(name).unwrap(), Use::Portrait);
        assert_eq!([sigma("mouthSmileRight"), sigma("mouthRight"), sigma("tongueOut")], [0.5, 0.05, 0.0]);
        let [l, r] = ["mouthSmileLeft", "mouthSmileRight"].map(|name| model.expression_index(name).unwrap());
        assert!(priors.pairs.contains(&[l, r]));
        // Jaw and mouth to one side are no halves of one thing.
        assert!(priors.pairs.iter().all(|[l, _]| {
            let name = &model.expression_names[*l];
            !name.starts_with("eyeLook") && name != "jawLeft" && name != "mouthLeft"
        }));
        let mut names = model.expression_names.clone();
        names[63] = "breatheOut".into();
        let why = Priors::new(&names).unwrap_err().to_string();
        assert!(why.contains("`breatheOut`"), "{why}");
        names[63] = "breatheIn".into();
        names[62] = "breatheIn".into();
        let why = Priors::new(&names).unwrap_err().to_string();
        assert!(why.contains("`browsTogether`"), "{why}");
    }
}
