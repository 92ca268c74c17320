//! What several tests share: which executors this machine can test, and comparers.
#![allow(dead_code, unreachable_pub, reason = "a module of several test binaries, each of which uses its own part")]

use std::sync::Arc;

use vultus::compute::{Compute, Device};
use vultus::weights::WeightReader;
use vultus_native::compute::device;
use vultus_shaders::Tier;

/// The GPU tiers to test, each with a device of its own. A missing adapter is an error, unless `VULTUS_TEST_SKIP=gpu` asks for the skip by name.
pub fn gpus() -> Vec<Compute> {
    if std::env::var("VULTUS_TEST_SKIP").is_ok_and(|v| v.split(',').any(|skip| skip == "gpu")) {
        eprintln!("VULTUS_TEST_SKIP=gpu: the WGSL kernels are not run");
        return Vec::new();
    }
    let best = device(true, None)
        .unwrap_or_else(|e| panic!("{e} (or set VULTUS_TEST_SKIP=gpu to skip the WGSL tests by name)"));
    let top = best.tier();
    let lower = Tier::ALL.into_iter().filter(|t| *t < top).map(|t| device(true, Some(t)).expect("a lower tier opens"));
    let strict = |device: Device| {
        // The CPU would go on for it, and every test of the GPU would pass without one.
        device.on_loss(|why| panic!("the device failed: {why}"));
        Compute::Gpu(Arc::new(device))
    };
    lower.chain([best]).map(strict).collect()
}

/// Every executor: the CPU first, then the GPU at each tier.
pub fn executors() -> Vec<Compute> {
    std::iter::once(Compute::Cpu).chain(gpus()).collect()
}

/// Numbers from a fixed seed, uniform in [-1, 1).
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// How far two results may differ: `absolute + relative · |expected|`.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    pub absolute: f32,
    pub relative: f32,
}

impl Tolerance {
    /// Integers and copies.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };

    /// For sums of `terms` f32 products of size about `scale`: rounding errors of a reordered sum grow like √terms in the mean; eight
    /// times that covers the worst of many thousand results.
    pub fn sum(terms: usize, scale: f32) -> Self {
        let unit = f32::EPSILON * (terms as f32).sqrt() * 8.0;
        Self { absolute: unit * scale, relative: unit.max(4.0 * f32::EPSILON) }
    }

    /// For a chain of `steps` element-wise operations, of which some are only accurate to a few ulp (exp, inverse square root, pow).
    pub fn chain(steps: usize, scale: f32) -> Self {
        let unit = f32::EPSILON * steps as f32 * 4.0;
        Self { absolute: unit * scale, relative: unit }
    }
}

/// Compares element by element. NaN fails on either side, and so does a different length.
pub fn compare(expected: &[f32], got: &[f32], tolerance: Tolerance) -> Result<(), String> {
    if expected.len() != got.len() {
        return Err(format!("{} values expected, got {}", expected.len(), got.len()));
    }
    let mut worst: Option<(f32, usize)> = None;
    for (i, (e, g)) in expected.iter().zip(got).enumerate() {
        let limit = tolerance.absolute + tolerance.relative * e.abs();
        let excess = (e - g).abs() - limit;
        // Equal infinities have a NaN excess and are equal; any NaN value is a difference.
        let equal = e.to_bits() == g.to_bits() || excess <= 0.0;
        if !equal || e.is_nan() || g.is_nan() {
            let key = if excess.is_nan() { f32::INFINITY } else { excess };
            if worst.is_none_or(|w| key > w.0) {
                worst = Some((key, i));
            }
        }
    }
    match worst {
        None => Ok(()),
        Some((_, i)) => Err(format!("at {i}: expected {}, got {} ({tolerance:?})", expected[i], got[i])),
    }
}

/// What the project asks of a layer: the largest relative error.
pub const LIMIT: f64 = 1e-4;

/// Root mean square of the difference, and its worst value, both against the same of what is expected: neither may exceed [`LIMIT`].
pub fn check(expected: &[f32], got: &[f32]) -> Result<(), String> {
    if expected.len() != got.len() {
        return Err(format!("{} values expected, got {}", expected.len(), got.len()));
    }
    let size = |v: &mut dyn Iterator<Item = f32>| {
        v.fold((0.0f64, 0.0f64), |(sum, most), v| (sum + f64::from(v).powi(2), most.max(f64::from(v).abs())))
    };
    let (power, most) = size(&mut expected.iter().copied());
    let (error, worst) = size(&mut expected.iter().zip(got).map(|(e, g)| e - g));
    let (mean, worst) = ((error / power).sqrt(), worst / most);
    // A NaN is in neither range.
    if mean <= LIMIT && worst <= LIMIT { Ok(()) } else { Err(format!("relative error {mean:.2e}, worst {worst:.2e}")) }
}

/// Any tensor of a golden file, whatever its shape.
pub fn take(golden: &mut WeightReader, name: &str) -> Vec<f32> {
    let shape = golden.shape(name).unwrap_or_else(|| panic!("{name} is not in the golden file")).to_vec();
    golden.take_shaped(name, &shape).unwrap()
}

/// The values of an activation that a golden file keeps where it is too large to be kept whole (`sampled` in `train/goldens/__init__.py`).
pub fn sampled(activation: &[f32]) -> Vec<f32> {
    activation.iter().copied().step_by((activation.len() / 512) | 1).collect()
}

/// Peak signal-to-noise ratio of two 8-bit pictures in dB.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mse: f64 = a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>() / a.len() as f64;
    10.0 * (255.0f64 * 255.0 / mse.max(1e-12)).log10()
}
