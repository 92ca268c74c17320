//! What a portrait keeps of its own expression while it is driven: drawn brows, narrowed eyes and a lopsided mouth are part of how somebody looks, and so is whom they
//! look at.

use super::zones::blinks;
use crate::avatar::EXPRESSION;
use crate::drive::Drive;
use crate::face::FaceModel;

/// Share of the portrait's coefficients that is kept, by the beginning of their names.
const KEPT: [(&str, f32); 5] =
    [("eyeLook", 0.85), ("brow", 0.6), ("eyeSquint", 0.6), ("eyeWide", 0.5), ("noseSneer", 0.5)];
/// Of these only what one side has more than the other is kept.
const LOPSIDED: [(&str, f32); 4] =
    [("mouthSmile", 0.5), ("mouthFrown", 0.5), ("mouthDimple", 0.5), ("mouthStretch", 0.5)];
/// Coefficients below this may be the fit's error, or a face at rest.
const CERTAIN: f32 = 0.06;

/// Coefficients that are added to a drive's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Own {
    added: [f32; EXPRESSION],
    /// Places of eyeSquint left and right, and of the blinks that leave no room for them.
    squint: [Option<usize>; 2],
    blinks: [usize; 2],
}

impl Own {
    /// `beta` is the expression that the portrait shows.
    pub(super) fn of(model: &FaceModel, beta: &[f32; EXPRESSION]) -> Self {
        let mut added = [0.0; EXPRESSION];
        let sure = |value: f32| (value - CERTAIN).max(0.0);
        for (i, name) in model.expression_names.iter().enumerate() {
            if let Some((_, share)) = KEPT.iter().find(|(kept, _)| name.starts_with(kept)) {
                added[i] = share * sure(beta[i]);
            }
        }
        for (name, share) in LOPSIDED {
            let sides = ["Left", "Right"].map(|side| model.expression_index(&format!("{name}{side}")));
            if let [Some(left), Some(right)] = sides {
                let more = beta[left] - beta[right];
                added[left] = share * sure(more);
                added[right] = share * sure(-more);
            }
        }
        let squint = ["eyeSquintLeft", "eyeSquintRight"].map(|name| model.expression_index(name));
        Self { added, squint, blinks: blinks(model) }
    }

    /// What is drawn for `drive`.
    pub(super) fn on(&self, drive: &Drive) -> Drive {
        let mut driven = drive.clone();
        for (value, own) in driven.beta.iter_mut().zip(&self.added) {
            *value = (*value + own).min(value.max(1.0));
        }
        for (squint, blink) in self.squint.iter().zip(&self.blinks) {
            if let Some(i) = *squint {
                let open = (1.0 - drive.beta[*blink]).clamp(0.0, 1.0);
                driven.beta[i] = drive.beta[i] + (driven.beta[i] - drive.beta[i]) * open;
            }
        }
        driven
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped;

    #[test]
    fn a_face_at_rest_adds_nothing_and_a_frown_stays_in_part() {
        let model = FaceModel::read(shipped::weights("face.safetensors")).expect("a face model");
        let at = |name: &str| model.expression_index(name).expect("an ARKit name");
        let mut drive = Drive::default();
        drive.beta[at("jawOpen")] = 0.4;
        // The shipped portraits smile a little, nearly evenly.
        let amara = Own::of(&model, &shipped::avatar("amara").beta);
        assert_eq!(amara.on(&drive), drive);

        let mut portrait = [0.0; EXPRESSION];
        for (name, value) in [("browDownLeft", 0.56), ("eyeLookOutLeft", 0.46), ("eyeSquintLeft", 0.46)] {
            portrait[at(name)] = value;
        }
        (portrait[at("mouthSmileLeft")], portrait[at("mouthSmileRight")]) = (0.8, 0.34);
        let own = Own::of(&model, &portrait);
        let driven = own.on(&drive).beta;
        let near =
            |name: &str, value: f32| assert!((driven[at(name)] - value).abs() < 1e-6, "{name}: {}", driven[at(name)]);
        near("jawOpen", 0.4);
        near("browDownLeft", 0.3);
        near("eyeLookOutLeft", 0.34);
        near("eyeSquintLeft", 0.24);
        near("mouthSmileLeft", 0.2);
        near("mouthSmileRight", 0.0);
        // Nothing exceeds its bounds, and a shut eye does not squint as well.
        drive.beta[at("browDownLeft")] = 0.9;
        drive.beta[at("eyeBlinkLeft")] = 1.0;
        let driven = own.on(&drive).beta;
        assert_eq!([driven[at("browDownLeft")], driven[at("eyeSquintLeft")]], [1.0, 0.0]);
    }
}
