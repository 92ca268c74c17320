//! Colours for what the portrait does not show: skin spread from where it is seen, and the mouth's inside.

use vultus_shaders::shared::mesh::{REGION_GUM, REGION_MOUTH_LINING, REGION_SKIN, REGION_TEETH, REGION_TONGUE};

use super::chroma::Chroma;
use super::eyes::Eyes;
use super::light::{SkinLight, luminance, median};
use super::picture::Layers;
use super::seen::{SourceFace, smoothstep};
use super::zones::Zones;
use crate::face::{FaceModel, Mask};

/// Paint per vertex.
#[derive(Clone, Debug)]
pub(super) struct Paint {
    /// (V) linear RGB as it would look in the portrait; eyes have none.
    pub colour: Vec<[f32; 3]>,
    /// (V) the light that the paint's colour came with.
    pub light: Vec<f32>,
    /// (V) what the lower teeth lose of their colour under the upper ones when the mouth is nearly shut, 0 … 1.
    pub shaded: Vec<f32>,
    /// (V) what it gains when the mouth is wide open, as a share.
    pub wide: Vec<f32>,
    /// (V) linear RGB that lining and tongue gain then: light that reaches them between the teeth.
    pub glow: Vec<[f32; 3]>,
    /// Linear colour of the light that the lips let through to what lies just behind them.
    pub lips: [f32; 3],
}

/// Albedo of lining, teeth (with their gloss), gums and tongue. These and the lengths below fit path-traced mouths.
const LINING: [f32; 3] = [0.12, 0.011, 0.010];
const TEETH: [f32; 3] = [1.05, 1.01, 0.945];
/// What upper and lower teeth gain when the mouth is wide open: the lip lets the light at the upper ones then, the lower ones lean away from it.
/// Path-traced lower teeth lose less (−0.03); as the brightest thing in a face they draw the eye to themselves.
const WIDE: [f32; 2] = [0.25, -0.24];
const GUM: [f32; 3] = [0.46, 0.18, 0.16];
const TONGUE: [f32; 3] = [0.40, 0.023, 0.017];
/// Light that comes back from every side of the mouth, however deep, as a share of the teeth's.
const BOUNCE: [f32; 3] = [0.006, 0.0015, 0.0012];
/// Share of the lips' colour in the light just behind them.
const LIPS: f32 = 0.3;
/// The same between rows of teeth that nearly touch.
const GLOW: [f32; 3] = [0.26, 0.105, 0.09];
/// Share of it that the lower teeth get in the shade of the upper ones.
const BETWEEN_TEETH: f32 = 0.3;

impl Paint {
    /// `eyes` tells the colour of their white, and of the light it is seen in; `lining` says which vertices only the mouth's lining uses. `chroma` is the picture's.
    pub(super) fn new(
        model: &FaceModel,
        face: &SourceFace,
        zones: &Zones,
        lining: &[bool],
        layers: &Layers,
        light: &SkinLight,
        eyes: &Eyes,
        chroma: &Chroma,
    ) -> Self {
        let v = model.vertices();
        let lips = model.mask(Mask::Lips);
        let raw: Vec<[f32; 3]> = face.screen.iter().map(|s| layers.colour([s[0], s[1]])).collect();
        let seen = &face.seen;
        // Upper and lower lip: one may lie in the shade, the other in the light.
        let lower = |i: usize| usize::from(zones.jaw[i] > 0.35);
        let lip_colour = [0, 1].map(|side| {
            let strong: Vec<usize> = (0..v).filter(|i| lower(*i) == side && lips[*i] > 0.7 && seen[*i] > 0.8).collect();
            if strong.len() > 5 {
                [0, 1, 2].map(|c| 0.85 * median(strong.iter().map(|i| raw[*i][c])))
            } else {
                chroma.suits([light.skin[0], 0.65 * light.skin[1], 0.65 * light.skin[2]])
            }
        });

        // Who votes: seen skin that is not much darker than its light says (brows, lashes, hair and shadows are).
        let vote: Vec<f32> = (0..v)
            .map(|i| {
                if face.region[i] != REGION_SKIN {
                    return 0.0;
                }
                let dark = ((luminance(raw[i]) / light.shade[i] - 1.0) / 0.22).min(0.0);
                let plain = if lips[i] > 0.2 || model.mean[i][1] < -0.105 { 1.0 } else { (-dark * dark).exp() };
                let brow = 1.0 - 0.95 * model.mask(Mask::Brows)[i];
                seen[i] * plain * brow * (1.0 - 0.9996 * zones.socket[i]) * (1.0 - zones.inner[i]) + 1e-7
            })
            .collect();
        let mut start = Vec::with_capacity(v);
        let mut weight = Vec::with_capacity(v);
        for i in 0..v {
            let inner = 0.5 * zones.inner[i] * smoothstep(0.3, 0.8, zones.inner[i]);
            let mix = |c: usize| raw[i][c] * (1.0 - inner) + 0.85 * lip_colour[lower(i)][c] * inner;
            start.push([mix(0), mix(1), mix(2), light.shade[i]]);
            weight.push(vote[i] * (1.0 - inner) + inner);
        }
        let spread = membrane(model, &start, &weight);

        let shine = own_teeth(model, face, layers, teeth_light(light.skin, eyes));
        let outside = labial(model);
        let lip_depth = median((0..v).filter(|i| lips[*i] > 0.7).map(|i| face.shape[i][2]));
        let usual_light = luminance(light.skin).max(1e-3);
        let mut colour = Vec::with_capacity(v);
        let mut lights = Vec::with_capacity(v);
        for i in 0..v {
            let deep = (lip_depth - face.shape[i][2] - 0.006).max(0.0);
            let open = (-deep / 0.0095).exp().max(0.11);
            let inside = |albedo: [f32; 3]| chroma.suits(std::array::from_fn(|c| albedo[c] * shine[c] * open));
            let soft =
                |albedo: [f32; 3]| chroma.suits(std::array::from_fn(|c| (albedo[c] * open + BOUNCE[c]) * shine[c]));
            colour.push(match face.region[i] {
                REGION_TEETH => {
                    let (tooth, cheek, lit) = (inside(TEETH), soft(LINING), beside(model.mean[i][0]));
                    std::array::from_fn(|c| tooth[c] * outside[i] * lit + cheek[c] * (1.0 - lit))
                }
                REGION_GUM => inside(GUM),
                REGION_TONGUE => soft(TONGUE),
                _ if lining[i] => soft(LINING),
                _ => {
                    // Lids: a quarter of what is around them, the rest the skin's usual colour in the light that falls there. The ball under
                    // them turns them to the light a little more than the mesh does.
                    let lid = 0.75 * zones.lid[i];
                    let lit = spread[i][3] / usual_light;
                    let spread: [f32; 3] =
                        std::array::from_fn(|c| spread[i][c] * (1.0 - lid) + light.skin[c] * lit * lid);
                    let fade = (1.0 - 0.55 * smoothstep(0.15, 0.9, zones.inner[i])) * (1.0 + 0.06 * zones.lid[i]);
                    spread.map(|c| c * fade)
                }
            });
            lights.push(spread[i][3]);
        }
        let cavity = |i: usize| face.region[i] == REGION_TONGUE || (face.region[i] == REGION_SKIN && lining[i]);
        let between = chroma.suits(std::array::from_fn(|c| GLOW[c] * shine[c]));
        let shaded = lower_row(model, face, zones);
        // Gums, tongue and lips lend the teeth in their shade some of their colour.
        let glow =
            (0..v).map(|i| if cavity(i) { between } else { between.map(|c| c * BETWEEN_TEETH * shaded[i]) }).collect();
        let row = |i: usize| WIDE[usize::from(zones.jaw[i] > 0.2)];
        let wide = (0..v).map(|i| if face.region[i] == REGION_TEETH { row(i) } else { 0.0 }).collect();
        Self {
            colour,
            light: lights,
            shaded,
            wide,
            glow,
            lips: std::array::from_fn(|c| 0.5 * LIPS * (lip_colour[0][c] + lip_colour[1][c])),
        }
    }
}

/// What of the light reaches teeth this far beside the middle, metres on the mean head: the cheek lies close to those behind the canines, so that a
/// wide or turned mouth does not show a bright row up to its far end.
fn beside(x: f32) -> f32 {
    1.0 - 0.85 * smoothstep(0.012, 0.02, x.abs())
}

/// (V) how much the upper teeth shade the lower when the mouth is nearly shut: most at their tips.
fn lower_row(model: &FaceModel, face: &SourceFace, zones: &Zones) -> Vec<f32> {
    let lower = |i: usize| face.region[i] == REGION_TEETH && zones.jaw[i] > 0.2;
    let tip = (0..model.vertices()).filter(|i| lower(*i)).map(|i| model.mean[i][1]).fold(f32::MIN, f32::max);
    let shade = |i: usize| 0.37 + 0.38 * smoothstep(tip - 0.008, tip - 0.001, model.mean[i][1]);
    (0..model.vertices()).map(|i| if lower(i) { shade(i) } else { 0.0 }).collect()
}

/// (V) vertices that only triangles of the mouth's lining use.
pub(super) fn only_lining(model: &FaceModel) -> Vec<bool> {
    let mut lining = vec![false; model.vertices()];
    for t in model.triangles.iter().filter(|t| t[3] == REGION_MOUTH_LINING) {
        t[..3].iter().for_each(|v| lining[*v as usize] = true);
    }
    for t in model.triangles.iter().filter(|t| t[3] != REGION_MOUTH_LINING) {
        t[..3].iter().for_each(|v| lining[*v as usize] = false);
    }
    lining
}

/// Light on the teeth: a little brighter than the eyes' white, near the skin's own brightness, tinted like both and like varnish or a lamp.
fn teeth_light(skin: [f32; 3], eyes: &Eyes) -> [f32; 3] {
    let white = eyes.white;
    let mean = |c: [f32; 3]| (c[0] + c[1] + c[2]) / 3.0;
    let usual = [1.75, 0.8, 0.45]; // the ratio of skin's channels to their mean under white light
    let tint: [f32; 3] = std::array::from_fn(|c| {
        eyes.tint[c].powf(0.6) * (white[c] / mean(white)).powf(0.25) * (skin[c] / mean(skin) / usual[c]).powf(0.2)
    });
    let brightest = skin[0].max(skin[1]).max(skin[2]);
    let level = (2.2 * mean(white)).clamp(1.2 * brightest, (1.75 * brightest).max(0.8)).min(1.2);
    // Teeth are never bluer or greener than their light is white.
    let tint = [tint[0], tint[1].clamp(0.72 * tint[0], tint[0]), tint[2].clamp(0.4 * tint[0], tint[0])];
    tint.map(|t| t / mean(tint) * level)
}

/// The light on the teeth as the portrait's own tell it, where it shows some; else as it was thought.
fn own_teeth(model: &FaceModel, face: &SourceFace, layers: &Layers, thought: [f32; 3]) -> [f32; 3] {
    /// What lips take of the light at the teeth of a smile.
    const SHADE: f32 = 0.72;
    let tooth = |k: &usize| face.clear[*k] > face.scale && face.at(model, *k).is_some_and(|t| t.2 == REGION_TEETH);
    let mut seen: Vec<[f32; 3]> = (0..face.triangle_id.len()).filter(tooth).map(|k| layers.whole[k]).collect();
    if (seen.len() as f32) < 30.0 * face.scale * face.scale {
        return thought;
    }
    seen.sort_by(|a, b| luminance(*a).total_cmp(&luminance(*b)));
    // A fit that misses the mouth has lips there: they are darker.
    let upper = &seen[seen.len() / 2..];
    let bright = [0, 1, 2].map(|c| median(upper.iter().map(|p| p[c])));
    std::array::from_fn(|c| (bright[c] / (TEETH[c] * SHADE)).clamp(0.6 * thought[c], 1.5 * thought[c]))
}

/// (V) 1 on the side of teeth that the lips touch, less on the one that the tongue does: no light comes there.
fn labial(model: &FaceModel) -> Vec<f32> {
    let mut normals = vec![[0.0f32; 3]; model.vertices()];
    for t in model.triangles.iter().filter(|t| t[3] == REGION_TEETH) {
        let [a, b, c] = [t[0], t[1], t[2]].map(|v| model.mean[v as usize]);
        let [u, w] = [b, c].map(|p| [p[0] - a[0], p[1] - a[1], p[2] - a[2]]);
        let n = [u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]];
        t[..3].iter().for_each(|v| (0..3).for_each(|i| normals[*v as usize][i] += n[i]));
    }
    normals
        .iter()
        .map(|[x, y, z]| {
            let flat = (x * x + z * z).sqrt().max(1e-12);
            let steep = (x * x + y * y + z * z).sqrt().max(1e-12);
            // Tips look up or down and count as the front.
            1.0 - 0.65 * smoothstep(0.25, -0.35, z / flat) * smoothstep(0.3, 0.8, flat / steep)
        })
        .collect()
}

/// Solves (W + λ L) x = W v on the mesh's edges: values stay where they have weight and spread smoothly where not.
fn membrane(model: &FaceModel, values: &[[f32; 4]], weight: &[f32]) -> Vec<[f32; 4]> {
    const STIFF: f32 = 0.02;
    let v = model.vertices();
    let mut near: Vec<Vec<u32>> = vec![Vec::new(); v];
    for t in &model.triangles {
        for i in 0..3 {
            let (a, b) = (t[i], t[(i + 1) % 3]);
            near[a as usize].push(b);
            near[b as usize].push(a);
        }
    }
    for list in &mut near {
        list.sort_unstable();
        list.dedup();
    }
    let mut x = values.to_vec();
    // Gauss–Seidel with over-relaxation, up and down, so that nothing drifts one way.
    for sweep in 0..160 {
        let mut one = |i: usize| {
            if near[i].is_empty() {
                return;
            }
            let mut sum = [0.0f32; 4];
            for n in &near[i] {
                let o = x[*n as usize];
                sum = [sum[0] + o[0], sum[1] + o[1], sum[2] + o[2], sum[3] + o[3]];
            }
            let k = 1.0 / (weight[i] + STIFF * near[i].len() as f32);
            for c in 0..4 {
                let to = (weight[i] * values[i][c] + STIFF * sum[c]) * k;
                x[i][c] += 1.6 * (to - x[i][c]);
            }
        };
        if sweep % 2 == 0 { (0..v).for_each(&mut one) } else { (0..v).rev().for_each(&mut one) }
    }
    x.iter_mut().flatten().for_each(|c| *c = c.max(0.0));
    x
}
