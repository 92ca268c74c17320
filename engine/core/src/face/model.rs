//! The model's file and what can be computed from it on the host.

use std::sync::{Arc, OnceLock};

use vultus_shaders::shared::mesh;

use super::tables::Tables;
use crate::avatar::{ALBEDO, EXPRESSION, IDENTITY};
use crate::weights::{WeightError, WeightReader};

/// The names of the first 52 expressions: ARKit's blendshapes, in Apple's order.
pub const ARKIT: [&str; 52] = [
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
];

/// What a triangle is part of; the number is the one in the file and in the last word of a triangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Region {
    /// Skin.
    Skin = mesh::REGION_SKIN,
    /// Lining of the mouth.
    MouthLining = mesh::REGION_MOUTH_LINING,
    /// The subject's left eyeball.
    LeftEye = mesh::REGION_LEFT_EYE,
    /// The subject's right eyeball.
    RightEye = mesh::REGION_RIGHT_EYE,
    /// Teeth.
    Teeth = mesh::REGION_TEETH,
    /// Gums.
    Gum = mesh::REGION_GUM,
    /// Tongue.
    Tongue = mesh::REGION_TONGUE,
    /// Lashes.
    Lashes = mesh::REGION_LASHES,
}

/// A weight per vertex in 0 … 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// The face that the generator owns.
    Face,
    /// Lips.
    Lips,
    /// Inside of the mouth.
    MouthInner,
    /// Ears.
    Ears,
    /// Eyelids.
    Lids,
    /// Eyebrows.
    Brows,
    /// Where hair grows on the head.
    Scalp,
    /// Neck.
    Neck,
}

impl Mask {
    /// Every mask with its name in the file, in the order of the variants.
    pub const ALL: [(Self, &str); 8] = [
        (Self::Face, "mask.face"),
        (Self::Lips, "mask.lips"),
        (Self::MouthInner, "mask.mouth_inner"),
        (Self::Ears, "mask.ears"),
        (Self::Lids, "mask.lids"),
        (Self::Brows, "mask.brows"),
        (Self::Scalp, "mask.scalp"),
        (Self::Neck, "mask.neck"),
    ];
}

/// The linear 3DMM: V vertices, F triangles, 80 identity, 64 expression and 80 albedo components. Head space, metres, linear sRGB.
/// Its arrays are what the file holds: plans read tables that are made of them once, whatever becomes of the fields afterwards.
#[derive(Clone, Debug)]
pub struct FaceModel {
    /// (V) the mean head.
    pub mean: Vec<[f32; 3]>,
    /// (80, V) identity components for coefficients of unit variance.
    pub identity: Vec<[f32; 3]>,
    /// (64, V) expression components.
    pub expression: Vec<[f32; 3]>,
    /// Names of the expression components; the first 52 are [`ARKIT`].
    pub expression_names: Vec<String>,
    /// (V) mean albedo.
    pub albedo_mean: Vec<[f32; 3]>,
    /// (80, V) albedo components for coefficients of unit variance.
    pub albedo: Vec<[f32; 3]>,
    /// (V) texture coordinates, 0 … 1.
    pub uv: Vec<[f32; 2]>,
    /// (F) three vertices, counter-clockwise seen from outside, and the [`Region`].
    pub triangles: Vec<[u32; 4]>,
    masks: [Vec<f32>; 8],
    /// (V) how much a vertex follows the head's motion: 1 on the head, 0 on the shoulders.
    pub head_weight: Vec<f32>,
    /// About which the head turns.
    pub pivot: [f32; 3],
    /// Centres of the mean head's eyeballs: the subject's left, right.
    pub eye_centers: [[f32; 3]; 2],
    /// Radius of the eyeballs, metres.
    pub eye_radius: f32,
    /// (V) angle from the eye's optical axis in radians; −1 off the eyeballs.
    pub eye_angle: Vec<f32>,
    /// The 68 iBUG landmarks as triangles and weights of their three corners.
    pub landmarks: Vec<(u32, [f32; 3])>,
    /// Pairs of vertices along the inner lips: upper, lower.
    pub inner_lips: Vec<[u32; 2]>,
    /// Mean height between the pairs, metres: at rest, and with the jaw open.
    pub lip_gap_range: [f32; 2],
    /// (64) change of that mean height with each expression, as a share of the range.
    lip_gap_slope: Vec<f32>,
    tables: Arc<OnceLock<Tables>>,
}

impl FaceModel {
    /// Reads the model and checks that its indices stay inside it.
    ///
    /// # Errors
    /// A tensor is missing, mis-shaped, not finite or unused; an index points outside; the names are not those expected.
    pub fn read(mut reader: WeightReader) -> Result<Self, WeightError> {
        let rows = |reader: &WeightReader, name: &str| reader.shape(name).and_then(|s| s.first().copied()).unwrap_or(1);
        let (v, f, lips) =
            (rows(&reader, "mean.position"), rows(&reader, "triangles"), rows(&reader, "inner_lip.upper"));
        let r = &mut reader;
        let mean = triples(&r.take("mean.position", [v, 3])?);
        let identity = triples(&r.take("identity.basis", [IDENTITY, v, 3])?);
        let expression = triples(&r.take("expression.basis", [EXPRESSION, v, 3])?);
        let albedo_mean = triples(&r.take("albedo.mean", [v, 3])?);
        let albedo = triples(&r.take("albedo.basis", [ALBEDO, v, 3])?);
        let uv = r.take("uv", [v, 2])?.as_chunks().0.to_vec();
        let corners = indices(r, "triangles", [f, 3], v)?;
        let region = r.take_u8("triangle.region", [f])?;
        if let Some(odd) = region.iter().find(|k| **k > Region::Lashes as u8) {
            return Err(r.metadata_error("triangle.region", format!("holds {odd}; regions are 0 … 7")));
        }
        let triangles: Vec<[u32; 4]> =
            corners.as_chunks::<3>().0.iter().zip(&region).map(|(t, k)| [t[0], t[1], t[2], u32::from(*k)]).collect();
        let mut masks: [Vec<f32>; 8] = Default::default();
        for (mask, (_, name)) in masks.iter_mut().zip(Mask::ALL) {
            *mask = r.take(name, [v])?;
        }
        let head_weight = r.take("head_weight", [v])?;
        let pivot = triples(&r.take("pivot", [3])?)[0];
        let centers = triples(&r.take("eye.center", [2, 3])?);
        let eye_radius = r.take("eye.radius", [1])?[0];
        let eye_angle = r.take("eye.angle", [v])?;
        let at = indices(r, "landmarks.triangle", [68], f)?;
        let weights = triples(&r.take("landmarks.barycentric", [68, 3])?);
        let upper = indices(r, "inner_lip.upper", [lips], v)?;
        let lower = indices(r, "inner_lip.lower", [lips], v)?;
        let lip_gap_range = [r.take("lip_gap.closed", [1])?[0], r.take("lip_gap.open", [1])?[0]];
        if lips == 0 {
            return Err(r.metadata_error("inner_lip.upper", "is empty"));
        }
        if lip_gap_range[0] >= lip_gap_range[1] {
            return Err(r.metadata_error("lip_gap.open", "is not above `lip_gap.closed`"));
        }
        let expression_names: Vec<String> = serde_json::from_str(r.metadata("expression_names")?)
            .map_err(|e| r.metadata_error("expression_names", e.to_string()))?;
        if expression_names.len() != EXPRESSION || expression_names.iter().zip(ARKIT).any(|(a, b)| a != b) {
            return Err(r.metadata_error("expression_names", "must be 64 names that begin with ARKit's 52"));
        }
        reader.finish()?;

        let inner_lips: Vec<[u32; 2]> = upper.into_iter().zip(lower).map(|(u, l)| [u, l]).collect();
        let share = 1.0 / (lip_gap_range[1] - lip_gap_range[0]) / inner_lips.len() as f32;
        let lip_gap_slope = expression
            .chunks_exact(v)
            .map(|e| inner_lips.iter().map(|[u, l]| e[*u as usize][1] - e[*l as usize][1]).sum::<f32>() * share)
            .collect();
        Ok(Self {
            mean,
            identity,
            expression,
            expression_names,
            albedo_mean,
            albedo,
            uv,
            triangles,
            masks,
            head_weight,
            pivot,
            eye_centers: [centers[0], centers[1]],
            eye_radius,
            eye_angle,
            landmarks: at.into_iter().zip(weights).collect(),
            inner_lips,
            lip_gap_range,
            lip_gap_slope,
            tables: Arc::default(),
        })
    }

    /// What plans read of it: made when the first of them is recorded, resident from then on.
    pub(crate) fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::new(&self.expression, &self.triangles, &self.head_weight))
    }

    /// V.
    pub fn vertices(&self) -> usize {
        self.mean.len()
    }

    /// Weights of a mask, one a vertex.
    pub fn mask(&self, mask: Mask) -> &[f32] {
        &self.masks[mask as usize]
    }

    /// Index of an expression by its name.
    pub fn expression_index(&self, name: &str) -> Option<usize> {
        self.expression_names.iter().position(|n| n == name)
    }

    /// (V) S̄ + B_id α + B_exp β in head space; summed in f64, the reference for the kernels. Missing coefficients are zero.
    pub fn shape(&self, alpha: &[f32], beta: &[f32]) -> Vec<[f32; 3]> {
        combine(&self.mean, &[(&self.identity, alpha), (&self.expression, beta)])
    }

    /// (V) T̄ + B_t δ, linear sRGB held to 0 … 1. Missing coefficients are zero.
    pub fn albedo_of(&self, delta: &[f32]) -> Vec<[f32; 3]> {
        let mut colors = combine(&self.albedo_mean, &[(&self.albedo, delta)]);
        colors.iter_mut().flatten().for_each(|c| *c = c.clamp(0.0, 1.0));
        colors
    }

    /// The 68 landmarks on a mesh of this topology.
    pub fn landmarks_on(&self, vertices: &[[f32; 3]]) -> Vec<[f32; 3]> {
        let on = |(triangle, weights): &(u32, [f32; 3])| {
            let t = self.triangles[*triangle as usize];
            [0, 1, 2].map(|axis| (0..3).map(|k| weights[k] * vertices[t[k] as usize][axis]).sum())
        };
        self.landmarks.iter().map(on).collect()
    }

    /// The 68 landmarks of a face in head space, metres.
    pub fn landmarks(&self, alpha: &[f32], beta: &[f32]) -> Vec<[f32; 3]> {
        self.landmarks_on(&self.shape(alpha, beta))
    }

    /// How far the inner lips of a mesh of this topology in head space are apart, as a share of the mean head's range; never negative.
    pub fn lip_gap_on(&self, vertices: &[[f32; 3]]) -> f32 {
        let heights = self.inner_lips.iter().map(|[u, l]| vertices[*u as usize][1] - vertices[*l as usize][1]);
        let gap = heights.sum::<f32>() / self.inner_lips.len() as f32;
        let [closed, open] = self.lip_gap_range;
        ((gap - closed) / (open - closed)).max(0.0)
    }

    /// (64) by how much each expression parts the inner lips, as a share of their range; below 0 for those that press them together.
    pub(crate) fn lip_gap_slope(&self) -> &[f32] {
        &self.lip_gap_slope
    }

    /// How far the inner lips of the mean head are apart, as a share of their range: 0 at rest, 1 with the jaw open, never negative.
    pub fn lip_gap(&self, beta: &[f32]) -> f32 {
        self.lip_gap_slope.iter().zip(beta).map(|(s, b)| s * b).sum::<f32>().max(0.0)
    }
}

fn triples(flat: &[f32]) -> Vec<[f32; 3]> {
    flat.as_chunks().0.to_vec()
}

fn indices<const N: usize>(
    reader: &mut WeightReader,
    name: &str,
    shape: [usize; N],
    end: usize,
) -> Result<Vec<u32>, WeightError> {
    let raw = reader.take_i32(name, shape)?;
    let valid = |i: &i32| u32::try_from(*i).ok().filter(|i| (*i as usize) < end);
    raw.iter()
        .map(valid)
        .collect::<Option<_>>()
        .ok_or_else(|| reader.metadata_error(name, format!("holds an index outside 0 … {}", end.saturating_sub(1))))
}

fn combine(start: &[[f32; 3]], parts: &[(&Vec<[f32; 3]>, &[f32])]) -> Vec<[f32; 3]> {
    let mut sum: Vec<[f64; 3]> = start.iter().map(|v| v.map(f64::from)).collect();
    for (basis, coefficients) in parts {
        for (component, c) in basis.chunks_exact(start.len()).zip(*coefficients).filter(|(_, c)| **c != 0.0) {
            for (s, b) in sum.iter_mut().zip(component) {
                for axis in 0..3 {
                    s[axis] += f64::from(*c) * f64::from(b[axis]);
                }
            }
        }
    }
    sum.into_iter().map(|v| v.map(|x| x as f32)).collect()
}
