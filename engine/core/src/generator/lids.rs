//! The portrait with its eyes shut: a picture of each eye in the portrait's own camera, made once of the skin around it.
//!
//! Where the shut face's mesh shows skin that the portrait shows too, that is taken. What lay in the fold or under the lashes takes the tone of what is around it
//! and the grain of the cheek; over it come a soft crease and the line where the lashes meet.

use vultus_shaders::cpu::vertex_look::shade;

use super::light::{SkinLight, luminance, median};
use super::picture::{Layers, fill, sample};
use super::seen::{SourceFace, smoothstep};
use super::zones::{Zones, blinks};
use crate::avatar::AvatarFile;
use crate::face::{FaceModel, Mask, Placement};

/// Lids that are shut in the portrait's place, and where the driven face finds them.
#[derive(Clone, Debug)]
pub(super) struct Lids {
    /// (V) x, y px in the eye's picture; 1 around the eye, −1 on the lower lid, 0 elsewhere; 0 for the subject's left eye, 1 for the right.
    pub places: Vec<[f32; 4]>,
    /// (2, S/4, S/4) linear RGB, the subject's left eye first; how little of it the portrait shows.
    pub pictures: Vec<[f32; 4]>,
    /// (V) the portrait's light on the shut face.
    pub light: Vec<f32>,
}

/// How much skin loses where the lid folds, and towards its lashes.
const CREASE: f32 = 0.1;
const SHADE: f32 = 0.16;
/// How much more light a lid gets than skin around the eye: the ball turns it to the light more than the mesh does.
const BULGE: f32 = 1.1;
/// The most that it gets beyond the tone of what is around it.
const LIFT: f32 = 1.35;
/// The portrait's light on a lid counts as much as on all driven skin.
const LIGHT_POWER: f32 = 0.7;

/// An avatar's face with both eyes shut, and not screwed up: what a smile narrows is let go when they shut.
pub(super) fn shut(model: &FaceModel, avatar: &AvatarFile) -> Placement {
    let mut placement = Placement::of(avatar);
    let narrowed = ["eyeSquintLeft", "eyeSquintRight", "cheekSquintLeft", "cheekSquintRight"];
    narrowed.iter().filter_map(|name| model.expression_index(name)).for_each(|i| placement.beta[i] = 0.0);
    blinks(model).into_iter().for_each(|i| placement.beta[i] = 1.0);
    placement
}

/// Where a picture of an eye lies: its pixel (x, y) is the portrait's `first` + (x, y) · `step`.
#[derive(Clone, Copy, Debug)]
struct Window {
    side: usize,
    first: [f32; 2],
    step: f32,
}

impl Window {
    /// Around these points of the portrait, at its own resolution if they fit.
    fn around(points: impl Iterator<Item = [f32; 2]>, side: usize) -> Self {
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for p in points {
            for c in 0..2 {
                low[c] = low[c].min(p[c]);
                high[c] = high[c].max(p[c]);
            }
        }
        if low[0] > high[0] {
            (low, high) = ([0.0; 2], [0.0; 2]);
        }
        let wide = (high[0] - low[0]).max(high[1] - low[1]);
        let step = (wide / (side as f32 - 4.0)).max(1.0);
        let first = [0, 1].map(|c| (0.5 * (low[c] + high[c]) - 0.5 * side as f32 * step).round());
        Self { side, first, step }
    }

    /// Position in the portrait of the middle of a pixel.
    fn at(&self, k: usize) -> [f32; 2] {
        let i = [k % self.side, k / self.side];
        [0, 1].map(|c| self.first[c] + (i[c] as f32 + 0.5) * self.step)
    }

    /// Position in the picture of a point of the portrait.
    fn place(&self, p: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|c| (p[c] - self.first[c]) / self.step)
    }
}

/// What the shut mesh says of a pixel.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    /// 1 where it shows skin.
    skin: f32,
    /// Where in the portrait that skin lies, px.
    from: [f32; 2],
    /// How surely the portrait shows it.
    seen: f32,
    /// As [`Zones`]: skin that the blink sweeps, all that it moves, edge of the upper lid, rims.
    lid: f32,
    socket: f32,
    margin: f32,
    rim: f32,
    /// Brow hair.
    brow: f32,
    /// Light in the portrait over light on the shut lid's normal, and the latter.
    turn: f32,
    light: f32,
}

impl Lids {
    /// `open` is the portrait's face, `shut` the same with eyes shut.
    pub(super) fn new(
        model: &FaceModel,
        open: &SourceFace,
        shut: &SourceFace,
        zones: &Zones,
        layers: &Layers,
        light: &SkinLight,
    ) -> Self {
        let v = model.vertices();
        let side = layers.size / 4;
        let lit: Vec<f32> = shut.normals.iter().map(|n| shade(&light.harmonics, *n)).collect();
        let zone: Vec<f32> = (0..v).map(|i| around_eye(model, zones, i)).collect();
        let right = |i: usize| model.mean[i][0] < 0.0;
        let grain = Grain::of(model, open, layers);
        let mut places = vec![[0.0f32; 4]; v];
        let mut pictures = Vec::with_capacity(2 * side * side);
        for eye in [false, true] {
            let own = |i: &usize| zone[*i] != 0.0 && right(*i) == eye;
            let point = |i: usize| [shut.screen[i][0], shut.screen[i][1]];
            let window = Window::around((0..v).filter(own).map(point), side);
            // Their neighbours have a place too, so that it can be interpolated.
            for i in (0..v).filter(|i| right(*i) == eye) {
                // What peeps out of the ball between shut lids is covered as the lower lid is.
                let zone = if model.eye_angle[i] < 0.0 { zone[i] } else { -1.0 };
                let [x, y] = window.place(point(i));
                places[i] = [x, y, zone, if eye { 1.0 } else { 0.0 }];
            }
            let spots = spots(model, open, shut, zones, light, &lit, &window);
            let edge = Edge::new(model, open, shut, zones, eye, &window, &spots);
            let lash = lashes(model, open, layers, light, eye);
            pictures.extend(picture(&spots, &window, open, layers, &grain, &edge, lash));
        }
        Self { places, pictures, light: lit }
    }
}

/// 1 where a blink moves skin around an eye, −1 on the lower lid, 0 beyond.
fn around_eye(model: &FaceModel, zones: &Zones, i: usize) -> f32 {
    let [x, y, z] = model.mean[i];
    let [cx, cy, cz] = model.eye_centers[usize::from(x < 0.0)];
    let (dx, dy) = ((x.abs() - cx.abs()) / 0.027, (y - cy + 0.002) / 0.017);
    let within = smoothstep(1.0, 0.75, dx.hypot(dy)) * smoothstep(-0.014, -0.008, z - cz);
    if model.eye_angle[i] >= 0.0 || within <= 0.0 {
        return 0.0;
    }
    let lower = smoothstep(-0.001, -0.0035, y - cy) * (1.0 - zones.lid[i]);
    within * (1.0 - 2.0 * lower)
}

fn spots(
    model: &FaceModel,
    open: &SourceFace,
    shut: &SourceFace,
    zones: &Zones,
    light: &SkinLight,
    lit: &[f32],
    window: &Window,
) -> Vec<Spot> {
    let brows = model.mask(Mask::Brows);
    let size = shut.size;
    (0..window.side * window.side)
        .map(|k| {
            let [x, y] = window.at(k);
            let none = Spot { from: [x, y], turn: 1.0, ..Spot::default() };
            if !(0.0..size as f32).contains(&x) || !(0.0..size as f32).contains(&y) {
                return none;
            }
            let Some((v, w, 0)) = shut.at(model, y as usize * size + x as usize) else { return none };
            let mean = |of: &dyn Fn(usize) -> f32| (0..3).map(|i| of(v[i]) * w[i]).sum::<f32>();
            Spot {
                skin: 1.0,
                from: [mean(&|v| open.screen[v][0]), mean(&|v| open.screen[v][1])],
                seen: mean(&|v| open.seen[v]),
                lid: mean(&|v| zones.lid[v]),
                socket: mean(&|v| zones.socket[v]),
                margin: mean(&|v| zones.margin[v]),
                rim: mean(&|v| zones.eye_rim[v].abs()),
                brow: mean(&|v| brows[v]),
                turn: mean(&|v| (light.shade[v] / lit[v].max(1e-4)).clamp(0.5, 2.0)),
                light: mean(&|v| lit[v]),
            }
        })
        .collect()
}

/// The line where the lids meet: down from the eye's middle for each pixel along it, in pixels of the picture.
struct Edge {
    /// Unit vector along which the upper lid closes.
    down: [f32; 2],
    /// First place along the line.
    first: f32,
    /// Place down, and strength, for each pixel along the line.
    line: Vec<[f32; 2]>,
    /// +1 if places along the line grow towards the temple.
    outwards: f32,
}

impl Edge {
    fn new(
        model: &FaceModel,
        open: &SourceFace,
        shut: &SourceFace,
        zones: &Zones,
        right: bool,
        window: &Window,
        spots: &[Spot],
    ) -> Self {
        let mut down = [0.0f32, 1e-6];
        for i in (0..model.vertices()).filter(|i| zones.margin[*i] > 0.1 && (model.mean[*i][0] < 0.0) == right) {
            (0..2).for_each(|c| down[c] += shut.screen[i][c] - open.screen[i][c]);
        }
        let length = down[0].hypot(down[1]);
        let down = down.map(|c| c / length);
        let edge = |k: usize| spots[k].skin > 0.0 && spots[k].margin > 0.02;
        let place = |k: usize| {
            let (x, y) = ((k % window.side) as f32 + 0.5, (k / window.side) as f32 + 0.5);
            [x * down[1] - y * down[0], x * down[0] + y * down[1]]
        };
        let along = || (0..spots.len()).filter(|k| edge(*k)).map(|k| (place(k), spots[k].margin / 0.36));
        let first = along().map(|p| p.0[0]).fold(f32::MAX, f32::min).floor();
        let last = along().map(|p| p.0[0]).fold(f32::MIN, f32::max).floor();
        if first > last {
            return Self { down, first: 0.0, line: Vec::new(), outwards: 1.0 };
        }
        let count = (last - first) as usize + 1;
        let mut low = vec![[f32::MIN, 0.0]; count];
        for ([a, d], strength) in along() {
            let to = &mut low[(a - first) as usize];
            to[0] = to[0].max(d + 0.5);
            to[1] = to[1].max(strength.min(1.0));
        }
        // The raster's steps are smoothed out.
        let reach = (2.5 * open.scale / window.step).ceil() as usize;
        let line = (0..count)
            .map(|i| {
                let near = i.saturating_sub(reach)..(i + reach + 1).min(count);
                let mut sum = [0.0f32; 3];
                for j in near.filter(|j| low[*j][0] > f32::MIN) {
                    let w = 1.0 + reach as f32 - (j as f32 - i as f32).abs();
                    sum = [sum[0] + low[j][0] * w, sum[1] + low[j][1] * w, sum[2] + w];
                }
                [sum[0] / sum[2].max(1e-6), sum[1] / sum[2].max(1e-6)]
            })
            .collect();
        // The subject's left temple is to the right of the picture.
        Self { down, first, line, outwards: if right { -1.0 } else { 1.0 } }
    }

    /// For a pixel: place along the line from its nasal end as a share, px along it, px below it, strength.
    fn at(&self, window: &Window, k: usize) -> Option<[f32; 4]> {
        let (x, y) = ((k % window.side) as f32 + 0.5, (k / window.side) as f32 + 0.5);
        let (a, d) = (x * self.down[1] - y * self.down[0], x * self.down[0] + y * self.down[1]);
        let q = a - self.first - 0.5;
        let last = self.line.len() as f32 - 1.0;
        if self.line.len() < 4 || q < -1.0 || q > last + 1.0 {
            return None;
        }
        let q = q.clamp(0.0, last - 0.001);
        let (i, t) = (q as usize, q.fract());
        let [low, strength] = [0, 1].map(|c| self.line[i][c] * (1.0 - t) + self.line[i + 1][c] * t);
        let share = if self.outwards > 0.0 { q / last } else { 1.0 - q / last };
        Some([share, a * self.outwards, d - low, strength])
    }
}

/// Linear colour of the lashes: the darkest of what lies along the open eye's rim.
fn lashes(model: &FaceModel, open: &SourceFace, layers: &Layers, light: &SkinLight, right: bool) -> [f32; 3] {
    let mut rim: Vec<[f32; 3]> = Vec::new();
    for k in 0..open.triangle_id.len() {
        if open.clear[k] > 2.5 * open.scale {
            continue;
        }
        let Some((v, w, 0)) = open.at(model, k) else { continue };
        let [x, y, z] = [0, 1, 2].map(|c| (0..3).map(|i| model.mean[v[i]][c] * w[i]).sum::<f32>());
        let [cx, cy, cz] = model.eye_centers[usize::from(right)];
        if (x < 0.0) == right && (x - cx).abs() < 0.015 && y > cy - 0.001 && y < cy + 0.008 && z > cz {
            rim.push(layers.whole[k]);
        }
    }
    rim.sort_by(|a, b| luminance(*a).total_cmp(&luminance(*b)));
    let skin = luminance(light.skin);
    let dark = rim.get(rim.len() / 6).copied().unwrap_or(light.skin.map(|c| 0.15 * c));
    let limit = 0.45 * skin / luminance(dark).max(1e-4);
    dark.map(|c| c * limit.min(1.0))
}

/// The fine structure of skin, paint or film beside the eyes: luminance over its surroundings', a tile.
struct Grain {
    side: usize,
    tile: Vec<f32>,
}

impl Grain {
    /// Of the evenest of some places on cheeks and forehead.
    fn of(model: &FaceModel, face: &SourceFace, layers: &Layers) -> Self {
        let side = (22.0 * face.scale).round().clamp(6.0, 96.0) as usize;
        let reach = (2.0 * face.scale).ceil() as isize;
        let mut best: Option<(f32, Vec<f32>)> = None;
        for middle in [[0.033, -0.033], [-0.033, -0.033], [0.04, -0.026], [-0.04, -0.026], [0.0, 0.045], [0.02, 0.045]]
        {
            let off = |i: &usize| {
                let [x, y, z] = model.mean[*i];
                (x - middle[0]).hypot(y - middle[1]) + if z > 0.0 { 0.0 } else { 1.0 }
            };
            let nearest = (0..model.vertices()).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0);
            let [x, y, ..] = face.screen[nearest];
            let first = [x, y].map(|c| (c - 0.5 * side as f32).round());
            let room = reach as f32;
            let inside = first.iter().all(|c| *c >= room && *c + side as f32 + room < layers.size as f32);
            if face.seen[nearest] < 0.6 || !inside {
                continue;
            }
            let value = |x: isize, y: isize| {
                let k = (first[1] as isize + y) * layers.size as isize + first[0] as isize + x;
                luminance(layers.whole[k as usize]) + 1e-3
            };
            let tile: Vec<f32> = (0..side * side)
                .map(|k| {
                    let (x, y) = ((k % side) as isize, (k / side) as isize);
                    let mut sum = 0.0;
                    for dy in -reach..=reach {
                        for dx in -reach..=reach {
                            sum += value(x + dx, y + dy);
                        }
                    }
                    let mean = sum / ((2 * reach + 1) * (2 * reach + 1)) as f32;
                    (value(x, y) / mean - 1.0).clamp(-0.25, 0.25)
                })
                .collect();
            // Wrinkles, moles and hair have outliers, grain has none.
            let rough = tile.iter().map(|v| v * v).sum::<f32>().sqrt();
            if best.as_ref().is_none_or(|b| rough < b.0) {
                best = Some((rough, tile));
            }
        }
        best.map_or_else(|| Self { side: 1, tile: vec![0.0] }, |(_, tile)| Self { side, tile })
    }

    /// At a pixel; the tile is mirrored at its edges.
    fn at(&self, x: usize, y: usize) -> f32 {
        let fold = |i: usize| {
            let i = i % (2 * self.side);
            if i < self.side { i } else { 2 * self.side - 1 - i }
        };
        self.tile[fold(y) * self.side + fold(x)]
    }
}

/// Mean over a square of 2 · `reach` + 1 pixels, values times weight over weight; three times.
fn blurred(values: &[[f32; 4]], weight: &[f32], side: usize, reach: usize) -> Vec<[f32; 4]> {
    let mut sum: Vec<[f32; 5]> =
        values.iter().zip(weight).map(|(v, w)| [v[0] * w, v[1] * w, v[2] * w, v[3] * w, *w]).collect();
    for (step, line) in [(1, side), (side, 1)].into_iter().cycle().take(6) {
        let from = sum.clone();
        for row in 0..side {
            for i in 0..side {
                let near = i.saturating_sub(reach)..(i + reach + 1).min(side);
                let count = near.len() as f32;
                let mut all = [0.0f32; 5];
                for j in near {
                    let v = from[row * line + j * step];
                    (0..5).for_each(|c| all[c] += v[c]);
                }
                sum[row * line + i * step] = all.map(|v| v / count);
            }
        }
    }
    sum.iter().map(|s| [0, 1, 2, 3].map(|c| s[c] / s[4].max(1e-9))).collect()
}

fn picture(
    spots: &[Spot],
    window: &Window,
    open: &SourceFace,
    layers: &Layers,
    grain: &Grain,
    edge: &Edge,
    lash: [f32; 3],
) -> Vec<[f32; 4]> {
    let side = window.side;
    let px = open.scale / window.step;
    // How much of the portrait there is to a pixel: little where the fold is pulled apart.
    let length = |k: usize, n: usize| {
        let (a, b) = (spots[k], spots[n]);
        if a.skin * b.skin == 0.0 { 1.0 } else { (a.from[0] - b.from[0]).hypot(a.from[1] - b.from[1]) / window.step }
    };
    let known: Vec<f32> = (0..side * side)
        .map(|k| {
            let s = spots[k];
            let (x, y) = (k % side, k / side);
            if s.skin == 0.0 {
                return 0.0;
            }
            let across = if x + 1 < side { length(k, k + 1) } else { length(k, k - 1) };
            let along = if y + 1 < side { length(k, k + side) } else { length(k, k - side) };
            let sharp = smoothstep(0.3, 0.75, across.min(along));
            let [clear] = sample(bytemuck::cast_slice(&open.clear), open.size, s.from);
            s.seen
                * sharp
                * smoothstep(1.5, 3.5, clear / open.scale)
                * (1.0 - s.rim)
                * (1.0 - smoothstep(0.5, 1.0, s.lid))
        })
        .collect();
    // Colours without the light's slant: what is far from the lid is turned another way.
    let values: Vec<[f32; 4]> = spots
        .iter()
        .map(|s| {
            let [r, g, b] = layers.colour(s.from).map(|c| c / s.turn.powf(LIGHT_POWER));
            [r, g, b, 0.0]
        })
        .collect();
    // Lashes, brows, shadows in folds and frames of glasses are no skin to spread.
    let mut plain = vec![1.0f32; known.len()];
    let mut vote: Vec<f32> = known.iter().zip(spots).map(|(k, s)| k * (1.0 - 0.9 * s.brow) + 1e-6).collect();
    let reach = (4.0 * px).round().max(1.0) as usize;
    for _ in 0..3 {
        let tone = blurred(&values, &vote, side, reach);
        for k in 0..vote.len() {
            let [bright, usual] = [values[k], tone[k]].map(|c| luminance([c[0], c[1], c[2]]));
            let ratio = bright / usual.max(1e-4);
            let off = (ratio - 1.0) / if ratio < 1.0 { 0.32 } else { 0.35 };
            plain[k] = (-off * off).exp();
            vote[k] = known[k] * (1.0 - 0.9 * spots[k].brow) * plain[k] + 1e-6;
        }
    }
    let tone = fill(&values, &vote.iter().map(|v| v.min(1.0)).collect::<Vec<_>>(), side, side);
    let tone = blurred(&tone, &vec![1.0; tone.len()], side, (1.5 * px).round().max(1.0) as usize);
    // How much darker the skin around the eye is than the light on its normals says: eyes may lie deep.
    let around = (0..side * side).filter(|k| spots[*k].socket > 0.3 && vote[*k] > 0.3);
    let deep =
        median(around.map(|k| luminance(layers.colour(spots[k].from)) / (spots[k].turn * spots[k].light).max(1e-4)));
    let deep = if deep > 0.0 { BULGE * deep.clamp(0.4, 1.1) } else { 1.0 };
    // What is no lid stays as it is, also if it is dark. Paint begins softly beside it.
    let keep: Vec<f32> =
        (0..side * side).map(|k| known[k] * plain[k].max(1.0 - spots[k].socket).max(spots[k].brow)).collect();
    let kept: Vec<[f32; 4]> = keep.iter().map(|keep| [*keep, 0.0, 0.0, 0.0]).collect();
    let near = blurred(&kept, &vec![1.0; kept.len()], side, (0.7 * px).round().max(1.0) as usize);
    (0..side * side)
        .map(|k| {
            let s = spots[k];
            let keep = keep[k].min(smoothstep(0.4, 1.0, near[k][0]));
            let noise = 1.0 + grain.at(k % side, k / side);
            let crease = 1.0 - CREASE * 4.0 * s.lid * (1.0 - s.lid);
            let mut colour: [f32; 3] = std::array::from_fn(|c| {
                let seen = layers.colour(s.from)[c];
                let made = tone[k][c] * noise * crease;
                made + (seen - made) * keep
            });
            // The lid that comes out of its fold catches the light; then shadows of the socket end.
            let usual = luminance([tone[k][0], tone[k][1], tone[k][2]]).max(1e-4);
            let lift = (s.light * deep / usual).powf(0.9).clamp(0.95, LIFT);
            colour = colour.map(|c| c * (1.0 + (lift - 1.0) * s.lid * (1.0 - keep)));
            let mut share = 1.0 - keep;
            if let Some([along, place, below, strength]) = edge.at(window, k) {
                let (line, shadow) = meeting(along, place / px, below / px, strength);
                colour = std::array::from_fn(|c| {
                    let shaded = colour[c] * (1.0 - SHADE * shadow);
                    shaded + (lash[c] - shaded) * line
                });
                share = share.max(smoothstep(0.0, 0.1, line.max(shadow)));
            }
            [colour[0], colour[1], colour[2], share * s.skin]
        })
        .collect()
}

/// Share of lashes, and of the shade around them, at a place along the line where the lids meet (0 at the nose, 1 at the temple; px) and px below it.
fn meeting(along: f32, place: f32, below: f32, strength: f32) -> (f32, f32) {
    let strength = smoothstep(0.03, 0.4, strength) * smoothstep(-0.03, 0.14, along) * smoothstep(1.03, 0.9, along);
    let line = (-(below / if below < 0.0 { 1.1 } else { 0.9 }).powi(2)).exp() * (0.55 + 0.35 * along);
    // Lashes hang down and outwards, longer towards the temple; no two are alike.
    let strand = wave((place - 0.7 * below) * 1.1);
    let reach = (1.4 + 1.6 * along) * (0.55 + 0.9 * strand);
    let ends = smoothstep(0.1, 0.4, along) * smoothstep(1.0, 0.75, along);
    let hair = if below > 0.0 { 0.5 * ends * (0.45 + 0.55 * strand) * (-(below / reach).powi(2)).exp() } else { 0.0 };
    let shade = if below < 0.0 { (below / 5.0).exp() } else { (-below / 4.0).exp() };
    (line.max(hair) * strength, shade * strength)
}

/// Smooth noise, 0 … 1, one value a unit.
fn wave(x: f32) -> f32 {
    let value = |i: f32| {
        let v = (i * 12.989_8).sin() * 43_758.547;
        v - v.floor()
    };
    let (i, t) = (x.floor(), x - x.floor());
    value(i) + (value(i + 1.0) - value(i)) * t * t * (3.0 - 2.0 * t)
}
