//! A picture of each whole eyeball, for when it turns or the lids open wider than in the portrait.

use vultus_shaders::shared::mesh::{REGION_LEFT_EYE, REGION_RIGHT_EYE};

use super::chroma::Chroma;
use super::light::{luminance, median, solve};
use super::picture::{Layers, fill, sample};
use super::seen::{SourceFace, smoothstep};
use crate::face::FaceModel;

/// Pixels of an eye's picture along one side.
pub(super) const SIDE: usize = 96;
/// Pixels of the picture per radian from the eye's axis.
pub(super) const SCALE: f32 = SIDE as f32 / 2.6;
/// Radius of the iris, radians.
const IRIS: f32 = 0.44;

/// Both eyes' pictures and what they say of the light.
#[derive(Clone, Debug)]
pub(super) struct Eyes {
    /// (2, SIDE, SIDE) linear RGB, the subject's left eye first; angle from the axis grows linearly from the middle.
    pub pictures: Vec<[f32; 4]>,
    /// (V) x, y angle from the axis, radians; 0 off the eyes.
    pub direction: Vec<[f32; 2]>,
    /// Linear colour of the white.
    pub white: [f32; 3],
    /// By how much each channel of the light differs from white, as far as the eyes tell; their mean is 1.
    pub tint: [f32; 3],
}

impl Eyes {
    /// Projects the seen part of each ball and fills the rest with its own radial profile.
    pub(super) fn new(model: &FaceModel, face: &SourceFace, layers: &Layers, skin: [f32; 3], chroma: &Chroma) -> Self {
        let v = model.vertices();
        let mut direction = vec![[0.0f32; 2]; v];
        for i in (0..v).filter(|i| model.eye_angle[*i] >= 0.0) {
            let centre = model.eye_centers[usize::from(face.region[i] == REGION_RIGHT_EYE)];
            let [x, y] = [0, 1].map(|c| model.mean[i][c] - centre[c]);
            let l = x.hypot(y).max(1e-9);
            direction[i] = [x / l * model.eye_angle[i], y / l * model.eye_angle[i]];
        }

        let brightest = skin[0].max(skin[1]).max(skin[2]);
        let maps = [REGION_LEFT_EYE, REGION_RIGHT_EYE].map(|region| project(model, face, layers, region, &direction));
        // The white: the brighter fifth of what is seen beyond the iris.
        let mut pale: Vec<[f32; 3]> = Vec::new();
        for map in &maps {
            for (k, (c, w)) in map.iter().enumerate() {
                if *w > 0.5 && angle(k) > IRIS + 0.05 {
                    pale.push(*c);
                }
            }
        }
        pale.sort_by(|a, b| luminance(*b).total_cmp(&luminance(*a)));
        pale.truncate((pale.len() / 3).max(1));
        let seen_white = (pale.len() > 8).then(|| [0, 1, 2].map(|c| median(pale.iter().map(|p| p[c]))));
        let tint = tint(seen_white, brightest);
        let seen_white = seen_white.unwrap_or(skin.map(|c| 1.2 * c));
        let grey = (seen_white[0] + seen_white[1] + seen_white[2]) / 3.0;
        let white = chroma.suits(std::array::from_fn(|c| {
            let lit = brightest * tint[c];
            (0.35 * seen_white[c] + 0.65 * grey * tint[c]).clamp(0.25 * lit, 2.2 * lit)
        }));

        let pictures = maps.iter().flat_map(|map| complete(map, white)).collect();
        Self { pictures, direction, white, tint }
    }
}

/// Angle from the axis of a pixel of an eye's picture.
fn angle(k: usize) -> f32 {
    let d = [k % SIDE, k / SIDE].map(|i| (i as f32 + 0.5 - SIDE as f32 / 2.0) / SCALE);
    d[0].hypot(d[1])
}

/// Colour and certainty of each pixel of an eye's picture.
fn project(
    model: &FaceModel,
    face: &SourceFace,
    layers: &Layers,
    region: u32,
    direction: &[[f32; 2]],
) -> Vec<([f32; 3], f32)> {
    // The ball as an affine image of the unit sphere, in camera space.
    let unit = |d: [f32; 2]| {
        let a = d[0].hypot(d[1]);
        let k = if a > 1e-6 { a.sin() / a } else { 1.0 };
        [d[0] * k, d[1] * k, a.cos(), 1.0]
    };
    let mut equations = [[[0.0f64; 5]; 4]; 3];
    for i in (0..model.vertices()).filter(|i| face.region[*i] == region) {
        let u = unit(direction[i]).map(f64::from);
        for (axis, a) in equations.iter_mut().enumerate() {
            for r in 0..4 {
                for c in 0..4 {
                    a[r][c] += u[r] * u[c];
                }
                a[r][4] += u[r] * f64::from(face.positions[i][axis]);
            }
        }
    }
    let ball = equations.map(solve);
    // Pixels per x/z and the centre, from any two vertices of the mesh's own projection, are already in `screen`; fit the same way.
    let mut px = [[[0.0f64; 3]; 2]; 2];
    for i in (0..model.vertices()).filter(|i| face.region[*i] == region) {
        let [x, y, z, _] = face.positions[i].map(f64::from);
        for (axis, a) in px.iter_mut().enumerate() {
            let u = [if axis == 0 { x / -z } else { -y / -z }, 1.0];
            for r in 0..2 {
                for c in 0..2 {
                    a[r][c] += u[r] * u[c];
                }
                a[r][2] += u[r] * f64::from(face.screen[i][axis]);
            }
        }
    }
    let camera = px.map(solve);

    let size = face.size;
    (0..SIDE * SIDE)
        .map(|k| {
            let d = [k % SIDE, k / SIDE].map(|i| (i as f32 + 0.5 - SIDE as f32 / 2.0) / SCALE);
            let u = unit([d[0], -d[1]]).map(f64::from);
            let x = ball.map(|row| (0..4).map(|i| row[i] * u[i]).sum::<f64>());
            let at = [
                (camera[0][0] * x[0] / -x[2] + camera[0][1]) as f32,
                (camera[1][0] * -x[1] / -x[2] + camera[1][1]) as f32,
            ];
            if at.iter().any(|c| !(0.0..size as f32).contains(c)) || angle(k) > 1.25 {
                return ([0.0; 3], 0.0);
            }
            let pixel = at[1] as usize * size + at[0] as usize;
            let Some((_, _, here)) = face.at(model, pixel) else { return ([0.0; 3], 0.0) };
            let [clear] = sample(bytemuck::cast_slice(&face.clear), size, at);
            let sure = if here == region { smoothstep(1.0, 3.2, clear / face.scale) } else { 0.0 };
            (layers.colour(at), sure)
        })
        .collect()
}

/// What the eyes' white tells of the light: neutral teeth look blue under old varnish. A white as dark as a shadow tells nothing; then teeth are ivory,
/// which suits where a lamp's white would not. `brightest` is the highest channel of the skin.
fn tint(white: Option<[f32; 3]>, brightest: f32) -> [f32; 3] {
    // Of path-traced eyes under white lights: lids and lashes colour them.
    const USUAL: [f32; 3] = [1.236, 0.942, 0.822];
    const IVORY: [f32; 3] = [1.22, 1.04, 0.74];
    let even = |c: [f32; 3]| c.map(|v| 3.0 * v / (c[0] + c[1] + c[2]));
    let Some(white) = white.filter(|w| w.iter().all(|v| *v > 1e-4)) else { return IVORY };
    let certain = smoothstep(0.28, 0.45, white[0].max(white[1]).max(white[2]) / brightest);
    let seen = even(white);
    let seen: [f32; 3] = std::array::from_fn(|c| (seen[c] / USUAL[c]).clamp(0.35, 2.0));
    even(std::array::from_fn(|c| seen[c].powf(certain) * IVORY[c].powf(1.0 - certain)))
}

/// Fills what is not seen: the median colour at the same angle, held up to the white beyond the iris.
fn complete(map: &[([f32; 3], f32)], white: [f32; 3]) -> Vec<[f32; 4]> {
    const BINS: usize = 40;
    let bin = |a: f32| ((a / 1.3 * BINS as f32) as usize).min(BINS - 1);
    let mut rings: Vec<Vec<[f32; 3]>> = vec![Vec::new(); BINS];
    for (k, (c, w)) in map.iter().enumerate() {
        if *w > 0.5 {
            rings[bin(angle(k))].push(*c);
        }
    }
    let enough = rings.iter().filter(|r| r.len() > 3).count() >= 4;
    let values: Vec<[f32; 4]> = rings
        .iter()
        .enumerate()
        .map(|(b, r)| {
            let middle = (b as f32 + 0.5) / BINS as f32 * 1.3;
            let c = if r.len() > 3 {
                [0, 1, 2].map(|c| median(r.iter().map(|p| p[c])))
            } else if middle < IRIS {
                white.map(|c| 0.12 * c)
            } else {
                white
            };
            [c[0], c[1], c[2], 0.0]
        })
        .collect();
    let weight: Vec<f32> = rings.iter().map(|r| if r.len() > 3 || !enough { 1.0 } else { 0.0 }).collect();
    let profile = fill(&values, &weight, BINS, 1);
    let floor = luminance(white) * 0.8;
    let ring = |k: usize| {
        let q = (angle(k) / 1.3 * BINS as f32 - 0.5).clamp(0.0, BINS as f32 - 1.001);
        let (i, t) = (q as usize, q.fract());
        let c: [f32; 3] = std::array::from_fn(|c| profile[i][c] * (1.0 - t) + profile[i + 1][c] * t);
        let lift = (floor / luminance(c).max(1e-4)).max(1.0);
        let out = smoothstep(IRIS, IRIS + 0.12, angle(k));
        std::array::from_fn(|i| c[i] * (1.0 - out) + if lift > 1.0 { white[i] * 0.8 } else { c[i] } * out)
    };
    let mut out: Vec<[f32; 4]> = map
        .iter()
        .enumerate()
        .map(|(k, (c, w))| {
            let r: [f32; 3] = ring(k);
            [c[0] * w + r[0] * (1.0 - w), c[1] * w + r[1] * (1.0 - w), c[2] * w + r[2] * (1.0 - w), 0.0]
        })
        .collect();
    // Soften what was filled in, so that no seam shows around what was seen.
    for _ in 0..3 {
        let from = out.clone();
        for y in 1..SIDE - 1 {
            for x in 1..SIDE - 1 {
                let k = y * SIDE + x;
                let own = map[k].1;
                for c in 0..3 {
                    let near: f32 = [k - 1, k + 1, k - SIDE, k + SIDE].iter().map(|n| from[*n][c]).sum();
                    out[k][c] = from[k][c] * own + (0.2 * (from[k][c] + near)) * (1.0 - own);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::tint;

    #[test]
    fn the_white_of_the_eyes_tells_the_light() {
        let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.03);
        // Path-traced under white light, as bright as the skin.
        assert!(near(tint(Some([0.34, 0.26, 0.225]), 0.6), [1.0; 3]));
        // Under old varnish: the same white without most of its blue.
        let varnished = tint(Some([0.34, 0.2, 0.06]), 0.4);
        assert!(varnished[2] < 0.6 && varnished[0] > 1.2, "{varnished:?}");
        assert!((varnished.iter().sum::<f32>() - 3.0).abs() < 1e-4);
        // In the shade, not to be seen, or black: no one knows, and whatever the colour is does not matter.
        let ivory = tint(None, 0.5);
        assert!(ivory[0] > ivory[1] && ivory[1] > ivory[2] && ivory[2] > 0.6, "{ivory:?}");
        for white in [[0.14, 0.06, 0.02], [0.02, 0.06, 0.14], [0.0; 3]] {
            assert!(near(tint(Some(white), 0.6), ivory), "{white:?}");
        }
    }
}
