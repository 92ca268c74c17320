//! The portrait's light, estimated from its skin: luminance as spherical harmonics of the normal.

use vultus_shaders::cpu::vertex_look::shade;

use super::picture::Layers;
use super::seen::SourceFace;
use super::zones::Zones;
use crate::face::{FaceModel, Mask, harmonics};

/// Words of the light: nine coefficients and a floor.
pub(super) const HARMONICS: usize = 10;

/// Luminance of linear sRGB.
pub(super) fn luminance(c: [f32; 3]) -> f32 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

/// What the skin of the portrait says of its light.
#[derive(Clone, Debug)]
pub(super) struct SkinLight {
    /// Nine coefficients of luminance on the skin as seen, and the floor; the layout that `vertex_look` wants.
    pub harmonics: [f32; HARMONICS],
    /// (V) that light at the portrait's own normals.
    pub shade: Vec<f32>,
    /// Median colour of well-lit skin.
    pub skin: [f32; 3],
}

impl SkinLight {
    /// Robust least squares with a ridge on the first and second band, over skin that is surely seen.
    pub(super) fn fit(model: &FaceModel, face: &SourceFace, zones: &Zones, layers: &Layers) -> Self {
        let (masks, lips) = (model.mask(Mask::Face), model.mask(Mask::Lips));
        let brows = model.mask(Mask::Brows);
        let mut samples: Vec<([f32; 9], [f32; 3])> = Vec::new();
        for k in (0..face.triangle_id.len()).step_by(3) {
            let Some((v, w, 0)) = face.at(model, k) else { continue };
            let mean = |of: &dyn Fn(usize) -> f32| (0..3).map(|i| of(v[i]) * w[i]).sum::<f32>();
            let skin = mean(&|v| masks[v] * (1.0 - lips[v]) * (1.0 - zones.lid[v]) * (1.0 - brows[v]));
            if skin < 0.6 || face.clear[k] < 2.2 * face.scale {
                continue;
            }
            let n = [0, 1, 2].map(|c| mean(&|v| face.normals[v][c]));
            let l = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]).sqrt().max(1e-6);
            samples.push((harmonics(n.map(|c| c / l)), layers.whole[k]));
        }
        if samples.len() < 50 {
            let mean = [0.35, 0.25, 0.2];
            let harmonics =
                [luminance(mean) / 0.282_095, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25 * luminance(mean)];
            return Self { harmonics, shade: vec![luminance(mean); face.normals.len()], skin: mean };
        }
        let light: Vec<f32> = samples.iter().map(|s| luminance(s.1)).collect();
        let middle = median(light.iter().copied());
        let mut weight = vec![1.0f32; samples.len()];
        let mut c = [0.0f32; 9];
        for _ in 0..10 {
            let mut a = [[0.0f64; 10]; 9];
            for ((y, _), (l, w)) in samples.iter().zip(light.iter().zip(&weight)) {
                for i in 0..9 {
                    for j in 0..9 {
                        a[i][j] += f64::from(y[i] * y[j] * w);
                    }
                    a[i][9] += f64::from(y[i] * l * w);
                }
            }
            for (i, row) in a.iter_mut().enumerate() {
                row[i] += samples.len() as f64
                    * [0.0, 4e-3, 2.5e-2][if i == 0 {
                        0
                    } else if i < 4 {
                        1
                    } else {
                        2
                    }];
            }
            c = solve(a).map(|v| v as f32);
            let off = |(y, _): &([f32; 9], [f32; 3]), l: f32| l - (0..9).map(|i| y[i] * c[i]).sum::<f32>();
            let rest: Vec<f32> = samples.iter().zip(&light).map(|(s, l)| off(s, *l)).collect();
            let spread = 1.48 * median(rest.iter().map(|r| r.abs())) + 1e-6;
            weight = rest.iter().map(|r| 1.0 / (r.abs() / spread).max(1.0).powf(1.5)).collect();
        }
        let mut harmonics = [0.0; 10];
        harmonics[..9].copy_from_slice(&c);
        harmonics[9] = 0.25 * middle;
        let good = || samples.iter().zip(&weight).filter(|(_, w)| **w > 0.7).map(|(s, _)| s.1);
        let skin = [0, 1, 2].map(|i| median(good().map(|c| c[i])));
        Self { harmonics, shade: face.normals.iter().map(|n| shade(&harmonics, *n)).collect(), skin }
    }
}

/// Median; 0 for nothing.
pub(super) fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut all: Vec<f32> = values.collect();
    if all.is_empty() {
        return 0.0;
    }
    let middle = all.len() / 2;
    *all.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Solves n equations; the last column is the right-hand side. Gauss with pivoting.
pub(super) fn solve<const N: usize, const M: usize>(mut a: [[f64; M]; N]) -> [f64; N] {
    for i in 0..N {
        let pivot = (i..N).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        let d = if a[i][i].abs() < 1e-12 { 1e-12 } else { a[i][i] };
        for r in 0..N {
            if r != i {
                let k = a[r][i] / d;
                for c in i..M {
                    a[r][c] -= k * a[i][c];
                }
            }
        }
    }
    std::array::from_fn(|i| a[i][M - 1] / if a[i][i].abs() < 1e-12 { 1e-12 } else { a[i][i] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let x = solve([[0.0, 2.0, 4.0], [3.0, 1.0, 5.0]]);
        assert!((x[0] - 1.0).abs() < 1e-9 && (x[1] - 2.0).abs() < 1e-9);
    }
}
