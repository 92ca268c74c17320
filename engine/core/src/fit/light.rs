//! δ and γ of a portrait: albedo and light that together give the colours of its skin.
//!
//! Linear sRGB: colour = albedo · Σ γᵢ·Yᵢ(n), nine spherical harmonics of the normal in camera space; `train/portrait/light.py` is its longer twin.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::Fit;
use super::gram::{dot, gram};
use crate::avatar::{ALBEDO, LIGHT, Matte, Portrait, srgb_to_linear};
use crate::compute::{Bindings, Compute, ComputeError, PlanBuilder};
use crate::face::{self, FaceModel, Light, MOTION, Mask, NONE, Region, harmonics};

/// Side of the raster on which skin is looked for, at most.
const RASTER: usize = 384;
/// Pixels of skin that count.
const PIXELS: usize = 3000;
/// Fewer say nothing.
const FEWEST: usize = 60;
/// A pixel is one of the person from here on.
const PERSON: u8 = 224;
/// What shares a vertex with so much of another part is not skin.
const OTHER: f32 = 0.2;
/// Normals that point farther aside are the outline's.
const FRONT: f32 = 0.25;
/// Holds bands 1 and 2 back: the unseen half of the sphere must not run away.
const RIDGE: [f64; BANDS] = [0.0, 0.004, 0.004, 0.004, 0.02, 0.02, 0.02, 0.02, 0.02];
const BANDS: usize = LIGHT / 3;
/// Light and albedo take turns so often; weights of outliers are renewed so often in each.
const TURNS: usize = 4;
const LIGHT_ROUNDS: usize = 12;
const ALBEDO_ROUNDS: usize = 2;
/// How strongly δ is held where it starts.
const HOLD: f64 = 0.003;
/// No coefficient of albedo goes farther.
const FARTHEST: f64 = 5.0;

/// A pixel of skin.
struct Skin {
    normal: [f32; 3],
    colour: [f64; 3],
    corners: [usize; 3],
    weights: [f64; 3],
}

/// (δ, γ) of a portrait whose geometry is known; the mean skin in soft light where it shows too little skin. `matte`, if there is one, is of the same size.
/// What it costs is bounded: some thousand pixels are looked at, however large the picture is.
///
/// # Panics
/// A picture does not have `side`² pixels.
pub fn light(
    model: &FaceModel,
    fit: &Fit,
    portrait: &Portrait,
    matte: Option<&Matte>,
) -> ([f32; ALBEDO], [f32; LIGHT]) {
    let skin = skin(model, fit, portrait, matte).expect("the CPU executor cannot fail");
    let skin = plausible(skin);
    let answer = if skin.len() < FEWEST { None } else { solve(model, &skin) };
    let usual = Light::mean();
    let finite = |(delta, gamma): &(Vec<f64>, Vec<f64>)| delta.iter().chain(gamma).all(|v| v.is_finite());
    answer.filter(finite).map_or((usual.delta, usual.gamma), |(delta, gamma)| {
        (std::array::from_fn(|k| delta[k] as f32), std::array::from_fn(|k| gamma[k] as f32))
    })
}

/// Pixels that show open skin of the face: no lips, lids, brows, hair or outline.
fn skin(model: &FaceModel, fit: &Fit, portrait: &Portrait, matte: Option<&Matte>) -> Result<Vec<Skin>, ComputeError> {
    let size = portrait.side.min(RASTER);
    let mut plan = PlanBuilder::new("skin of a portrait");
    let face = face::record(&mut plan, model, size);
    [face.normals, face.triangle_id, face.barycentric].into_iter().for_each(|t| plan.output(t));
    let program = Compute::Cpu.program(plan.finish()?);
    let mut bindings = Bindings::default();
    face.bind(&mut bindings, model, &fit.placement());
    let mut run = program.executor(&bindings)?;
    run.write(face.beta, &fit.beta)?;
    run.write(face.motion, &[0.0f32; MOTION])?;
    run.run()?;
    let normals: &[[f32; 4]] = run.read(face.normals)?;
    let triangles: &[u32] = run.read(face.triangle_id)?;
    let barycentric: &[[f32; 2]] = run.read(face.barycentric)?;

    let others = [Mask::Lips, Mask::Lids, Mask::Brows, Mask::Scalp, Mask::Ears, Mask::MouthInner];
    let mut all = Vec::new();
    for (k, (triangle, [a, b])) in triangles.iter().zip(barycentric).enumerate() {
        if *triangle == NONE {
            continue;
        }
        let [corners @ .., region] = model.triangles[*triangle as usize];
        let (corners, weights) = (corners.map(|v| v as usize), [*a, *b, 1.0 - a - b]);
        let mean = |of: &dyn Fn(usize) -> f32| corners.iter().zip(weights).map(|(v, w)| w * of(*v)).sum::<f32>();
        let masked = |mask: Mask| mean(&|v| model.mask(mask)[v]);
        let normal = [0, 1, 2].map(|c| mean(&|v| normals[v][c]));
        let length = normal.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
        if region != Region::Skin as u32
            || normal[2] < FRONT * length
            || masked(Mask::Face) < 0.5
            || others.iter().any(|mask| masked(*mask) > OTHER)
        {
            continue;
        }
        let Some(colour) = colour(portrait, matte, k, size) else { continue };
        let normal = normal.map(|v| v / length);
        all.push(Skin { normal, colour, corners, weights: weights.map(f64::from) });
    }
    Ok(thinned(all, 2 * PIXELS))
}

/// The mean of the portrait's pixels under a pixel of the raster, linear; none where one is not the person.
fn colour(portrait: &Portrait, matte: Option<&Matte>, k: usize, size: usize) -> Option<[f64; 3]> {
    let span = |at: usize| {
        let first = at * portrait.side / size;
        first..((at + 1) * portrait.side / size).max(first + 1)
    };
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for y in span(k / size) {
        for x in span(k % size) {
            let at = y * portrait.side + x;
            if matte.is_some_and(|matte| matte.alpha[at] < PERSON) {
                return None;
            }
            (0..3).for_each(|c| sum[c] += f64::from(srgb_to_linear(portrait.rgb[3 * at + c])));
            count += 1.0;
        }
    }
    Some(sum.map(|v| v / count))
}

/// Every so manyth, so that few enough are left.
fn thinned(all: Vec<Skin>, most: usize) -> Vec<Skin> {
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

/// Those that are skin and not hair or cloth before it: near the median in hue, and not far below it in light.
fn plausible(all: Vec<Skin>) -> Vec<Skin> {
    if all.is_empty() {
        return all;
    }
    let looks: Vec<[f64; 3]> = (all.iter())
        .map(|skin| {
            let [r, g, b] = skin.colour.map(|c| (c + 0.004).ln());
            [r - g, g - b, (r + g + b) / 3.0]
        })
        .collect();
    let middle = [0, 1, 2].map(|c| median(looks.iter().map(|l| l[c])));
    let spread = [0, 1].map(|c| median(looks.iter().map(|l| (l[c] - middle[c]).abs())));
    let keep =
        |l: &[f64; 3]| (0..2).all(|c| (l[c] - middle[c]).abs() < 4.0 * spread[c] + 0.02) && l[2] > middle[2] - 1.3;
    let kept = all.into_iter().zip(looks).filter(|(_, l)| keep(l)).map(|(skin, _)| skin).collect();
    thinned(kept, PIXELS)
}

/// δ (80) and γ (27).
fn solve(model: &FaceModel, skin: &[Skin]) -> Option<(Vec<f64>, Vec<f64>)> {
    let n = skin.len();
    let rows = 3 * n;
    // Row `channel · n + pixel` of everything.
    let at = |values: &[[f32; 3]]| -> Vec<f64> {
        (0..3)
            .flat_map(|c| {
                let one = |s: &Skin| (0..3).map(|k| s.weights[k] * f64::from(values[s.corners[k]][c])).sum::<f64>();
                skin.iter().map(one).collect::<Vec<f64>>()
            })
            .collect()
    };
    let plain = at(&model.albedo_mean);
    let paint: Vec<Vec<f64>> = model.albedo.chunks_exact(model.vertices()).map(at).collect();
    let target: Vec<f64> = (0..3).flat_map(|c| skin.iter().map(move |s| s.colour[c])).collect();
    let bands: Vec<[f64; BANDS]> = skin.iter().map(|s| harmonics(s.normal).map(f64::from)).collect();
    let mean = target.iter().sum::<f64>() / rows as f64;

    // Dark skin in bright light and light skin in dim light look alike: the median colour says which it is.
    let usual: Vec<f64> = (0..3).flat_map(|c| vec![median(target[c * n..][..n].iter().copied()); n]).collect();
    let ones = vec![1.0; rows];
    let start = albedo(&paint, &plain, &usual, &ones, &ones, 1e-5, &vec![0.0; ALBEDO])?;
    let (mut delta, mut gamma) = (start.clone(), vec![0.0; LIGHT]);
    for _ in 0..TURNS {
        let mut colours = plain.clone();
        for (row, d) in paint.iter().zip(&delta) {
            colours.iter_mut().zip(row).for_each(|(c, p)| *c += d * p);
        }
        colours.iter_mut().for_each(|c| *c = c.clamp(0.01, 1.0));
        let mut shade = vec![0.0; rows];
        for c in 0..3 {
            let part = c * n..(c + 1) * n;
            let light = harmonic_light(&bands, &colours[part.clone()], &target[part.clone()])?;
            for (to, y) in shade[part].iter_mut().zip(&bands) {
                *to = (0..BANDS).map(|i| y[i] * light[i]).sum::<f64>().max(0.02);
            }
            (0..BANDS).for_each(|i| gamma[3 * i + c] = light[i]);
        }
        let mut weight = ones.clone();
        for _ in 0..ALBEDO_ROUNDS {
            delta = albedo(&paint, &plain, &target, &shade, &weight, HOLD * mean * mean, &start)?;
            let mut off: Vec<f64> = (0..rows).map(|r| plain[r] * shade[r] - target[r]).collect();
            for (row, d) in paint.iter().zip(&delta) {
                (0..rows).for_each(|r| off[r] += d * row[r] * shade[r]);
            }
            let far = 2.0 * median(off.iter().map(|v| v.abs())) + 1e-6;
            weight = off.iter().map(|v| 1.0 / (v.abs() / far).max(1.0).powf(1.5)).collect();
        }
        delta.iter_mut().for_each(|d| *d = d.clamp(-FARTHEST, FARTHEST));
    }
    Some((delta, gamma))
}

/// Albedo coefficients that bring (plain + Σ δ·paint)·shade to the target, held at `start`.
fn albedo(
    paint: &[Vec<f64>],
    plain: &[f64],
    target: &[f64],
    shade: &[f64],
    weight: &[f64],
    hold: f64,
    start: &[f64],
) -> Option<Vec<f64>> {
    let rows = target.len();
    let root: Vec<f64> = weight.iter().zip(shade).map(|(w, s)| w.sqrt() * s).collect();
    let weighted: Vec<f64> = paint.iter().flat_map(|row| row.iter().zip(&root).map(|(p, r)| p * r)).collect();
    let mut rest: Vec<f64> = (0..rows).map(|r| weight[r].sqrt() * (target[r] - plain[r] * shade[r])).collect();
    for (row, d) in weighted.chunks_exact(rows).zip(start).filter(|(_, d)| **d != 0.0) {
        rest.iter_mut().zip(row).for_each(|(rest, v)| *rest -= d * v);
    }
    let mut normal = gram(&weighted, rows) / rows as f64;
    (0..paint.len()).for_each(|k| normal[(k, k)] += hold);
    let pull = weighted.chunks_exact(rows).map(|row| dot(row, &rest) / rows as f64);
    let change = Cholesky::new(normal)?.solve(&DVector::from_iterator(paint.len(), pull));
    Some(start.iter().zip(change.iter()).map(|(s, c)| s + c).collect())
}

/// Nine coefficients of the light of one channel; residuals far above the median count less.
fn harmonic_light(bands: &[[f64; BANDS]], albedo: &[f64], target: &[f64]) -> Option<[f64; BANDS]> {
    let n = target.len();
    let mut weight = vec![1.0; n];
    let mut light = [0.0; BANDS];
    for _ in 0..LIGHT_ROUNDS {
        let mut normal = DMatrix::<f64>::zeros(BANDS, BANDS);
        let mut pull = DVector::<f64>::zeros(BANDS);
        let mut first = 0.0;
        for (r, y) in bands.iter().enumerate() {
            let row = y.map(|y| y * albedo[r]);
            first += row[0] * row[0];
            for i in 0..BANDS {
                pull[i] += weight[r] * row[i] * target[r];
                (0..BANDS).for_each(|j| normal[(i, j)] += weight[r] * row[i] * row[j]);
            }
        }
        (0..BANDS).for_each(|i| normal[(i, i)] += RIDGE[i] * first + 1e-12);
        let answer = Cholesky::new(normal)?.solve(&pull);
        (0..BANDS).for_each(|i| light[i] = answer[i]);
        let off: Vec<f64> = (0..n)
            .map(|r| ((0..BANDS).map(|i| bands[r][i] * light[i]).sum::<f64>() * albedo[r] - target[r]).abs())
            .collect();
        let far = 1.5 * median(off.iter().copied()) + 1e-6;
        weight = off.iter().map(|v| 1.0 / (v / far).max(1.0)).collect();
    }
    Some(light)
}

/// 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    if all.is_empty() {
        return 0.0;
    }
    let middle = all.len() / 2;
    *all.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avatar::AvatarFile;
    use crate::shipped;

    fn fit_of(avatar: &AvatarFile) -> Fit {
        Fit {
            alpha: avatar.alpha,
            beta: avatar.beta,
            pose: avatar.pose,
            camera: avatar.camera,
            residual: 0.0,
            offsets: Vec::new(),
        }
    }

    /// Root mean square difference between skin under a light and the picture, linear.
    fn off(model: &FaceModel, skin: &[Skin], delta: &[f32], gamma: &[f32]) -> f64 {
        let albedo = model.albedo_of(delta);
        let square = skin.iter().map(|s| {
            let y = harmonics(s.normal);
            (0..3)
                .map(|c| {
                    let light = (0..BANDS).map(|i| f64::from(y[i]) * f64::from(gamma[3 * i + c])).sum::<f64>().max(0.0);
                    let paint = (0..3).map(|k| s.weights[k] * f64::from(albedo[s.corners[k]][c])).sum::<f64>();
                    (paint * light - s.colour[c]).powi(2)
                })
                .sum::<f64>()
                / 3.0
        });
        (square.sum::<f64>() / skin.len() as f64).sqrt()
    }

    #[test]
    fn light_and_albedo_give_the_skins_colours() {
        let model = FaceModel::read(shipped::weights("face.safetensors")).unwrap();
        for name in ["amara", "ingrid", "kenji"] {
            let avatar = shipped::avatar(name);
            let fit = fit_of(&avatar);
            let (delta, gamma) = light(&model, &fit, &avatar.portrait, Some(&avatar.matte));
            let skin = plausible(skin(&model, &fit, &avatar.portrait, Some(&avatar.matte)).unwrap());
            assert!((500..=PIXELS).contains(&skin.len()), "{}", skin.len());
            let (ours, theirs) = (off(&model, &skin, &delta, &gamma), off(&model, &skin, &avatar.delta, &avatar.gamma));
            eprintln!("{name}: {} pixels, off by {ours:.4}; the file's own by {theirs:.4}", skin.len());
            assert!(ours < 0.08 && ours < 1.05 * theirs + 0.002, "{name}: {ours} {theirs}");
            assert!(delta.iter().all(|d| f64::from(d.abs()) <= FARTHEST));
        }
    }

    #[test]
    fn a_picture_without_skin_has_the_usual_light() {
        let model = FaceModel::read(shipped::weights("face.safetensors")).unwrap();
        let mut avatar = shipped::avatar("amara");
        avatar.matte.alpha.fill(0);
        let fit = fit_of(&avatar);
        let usual = Light::mean();
        assert_eq!(light(&model, &fit, &avatar.portrait, Some(&avatar.matte)), (usual.delta, usual.gamma));
        // Black all over: whatever is found is numbers.
        avatar.portrait.rgb.fill(0);
        let (delta, gamma) = light(&model, &fit, &avatar.portrait, None);
        assert!(delta.iter().chain(&gamma).all(|v| v.is_finite()));
    }
}
