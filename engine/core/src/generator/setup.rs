//! All that is worked out once a portrait, on the CPU.

use vultus_shaders::shared::mesh::{
    REGION_GUM, REGION_LEFT_EYE, REGION_MOUTH_LINING, REGION_RIGHT_EYE, REGION_SKIN, REGION_TEETH, REGION_TONGUE,
};

use super::chroma::Chroma;
use super::eyes::Eyes;
use super::lids::{self, Lids};
use super::light::{HARMONICS, SkinLight};
use super::lips::Lips;
use super::paint::{Paint, only_lining};
use super::picture::{Layers, fill};
use super::seen::{Looker, SourceFace, smoothstep};
use super::zones::Zones;
use crate::avatar::{AvatarFile, EXPRESSION};
use crate::compute::{ComputeError, Constant, PlanError};
use crate::face::{FaceModel, Placement};

/// Words of [`Setup::light`].
pub(super) const LIGHT: usize = HARMONICS + 2 * EXPRESSION;
/// Pixels of a cell of the outer flow's grid.
pub(super) const STEP: usize = 4;

/// What is worked out of a portrait, resident. V vertices, S × S pixels, (S/4)² cells.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// (2, S, S, 4): the person premultiplied by the matte, then the background.
    pub pictures: Constant,
    /// (V, 4, 4) rows as `vertex_look` describes them.
    pub vertices: Constant,
    /// (cells, cells, 2): depth in metres and head weight over the portrait.
    pub plate: Constant,
    /// (10 + 64 + 64): spherical harmonics of the skin's luminance, and their floor; how far each expression parts the lips; the portrait's expressions.
    pub light: Constant,
    /// (…, 4): both eyes' pictures, then (S·S/4) how deep in an eyeball each pixel of the portrait lies, in pixels, four an entry.
    pub eyes: Constant,
    /// (V, 4) places in the pictures of shut lids, and (2, S/4, S/4, 4) these pictures: see `lid_paint`.
    pub lid_places: Constant,
    pub lids: Constant,
    /// Linear colour of the light that the lips let through.
    pub lips: [f32; 3],
    /// 1 for a picture of one hue, 0 for one in colour.
    pub plain: f32,
    /// Pixels per pixel of the face that lengths are meant for.
    pub scale: f32,
}

/// Works portraits out for pictures of S × S pixels: holds what does not depend on whose they are.
#[derive(Debug)]
pub(super) struct Preparer {
    size: usize,
    looker: Looker,
    zones: Zones,
    lining: Vec<bool>,
    /// (F) a number for each part between which edges are smoothed: the region, 1 for all inside the mouth, 8 for skin that follows the jaw,
    /// 9 for the upper lids.
    pub parts: Constant,
}

impl Preparer {
    pub(super) fn new(model: &FaceModel, size: usize) -> Result<Self, PlanError> {
        let zones = Zones::new(model);
        let parts = parts(model, &zones);
        let parts = Constant::new([parts.len()], &parts);
        Ok(Self { size, looker: Looker::new(model, size)?, zones, lining: only_lining(model), parts })
    }

    /// Works a portrait out; within a second at 512.
    pub(super) fn portrait(&self, model: &FaceModel, avatar: &AvatarFile) -> Result<Setup, ComputeError> {
        let Self { size, looker, zones, lining, .. } = self;
        let size = *size;
        let layers = Layers::new(avatar, size);
        let mut face = looker.look(model, &Placement::of(avatar))?;
        let lips = Lips::new(model, &face, zones, &layers, model.lip_gap(&avatar.beta));
        face.seen.iter_mut().zip(&lips.other).for_each(|(seen, other)| *seen *= 1.0 - other);
        let light = SkinLight::fit(model, &face, zones, &layers);
        let chroma = Chroma::of(&layers, light.skin);
        let eyes = Eyes::new(model, &face, &layers, light.skin, &chroma);
        let shut = looker.look(model, &lids::shut(model, avatar))?;
        let lids = Lids::new(model, &face, &shut, zones, &layers, &light);
        let paint = Paint::new(model, &face, zones, lining, &layers, &light, &eyes, &chroma);

        let mut vertices = Vec::with_capacity(4 * model.vertices());
        for i in 0..model.vertices() {
            let part = match face.region[i] {
                REGION_LEFT_EYE | REGION_RIGHT_EYE => 1.0,
                REGION_TEETH | REGION_GUM | REGION_TONGUE => 2.0,
                _ if lining[i] => 2.0,
                _ => 0.0,
            };
            let [x, y, ..] = face.screen[i];
            let [r, g, b] = paint.colour[i].map(|c| c * lips.line[i]);
            vertices.push([x, y, face.seen[i], zones.own[i]]);
            vertices.push([r, g, b, lids.light[i].max(1e-3)]);
            if part == 2.0 {
                let [r, g, b] = paint.glow[i];
                vertices.push([paint.shaded[i], paint.wide[i], 0.0, part]);
                vertices.push([r, g, b, 0.0]);
                continue;
            }
            let part = if part == 0.0 { 0.4 * zones.under[i] } else { part };
            let lip = if lips.near[i] > 0.0 { 1.0 + lips.near[i] } else { zones.lip[i] };
            vertices.push([zones.rim[i], zones.lid[i], lip, part]);
            let [ex, ey] = eyes.direction[i];
            let last = if part == 1.0 { [ex, ey] } else { [paint.light[i].max(1e-3), zones.eye_rim[i]] };
            vertices.push([face.normals[i][2], light.shade[i], last[0], last[1]]);
        }

        let mut pictures = layers.person;
        pictures.extend(layers.background);
        let eyes: Vec<[f32; 4]> = eyes.pictures.into_iter().chain(depth_in_eyes(model, &face)).collect();
        let cells = size / STEP;
        Ok(Setup {
            pictures: Constant::new([2, size, size, 4], &pictures),
            vertices: Constant::new([model.vertices(), 4, 4], &vertices),
            plate: Constant::new([cells, cells, 2], &plate(model, &face)),
            light: Constant::new([LIGHT], &[&light.harmonics[..], model.lip_gap_slope(), &avatar.beta].concat()),
            eyes: Constant::new([eyes.len(), 4], &eyes),
            lid_places: Constant::new([model.vertices(), 4], &lids.places),
            lids: Constant::new([2, size / 4, size / 4, 4], &lids.pictures),
            lips: paint.lips,
            plain: chroma.plain(),
            scale: face.scale,
        })
    }
}

fn parts(model: &FaceModel, zones: &Zones) -> Vec<u32> {
    let mean = |t: &[u32; 4], of: &[f32]| t[..3].iter().map(|v| of[*v as usize]).sum::<f32>() / 3.0;
    let part = |t: &[u32; 4]| match t[3] {
        REGION_SKIN if mean(t, &zones.lid) > 0.5 => 9,
        REGION_SKIN if mean(t, &zones.jaw) > 0.35 => 8,
        REGION_MOUTH_LINING | REGION_TEETH | REGION_GUM | REGION_TONGUE => 1,
        region => region,
    };
    model.triangles.iter().map(part).collect()
}

/// How deep in an eyeball each pixel lies: ½ at its rim, 0 outside.
fn depth_in_eyes(model: &FaceModel, face: &SourceFace) -> Vec<[f32; 4]> {
    let depth = |k: usize| match face.at(model, k) {
        Some((_, _, REGION_LEFT_EYE | REGION_RIGHT_EYE)) => face.clear[k].min(8.0),
        _ => 0.0,
    };
    (0..face.size * face.size / 4).map(|i| [0, 1, 2, 3].map(|j| depth(4 * i + j))).collect()
}

/// Depth and head weight under each cell: the mesh's own where it is; beyond its outline the weight spreads smoothly.
fn plate(model: &FaceModel, face: &SourceFace) -> Vec<[f32; 2]> {
    let (size, cells) = (face.size, face.size / STEP);
    let mut values = vec![[0.0f32; 2]; cells * cells];
    let mut weight = vec![0.0f32; cells * cells];
    for y in 0..cells * STEP {
        for x in 0..cells * STEP {
            let Some((v, w, _)) = face.at(model, y * size + x) else { continue };
            let k = y / STEP * cells + x / STEP;
            weight[k] += 1.0;
            values[k][0] += face.depth[y * size + x];
            values[k][1] += (0..3).map(|i| model.head_weight[v[i]] * w[i]).sum::<f32>();
        }
    }
    for (v, w) in values.iter_mut().zip(&mut weight) {
        if *w > 0.0 {
            v.iter_mut().for_each(|v| *v /= *w);
            *w /= (STEP * STEP) as f32;
        }
    }
    // Beside the head lies its outline, and beyond it hair: both are about as deep as the middle of the skull.
    let skull = (0..model.vertices()).filter(|v| model.head_weight[*v] > 0.95 && model.mean[*v][1] > 0.0);
    let (near, far) = skull.fold((f32::MAX, f32::MIN), |(a, b), v| {
        let depth = -face.positions[v][2];
        (a.min(depth), b.max(depth))
    });
    let middle = 0.5 * (near + far);
    let mut full = fill(&values, &weight, cells, cells);
    for (k, v) in full.iter_mut().enumerate() {
        let beside = 1.0 - weight[k].min(1.0);
        let head = smoothstep(0.3, 0.9, v[1]) * beside;
        v[0] += (middle - v[0]) * head;
    }
    let reach = (2.0 * face.scale).round().max(1.0) as usize;
    for _ in 0..3 {
        full = box_blur(&full, cells, reach, 1, cells);
        full = box_blur(&full, cells, reach, cells, 1);
    }
    full
}

fn box_blur(from: &[[f32; 2]], cells: usize, reach: usize, step: usize, line: usize) -> Vec<[f32; 2]> {
    let mut out = from.to_vec();
    for row in 0..cells {
        for i in 0..cells {
            let mut sum = [0.0f32; 2];
            for j in 0..=2 * reach {
                let v = from[row * line + (i + j).saturating_sub(reach).min(cells - 1) * step];
                sum = [sum[0] + v[0], sum[1] + v[1]];
            }
            out[row * line + i * step] = sum.map(|s| s / (2 * reach + 1) as f32);
        }
    }
    out
}
