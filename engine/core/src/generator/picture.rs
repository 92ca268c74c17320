//! The portrait's pictures at the generator's size, in linear light: the person premultiplied by the matte, and the background without them.

use crate::avatar::{AvatarFile, srgb_to_linear};

/// The two layers of a portrait, S × S.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    /// Side in pixels.
    pub size: usize,
    /// (S, S) linear RGB of the whole picture, as it is.
    pub whole: Vec<[f32; 3]>,
    /// (S, S) linear RGB of the person times the matte, and the matte. `person + (1 − matte) · background = whole`.
    pub person: Vec<[f32; 4]>,
    /// (S, S) linear RGB of the background, filled in behind the person; last is 0.
    pub background: Vec<[f32; 4]>,
}

impl Layers {
    /// Decodes, resamples to `size` and separates an avatar's picture.
    pub(super) fn new(avatar: &AvatarFile, size: usize) -> Self {
        let pixels = portrait(avatar, size);

        // The background is known where no person is within a hundredth of the picture.
        let reach = (size / 100).max(2);
        let near: Vec<f32> = dilate(&pixels.iter().map(|p| p[3]).collect::<Vec<_>>(), size, reach);
        let known: Vec<f32> = near.iter().map(|a| if *a < 0.02 { 1.0 } else { 0.0 }).collect();
        let background = if known.iter().any(|k| *k > 0.0) {
            fill(&pixels.iter().map(|p| [p[0], p[1], p[2], 0.0]).collect::<Vec<_>>(), &known, size, size)
        } else {
            vec![[0.0; 4]; size * size]
        };
        let person = pixels
            .iter()
            .zip(&background)
            .map(|(p, b)| {
                let rest = 1.0 - p[3];
                [p[0] - rest * b[0], p[1] - rest * b[1], p[2] - rest * b[2], p[3]]
            })
            .collect();
        Self { size, whole: pixels.iter().map(|p| [p[0], p[1], p[2]]).collect(), person, background }
    }

    /// Bilinear colour of the whole picture at a pixel position; the edge repeats.
    pub(super) fn colour(&self, at: [f32; 2]) -> [f32; 3] {
        sample(&self.whole, self.size, at)
    }
}

/// The portrait at `size` × `size`: linear RGB and the matte, not multiplied.
pub(super) fn portrait(avatar: &AvatarFile, size: usize) -> Vec<[f32; 4]> {
    let linear: Vec<f32> = (0..=255u8).map(srgb_to_linear).collect();
    let pixels: Vec<[f32; 4]> = (avatar.portrait.rgb.chunks_exact(3).zip(&avatar.matte.alpha))
        .map(|(c, a)| [linear[c[0] as usize], linear[c[1] as usize], linear[c[2] as usize], f32::from(*a) / 255.0])
        .collect();
    resample(&pixels, avatar.portrait.side, size)
}

/// Bilinear value at a pixel position (centres at +½) of a square picture; the edge repeats.
pub(super) fn sample<const N: usize>(from: &[[f32; N]], size: usize, at: [f32; 2]) -> [f32; N] {
    let q = at.map(|v| (v - 0.5).clamp(0.0, size as f32 - 1.0));
    let i = q.map(|v| (v as usize).min(size - 2));
    let t = [q[0] - i[0] as f32, q[1] - i[1] as f32];
    let k = i[1] * size + i[0];
    std::array::from_fn(|c| {
        let top = from[k][c] * (1.0 - t[0]) + from[k + 1][c] * t[0];
        let low = from[k + size][c] * (1.0 - t[0]) + from[k + size + 1][c] * t[0];
        top * (1.0 - t[1]) + low * t[1]
    })
}

/// Separable bicubic resampling of a square picture; when it shrinks, the kernel widens, so that nothing aliases.
pub(super) fn resample(from: &[[f32; 4]], side: usize, size: usize) -> Vec<[f32; 4]> {
    if side == size {
        return from.to_vec();
    }
    let ratio = side as f32 / size as f32;
    let wide = ratio.max(1.0);
    let cubic = |x: f32| {
        let x = x.abs();
        if x < 1.0 {
            1.0 + x * x * (1.5 * x - 2.5)
        } else if x < 2.0 {
            2.0 + x * (-4.0 + x * (2.5 - 0.5 * x))
        } else {
            0.0
        }
    };
    let taps: Vec<Vec<(usize, f32)>> = (0..size)
        .map(|i| {
            let middle = (i as f32 + 0.5) * ratio - 0.5;
            let (first, last) = ((middle - 2.0 * wide).ceil() as isize, (middle + 2.0 * wide).floor() as isize);
            let taps: Vec<_> = (first..=last)
                .map(|j| (j.clamp(0, side as isize - 1) as usize, cubic((j as f32 - middle) / wide)))
                .collect();
            let sum: f32 = taps.iter().map(|t| t.1).sum();
            taps.into_iter().map(|(j, w)| (j, w / sum)).collect()
        })
        .collect();
    let weigh = |taps: &[(usize, f32)], at: &dyn Fn(usize) -> [f32; 4]| {
        let mut sum = [0.0f32; 4];
        for (j, w) in taps {
            let v = at(*j);
            sum = std::array::from_fn(|c| sum[c] + v[c] * w);
        }
        sum
    };
    let mut rows = Vec::with_capacity(side * size);
    for y in 0..side {
        rows.extend(taps.iter().map(|t| weigh(t, &|j| from[y * side + j])));
    }
    let mut out = Vec::with_capacity(size * size);
    for taps in &taps {
        out.extend((0..size).map(|x| weigh(taps, &|j| rows[j * size + x]).map(|v| v.clamp(0.0, 1.0))));
    }
    out
}

/// Largest value within `reach` pixels along both axes.
pub(super) fn dilate(from: &[f32], size: usize, reach: usize) -> Vec<f32> {
    let pass = |from: &[f32], step: usize, other: usize| {
        let mut out = vec![0.0f32; from.len()];
        for line in 0..size {
            for i in 0..size {
                let (a, b) = (i.saturating_sub(reach), (i + reach).min(size - 1));
                out[line * other + i * step] = (a..=b).map(|j| from[line * other + j * step]).fold(0.0, f32::max);
            }
        }
        out
    };
    pass(&pass(from, 1, size), size, 1)
}

/// Fills what has no weight from what has, smoothly, by a pull–push pyramid; where the weight is 1 values stay as they are.
pub(super) fn fill<const N: usize>(values: &[[f32; N]], weight: &[f32], width: usize, height: usize) -> Vec<[f32; N]> {
    if width.max(height) == 1 {
        return values.to_vec();
    }
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = vec![[0.0f32; N]; w * h];
    let mut share = vec![0.0f32; w * h];
    for y in 0..height {
        for x in 0..width {
            let (k, c) = (y * width + x, y / 2 * w + x / 2);
            share[c] += weight[k];
            for i in 0..N {
                coarse[c][i] += values[k][i] * weight[k];
            }
        }
    }
    for (v, s) in coarse.iter_mut().zip(&mut share) {
        v.iter_mut().for_each(|v| *v /= s.max(1e-9));
        *s = s.min(1.0);
    }
    let coarse = fill(&coarse, &share, w, h);
    let mut out = values.to_vec();
    for y in 0..height {
        let qy = (y as f32 * 0.5 - 0.25).clamp(0.0, h as f32 - 1.0);
        let (iy, jy) = (qy as usize, (qy as usize + 1).min(h - 1));
        for x in 0..width {
            let k = y * width + x;
            if weight[k] >= 1.0 {
                continue;
            }
            let qx = (x as f32 * 0.5 - 0.25).clamp(0.0, w as f32 - 1.0);
            let (ix, jx) = (qx as usize, (qx as usize + 1).min(w - 1));
            let (tx, ty) = (qx - ix as f32, qy - iy as f32);
            for i in 0..N {
                let top = coarse[iy * w + ix][i] * (1.0 - tx) + coarse[iy * w + jx][i] * tx;
                let low = coarse[jy * w + ix][i] * (1.0 - tx) + coarse[jy * w + jx][i] * tx;
                out[k][i] = values[k][i] * weight[k] + (top * (1.0 - ty) + low * ty) * (1.0 - weight[k]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_keeps_what_is_known_and_spreads_it() {
        let (w, h) = (13, 9);
        let mut values = vec![[0.0f32]; w * h];
        let mut weight = vec![0.0f32; w * h];
        for y in 0..h {
            values[y * w] = [1.0];
            weight[y * w] = 1.0;
            values[y * w + w - 1] = [3.0];
            weight[y * w + w - 1] = 1.0;
        }
        let full = fill(&values, &weight, w, h);
        assert_eq!((full[0][0], full[w - 1][0]), (1.0, 3.0));
        assert!(full.iter().all(|v| (1.0..=3.0).contains(&v[0])));
    }

    #[test]
    fn resampling_keeps_a_constant() {
        let out = resample(&[[0.25, 0.5, 0.75, 1.0]; 48 * 48], 48, 32);
        assert!(out.iter().flatten().zip([0.25, 0.5, 0.75, 1.0].iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
