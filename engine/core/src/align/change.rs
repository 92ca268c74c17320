//! What may be wrong with a fit, and by how much: independent normal errors of α, the portrait's β and its pose.

use crate::avatar::{EXPRESSION, IDENTITY, POSE};
use crate::face::Placement;

/// Of a change: α 80, β 64, pose 6.
pub const PARAMETERS: usize = IDENTITY + EXPRESSION + POSE;
/// Standard deviations: α, β, angles in radians, x and y, z in metres.
const ALPHA: f32 = 0.7;
const BETA: f32 = 0.25;
const POSES: [f32; POSE] = [0.08, 0.08, 0.06, 0.015, 0.015, 0.06];

/// In standard deviations.
pub type Change = [f32; PARAMETERS];

/// The standard deviation of each.
pub fn deviations() -> Change {
    std::array::from_fn(|k| match k.checked_sub(IDENTITY) {
        None => ALPHA,
        Some(k) => k.checked_sub(EXPRESSION).map_or(BETA, |k| POSES[k]),
    })
}

/// A placement, changed.
pub fn changed(from: &Placement, by: &Change) -> Placement {
    let mut to = from.clone();
    let values = to.alpha.iter_mut().chain(&mut to.beta).chain(&mut to.pose);
    values.zip(deviations()).zip(by).for_each(|((v, s), c)| *v += s * c);
    to
}

/// The same, with expressions kept where they mean something: between 0 and 1, or as far outside as they were.
pub fn held(from: &Placement, by: &Change) -> Placement {
    let mut to = changed(from, by);
    for (v, before) in to.beta.iter_mut().zip(from.beta) {
        *v = v.clamp(before.min(0.0), before.max(1.0));
    }
    to
}
