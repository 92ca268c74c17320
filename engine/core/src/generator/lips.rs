//! What the portrait's lips look like where they meet: there the picture shows the line between them, teeth, or the other lip if the fit is a little off. None of these
//! may stay on a lip's edge when it moves away from the other.

use vultus_shaders::shared::mesh::REGION_SKIN;

use super::light::{luminance, median};
use super::picture::Layers;
use super::seen::{SourceFace, smoothstep};
use super::zones::Zones;
use crate::face::{FaceModel, Mask};

/// Lengths in pixels of a face that lengths are meant for: up to the first of these from where the lips meet the picture is asked whether it shows a lip, not at all
/// beyond the second.
const DOUBTED: [f32; 2] = [4.0, 6.5];
/// How far from there colours are surely a lip's.
const SURE: [f32; 2] = [3.0, 10.0];
/// Along the mouth, how far lips lend each other their colour.
const ALONG: f32 = 9.0;
/// Logarithms of luminance over the lip's own between which a colour becomes one that no lip has.
const OTHER: [f32; 2] = [0.15, 0.45];

/// What the line between painted lips takes of the light.
const LINE: f32 = 0.4;

/// Weights per vertex, 0 … 1.
#[derive(Clone, Debug)]
pub(super) struct Lips {
    /// Near where the lips meet.
    pub near: Vec<f32>,
    /// Shows what is no lip.
    pub other: Vec<f32>,
    /// What is left of the light on such a place if it touches the other lip.
    pub line: Vec<f32>,
}

impl Lips {
    /// `parted` says how far the portrait's lips are apart, as a share of their range.
    pub(super) fn new(model: &FaceModel, face: &SourceFace, zones: &Zones, layers: &Layers, parted: f32) -> Self {
        let v = model.vertices();
        let lips = model.mask(Mask::Lips);
        let mut places = Vec::new();
        for i in (0..v).filter(|i| lips[*i] > 0.3 && face.region[*i] == REGION_SKIN) {
            let [x, y, ..] = face.screen[i];
            let Some(k) = face.pixel([x, y]) else { continue };
            let light = luminance(layers.colour([x, y])).max(0.0) + 1e-3;
            places.push(Place { i, x, lower: zones.jaw[i] > 0.35, away: face.clear[k] / face.scale, light });
        }
        let mut own = Self { near: vec![0.0; v], other: vec![0.0; v], line: vec![1.0; v] };
        for lower in [false, true] {
            let sure: Vec<&Place> = places
                .iter()
                .filter(|p| p.lower == lower && lips[p.i] > 0.6 && face.seen[p.i] > 0.7)
                .filter(|p| (SURE[0]..SURE[1]).contains(&p.away))
                .collect();
            if sure.len() < 8 {
                continue;
            }
            let middle = median(sure.iter().map(|p| p.light));
            // What is far from the median is hair, a highlight, or a tooth after all.
            let usual: Vec<f32> = sure.iter().map(|p| (-((p.light / middle).ln() / 0.4).powi(2)).exp()).collect();
            for p in places.iter().filter(|p| p.lower == lower) {
                let mut sum = [1e-4 * middle, 1e-4];
                for (q, usual) in sure.iter().zip(&usual) {
                    let w = usual * (-((p.x - q.x) / (ALONG * face.scale)).powi(2)).exp();
                    sum = [sum[0] + w * q.light, sum[1] + w];
                }
                let off = (p.light * sum[1] / sum[0]).ln().abs();
                own.near[p.i] = smoothstep(DOUBTED[1] + 1.5, DOUBTED[1], p.away);
                own.other[p.i] = smoothstep(OTHER[0], OTHER[1], off) * smoothstep(DOUBTED[1], DOUBTED[0], p.away);
            }
        }
        own.other = spread(model, &own.other);
        // Lips that are shut in the portrait have a line of their own, and show it when they are shut.
        let line = LINE * smoothstep(0.03, 0.1, parted);
        for p in &places {
            own.line[p.i] = 1.0 - line * own.other[p.i] * smoothstep(2.2, 0.4, p.away);
        }
        own
    }
}

/// A vertex of the lips.
struct Place {
    i: usize,
    /// Place along the mouth, px.
    x: f32,
    lower: bool,
    /// From where the lips meet.
    away: f32,
    /// Luminance in the portrait.
    light: f32,
}

/// Single vertices among others become like these.
fn spread(model: &FaceModel, of: &[f32]) -> Vec<f32> {
    let mut out = of.to_vec();
    for _ in 0..2 {
        let mut sum = vec![[0.0f32; 2]; out.len()];
        for t in &model.triangles {
            let all: f32 = t[..3].iter().map(|v| out[*v as usize]).sum();
            for v in &t[..3] {
                let s = &mut sum[*v as usize];
                *s = [s[0] + all - out[*v as usize], s[1] + 2.0];
            }
        }
        out.iter_mut().zip(&sum).filter(|(_, s)| s[1] > 0.0).for_each(|(o, s)| *o = o.max(s[0] / s[1]));
    }
    out
}
