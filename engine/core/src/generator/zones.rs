//! What each vertex of the model is, as far as the generator treats it in its own way. Nothing here depends on the portrait's colours.

use super::seen::smoothstep;
use crate::face::{FaceModel, Mask};

/// Weights per vertex, 0 … 1 unless said otherwise.
#[derive(Clone, Debug)]
pub(super) struct Zones {
    /// 1 where the mesh decides what is seen: face and front of the neck. −1 on scalp and ears, where hair may lie: there the smooth field
    /// decides, and keeps to the skull whatever the face beside it does.
    pub own: Vec<f32>,
    /// Ownership fades here where the surface turns away: the outline, but not the middle of the face. Above 1 on the neck, up to 2.
    pub rim: Vec<f32>,
    /// Skin below the ears, of jaw and neck, that a turning head brings into view beside the portrait's outline.
    pub under: Vec<f32>,
    /// Skin that a blink sweeps.
    pub lid: Vec<f32>,
    /// The whole surrounding that a blink moves at all.
    pub socket: Vec<f32>,
    /// The edge of the upper lid.
    pub margin: Vec<f32>,
    /// Skin that touches an eyeball: the rims of both lids, the right eye's negative.
    pub(super) eye_rim: Vec<f32>,
    /// Follows the jaw; 1 where it moves farthest.
    pub(super) jaw: Vec<f32>,
    /// Lips and what is near them; below 0 in the middle of the forehead, where a frown folds the mesh.
    pub lip: Vec<f32>,
    /// Inside of the mouth that belongs to the skin's mesh.
    pub inner: Vec<f32>,
}

impl Zones {
    /// Works them out on the mean head.
    pub(super) fn new(model: &FaceModel) -> Self {
        let v = model.vertices();
        let mean = &model.mean;
        let mask = |m: Mask| model.mask(m);
        let (face, ears, lips, inner) =
            (mask(Mask::Face), mask(Mask::Ears), mask(Mask::Lips), mask(Mask::MouthInner).to_vec());

        let near_face = near(mean, &|i| face[i] > 0.6, 0.006);
        let near_ears = near(mean, &|i| ears[i] > 0.5, 0.008);
        let mut lip = near(mean, &|i| lips[i] > 0.5 || inner[i] > 0.5, 0.0035);
        for (lip, [x, y, z]) in lip.iter_mut().zip(mean) {
            if *z > 0.0 {
                *lip -= 0.9 * (-(x / 0.024).powi(2)).exp() * smoothstep(0.0, 0.014, *y);
            }
        }
        let own = (0..v)
            .map(|i| {
                let [x, y, z] = mean[i];
                let neck = mask(Mask::Neck)[i]
                    * smoothstep(0.095, 0.075, x.abs())
                    * smoothstep(-0.19, -0.16, y)
                    * smoothstep(-0.13, -0.09, z);
                let own = near_face[i].max(neck) * (1.0 - near_ears[i]);
                own - (1.0 - own) * near_ears[i].max(mask(Mask::Scalp)[i])
            })
            .collect();
        let under = (0..v)
            .map(|i| {
                let [x, y, z] = mean[i];
                let skin = (1.0 - near_ears[i]) * (1.0 - mask(Mask::Scalp)[i]);
                skin * smoothstep(0.02, -0.02, y)
                    * smoothstep(-0.19, -0.16, y)
                    * smoothstep(0.1, 0.085, x.abs())
                    * smoothstep(-0.11, -0.07, z)
            })
            .collect();
        let rim = (0..v)
            .map(|i| {
                let [x, y, _] = mean[i];
                let outline = smoothstep(0.028, 0.045, x.abs()).max(smoothstep(0.035, 0.055, y));
                let neck = mask(Mask::Neck)[i] * (1.0 - near_face[i]);
                outline.max(smoothstep(-0.09, -0.105, y)).max(neck) + neck
            })
            .collect();

        let of = |name: &str| {
            let at = model.expression_index(name).unwrap_or(0) * v;
            &model.expression[at..at + v]
        };
        let mut jaw: Vec<f32> = of("jawOpen").iter().map(|d| length(*d)).collect();
        let most = jaw.iter().copied().fold(1e-6, f32::max);
        jaw.iter_mut().for_each(|d| *d /= most);
        let sweep: Vec<f32> = {
            let (l, r) = (of("eyeBlinkLeft"), of("eyeBlinkRight"));
            (0..v).map(|i| length(l[i]).max(length(r[i]))).collect()
        };
        let skin = |i: usize| model.eye_angle[i] < 0.0;
        let only =
            |f: &dyn Fn(f32) -> f32| (0..v).map(|i| if skin(i) { f(sweep[i]) } else { 0.0 }).collect::<Vec<f32>>();
        // The edge of the lid moves farthest among the vertices at its place along the eye.
        let moving: Vec<usize> = (0..v).filter(|i| skin(*i) && sweep[*i] > 0.002).collect();
        let farthest = |at: f32| {
            moving.iter().filter(|i| (mean[**i][0] - at).abs() < 0.0015).map(|i| sweep[*i]).fold(0.0, f32::max)
        };
        let margin = (0..v)
            .map(|i| {
                if !skin(i) || sweep[i] < 0.002 {
                    return 0.0;
                }
                // Towards the corners the line thins out.
                smoothstep(0.91, 0.99, sweep[i] / farthest(mean[i][0])) * 0.36 * smoothstep(0.002, 0.006, sweep[i])
            })
            .collect();
        let only_rim = (0..v)
            .map(|i| {
                if !skin(i) || sweep[i] < 0.0002 {
                    return 0.0;
                }
                let right = usize::from(mean[i][0] < 0.0);
                let c = model.eye_centers[right];
                let off = length([mean[i][0] - c[0], mean[i][1] - c[1], mean[i][2] - c[2]]) - model.eye_radius;
                smoothstep(0.005, 0.0021, off) * [1.0, -1.0][right]
            })
            .collect();
        Self {
            own,
            rim,
            under,
            lid: only(&|d| smoothstep(0.002, 0.0045, d)),
            socket: only(&|d| smoothstep(0.0002, 0.0008, d)),
            margin,
            eye_rim: only_rim,
            jaw,
            lip,
            inner,
        }
    }
}

/// Places of the two blinks in β, the subject's left first.
pub(super) fn blinks(model: &FaceModel) -> [usize; 2] {
    ["eyeBlinkLeft", "eyeBlinkRight"].map(|n| model.expression_index(n).unwrap_or(0))
}

fn length(v: [f32; 3]) -> f32 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt()
}

/// 1 within 0.4 · `radius` of the chosen vertices, 0 beyond `radius` (metres).
fn near(points: &[[f32; 3]], chosen: &dyn Fn(usize) -> bool, radius: f32) -> Vec<f32> {
    use std::collections::HashMap;
    let cell = |p: [f32; 3]| p.map(|c| (c / radius).floor() as i32);
    let mut grid: HashMap<[i32; 3], Vec<[f32; 3]>> = HashMap::new();
    for (i, p) in points.iter().enumerate().filter(|(i, _)| chosen(*i)) {
        let _ = i;
        grid.entry(cell(*p)).or_default().push(*p);
    }
    points
        .iter()
        .map(|p| {
            let [x, y, z] = cell(*p);
            let mut best = radius * radius;
            for n in 0..27 {
                let at = [x + n % 3 - 1, y + n / 3 % 3 - 1, z + n / 9 - 1];
                for q in grid.get(&at).into_iter().flatten() {
                    let d = [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
                    best = best.min(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                }
            }
            smoothstep(radius, 0.4 * radius, best.sqrt())
        })
        .collect()
}
