//! Twin of `shared/activation.wgsl`, a row at a time.

use super::math::exp;
use crate::shared::activation::{ACTIVATION_HARD_SWISH, ACTIVATION_PRELU, ACTIVATION_RELU, ACTIVATION_SIGMOID};

/// act(v) for all values of a row; `slope` is PReLU's, below zero.
#[inline]
pub(super) fn activate(row: &mut [f32], kind: u32, slope: f32) {
    match kind {
        ACTIVATION_RELU => each(row, |v| v.max(0.0)),
        ACTIVATION_PRELU => each(row, |v| if v > 0.0 { v } else { v * slope }),
        ACTIVATION_HARD_SWISH => each(row, |v| v * (v + 3.0).clamp(0.0, 6.0) / 6.0),
        ACTIVATION_SIGMOID => each(row, |v| 1.0 / (1.0 + exp(-v.clamp(-80.0, 80.0)))),
        _ => {}
    }
}

#[inline(always)]
fn each(row: &mut [f32], f: impl Fn(f32) -> f32) {
    for v in row {
        *v = f(*v);
    }
}

/// How many planes of so many values are worth a task of their own.
pub(super) fn planes_of_a_task(plane: usize) -> usize {
    const VALUES: usize = 1 << 14;
    VALUES.div_ceil(plane)
}
