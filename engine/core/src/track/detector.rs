//! Finding faces: BlazeFace at short range, and its larger kin for small faces in large pictures (Bazarevsky et al., *BlazeFace*, 2019).

use super::look::{Look, TrackError};
use super::net::{Act, Map, Net, Probes, Taps};
use super::picture::{Edge, Picture, View};
use crate::compute::{Compute, Element::F32, PlanBuilder, PlanError, Tensor};
use crate::weights::{WeightError, WeightReader};

/// Words of a box: centre, width and height, and the keypoints.
const ROW: usize = 16;
/// Keypoints of a face: its right and left eye (so the left one in the picture comes first), nose, mouth, ears.
pub const KEYS: usize = 6;
/// Boxes that share more than this part of what they cover together are one face.
const OVERLAP: f32 = 0.3;

/// How far away faces are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Within two metres: a webcam, a portrait.
    Short,
    /// Within five metres. Slower.
    Full,
}

impl Range {
    /// The weights file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Short => "track_detector_short.safetensors",
            Self::Full => "track_detector_full.safetensors",
        }
    }

    /// Side of the network's picture.
    pub fn side(self) -> usize {
        match self {
            Self::Short => 128,
            Self::Full => 192,
        }
    }

    /// Least score of a face.
    fn floor(self) -> f32 {
        match self {
            Self::Short => 0.5,
            Self::Full => 0.6,
        }
    }
}

/// A face that was found, in pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// How sure it is, 0 to 1.
    pub score: f32,
    /// Left, top, right, bottom, from the brows to the chin.
    pub bounds: [f32; 4],
    /// Right eye, left eye, nose, mouth, right ear, left ear.
    pub keys: [[f32; 2]; KEYS],
}

impl Detection {
    /// Of several faces the one that is looked at: large and sure.
    pub fn weight(&self) -> f32 {
        let [left, top, right, bottom] = self.bounds;
        self.score * ((right - left) * (bottom - top)).abs().sqrt()
    }
}

/// What the network says at one size of cells. A cell has `anchors` of boxes, which are square, as large as the picture and in the cell's middle.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Cells along a side.
    pub cells: usize,
    /// Boxes of a cell.
    pub anchors: usize,
    /// (anchors · 16, cells, cells): dx, dy, width, height and six keypoints' dx, dy, pixels of the network's picture.
    pub boxes: Tensor,
    /// (anchors, cells, cells), before the sigmoid.
    pub scores: Tensor,
}

/// Records the network over `picture` (3, side, side), −1 to 1. With `probe` every layer's activation can be read.
///
/// # Errors
/// A tensor is missing, mis-shaped, not finite or of no use.
pub fn record(
    plan: &mut PlanBuilder,
    mut weights: WeightReader,
    range: Range,
    picture: Tensor,
    probe: bool,
) -> Result<(Vec<Head>, Probes), WeightError> {
    let picture = Map { tensor: picture, channels: 3, side: range.side() };
    let mut net = Net::new(plan, &mut weights, range == Range::Short, probe);
    net.part("net", 0);
    let heads = match range {
        Range::Short => short(&mut net, picture)?,
        Range::Full => full(&mut net, picture)?,
    };
    let probes = net.finish();
    weights.finish()?;
    for head in &heads {
        plan.output(head.boxes);
        plan.output(head.scores);
    }
    Ok((heads, probes))
}

/// 5 × 5 convolution, sixteen residual blocks, heads at 16² and 8² cells.
fn short(net: &mut Net<'_>, picture: Map) -> Result<Vec<Head>, WeightError> {
    let mut x = net.conv(picture, 24, Taps::same(5, 2), Act::Relu)?;
    let shallow = [(24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), (56, 1), (64, 1), (72, 1), (80, 1), (88, 1)];
    for (channels, stride) in shallow {
        x = net.block(x, channels, stride, Act::Relu)?;
    }
    let fine = x;
    for stride in [2, 1, 1, 1, 1] {
        x = net.block(x, 96, stride, Act::Relu)?;
    }
    let mut said = |part, per: usize| -> Result<[Map; 2], WeightError> {
        net.part(part, 0);
        Ok([net.conv(fine, 2 * per, Taps::ONE, Act::None)?, net.conv(x, 6 * per, Taps::ONE, Act::None)?])
    };
    let (scores, boxes) = (said("scores", 1)?, said("boxes", ROW)?);
    Ok((scores.iter().zip(boxes))
        .map(|(scores, boxes)| Head {
            cells: scores.side,
            anchors: scores.channels,
            boxes: boxes.tensor,
            scores: scores.tensor,
        })
        .collect())
}

/// Bottlenecks down to 6² cells, and up again to 48² with what the way down had there (a feature pyramid).
fn full(net: &mut Net<'_>, picture: Map) -> Result<Vec<Head>, WeightError> {
    net.skip();
    let mut x = net.conv(picture, 32, Taps { side: 3, stride: 2, pad: 1 }, Act::Relu)?;
    for _ in 0..2 {
        x = bottleneck(net, x, 8)?;
    }
    let mut sides = Vec::new();
    for (narrow, wide, blocks, side) in [(16, 64, 2, 48), (32, 128, 2, 64), (48, 192, 2, 96), (96, 384, 3, 96)] {
        x = separable(net, x, narrow, 2, Act::Relu)?;
        x = separable(net, x, wide, 1, Act::Relu)?;
        for _ in 0..blocks {
            x = bottleneck(net, x, narrow)?;
        }
        sides.push(net.conv(x, side, Taps::ONE, Act::Relu)?);
    }
    let mut x = sides.pop().expect("four were pushed");
    for (side, (narrow, blocks)) in sides.into_iter().rev().zip([(48, 2), (32, 2), (24, 1)]) {
        if x.channels != side.channels {
            x = net.conv(x, side.channels, Taps::ONE, Act::Relu)?;
        }
        let below = net.upsample(x);
        x = net.add(side, below, Act::None)?;
        for _ in 0..blocks {
            x = bottleneck(net, x, narrow)?;
        }
    }
    let mut said = |part, per: usize| -> Result<Map, WeightError> {
        net.part(part, 0);
        let y = net.conv(x, 4 * per, Taps::ONE, Act::None)?;
        net.skip();
        let y = net.depthwise(y, Taps { side: 3, stride: 2, pad: 1 }, Act::None)?;
        Ok(net.depth_to_space(y))
    };
    let (scores, boxes) = (said("scores", 1)?, said("boxes", ROW)?);
    Ok(vec![Head { cells: scores.side, anchors: 1, boxes: boxes.tensor, scores: scores.tensor }])
}

/// y = act(conv(depthwise(x))). This file pads by a layer of its own, by one on every side.
fn separable(net: &mut Net<'_>, x: Map, outputs: usize, stride: usize, act: Act) -> Result<Map, WeightError> {
    net.skip();
    let deep = net.depthwise(x, Taps { side: 3, stride, pad: 1 }, Act::None)?;
    net.conv(deep, outputs, Taps::ONE, act)
}

/// y = relu(x + wide(narrow(x))).
fn bottleneck(net: &mut Net<'_>, x: Map, narrow: usize) -> Result<Map, WeightError> {
    let deep = separable(net, x, narrow, 1, Act::Relu)?;
    let deep = separable(net, deep, x.channels, 1, Act::None)?;
    net.add(deep, x, Act::Relu)
}

/// A detector, ready to look at pictures.
#[derive(Debug)]
pub struct Detector {
    range: Range,
    look: Look,
    heads: Vec<Head>,
}

impl Detector {
    /// Of the weights in [`Range::file`].
    ///
    /// # Errors
    /// As [`record`].
    pub fn new(compute: &Compute, range: Range, weights: WeightReader) -> Result<Self, TrackError> {
        let mut plan = PlanBuilder::new("detector");
        let picture = plan.input("picture", [1, 3, range.side(), range.side()], F32);
        let (heads, _) = record(&mut plan, weights, range, picture, false)?;
        Ok(Self { range, look: Look::new(compute, plan, picture)?, heads })
    }

    /// Another one of the same weights, which are held once. Nothing is kept from picture to picture.
    ///
    /// # Errors
    /// None, unless [`record`] is wrong.
    pub fn another(&self) -> Result<Self, PlanError> {
        Ok(Self { range: self.range, look: self.look.another()?, heads: self.heads.clone() })
    }

    /// All faces of a picture, the surest first.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn find(&mut self, picture: &Picture<'_>) -> Result<Vec<Detection>, TrackError> {
        self.find_in(picture, &View::letter_box(picture, self.side()))
    }

    /// Side of the picture that the network sees: what [`Self::find_in`]'s view is of.
    pub fn side(&self) -> usize {
        self.range.side()
    }

    /// All faces in what a view shows, in pixels of the picture, the surest first. Through a turned view lying faces are found.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn find_in(&mut self, picture: &Picture<'_>, view: &View) -> Result<Vec<Detection>, TrackError> {
        let side = self.side();
        self.look.at(picture, view, Edge::Black, [-1.0, 1.0])?;
        let mut found = Vec::new();
        for head in &self.heads {
            let (boxes, scores) = (self.look.said(head.boxes)?, self.look.said(head.scores)?);
            decode(head, side, self.range.floor(), boxes, scores, &mut found);
        }
        let mut faces = merge(found);
        for face in &mut faces {
            let [left, top, right, bottom] = face.bounds;
            let ([a, b], [c, d]) = (view.apply([left, top]), view.apply([right, bottom]));
            face.bounds = [a.min(c), b.min(d), a.max(c), b.max(d)];
            face.keys = face.keys.map(|key| view.apply(key));
        }
        Ok(faces)
    }
}

/// The boxes of a head whose score is `floor` at least, in pixels of the network's picture.
fn decode(head: &Head, side: usize, floor: f32, boxes: &[f32], scores: &[f32], found: &mut Vec<Detection>) {
    let (plane, cell) = (head.cells * head.cells, side as f32 / head.cells as f32);
    for at in 0..plane {
        let middle = [((at % head.cells) as f32 + 0.5) * cell, ((at / head.cells) as f32 + 0.5) * cell];
        for anchor in 0..head.anchors {
            let score = 1.0 / (1.0 + (-scores[anchor * plane + at].clamp(-80.0, 80.0)).exp());
            if score >= floor {
                let word = |k: usize| boxes[(anchor * ROW + k) * plane + at];
                let point = |k: usize| [word(k) + middle[0], word(k + 1) + middle[1]];
                let ([x, y], half) = (point(0), [word(2) / 2.0, word(3) / 2.0]);
                let bounds = [x - half[0], y - half[1], x + half[0], y + half[1]];
                found.push(Detection { score, bounds, keys: std::array::from_fn(|k| point(4 + 2 * k)) });
            }
        }
    }
}

/// One face for each heap of boxes: their mean, weighted by score, with the best one's score. The surest come first.
pub(crate) fn merge(mut found: Vec<Detection>) -> Vec<Detection> {
    // Stable, so that equal scores keep the order of the cells.
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces = Vec::new();
    while let Some(best) = found.first().copied() {
        let (near, far): (Vec<_>, Vec<_>) =
            found.iter().enumerate().partition(|(k, other)| *k == 0 || overlap(&best.bounds, &other.bounds) > OVERLAP);
        let all: f32 = near.iter().map(|(_, d)| d.score).sum();
        let mut face = Detection { score: best.score, bounds: [0.0; 4], keys: [[0.0; 2]; KEYS] };
        for (_, other) in near {
            let share = other.score / all;
            for (mean, v) in face.bounds.iter_mut().zip(other.bounds) {
                *mean += share * v;
            }
            for (mean, v) in face.keys.as_flattened_mut().iter_mut().zip(other.keys.as_flattened()) {
                *mean += share * v;
            }
        }
        faces.push(face);
        found = far.into_iter().map(|(_, d)| *d).collect();
    }
    faces
}

/// What two boxes share by what they cover.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |r: &[f32; 4]| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let shared = area(&[a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let whole = area(a) + area(b) - shared;
    if whole > 0.0 { shared / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(score: f32, bounds: [f32; 4]) -> Detection {
        Detection { score, bounds, keys: [[bounds[0], bounds[1]]; KEYS] }
    }

    #[test]
    fn boxes_of_one_face_become_their_weighted_mean() {
        let found = vec![
            face(0.5, [12.0, 10.0, 32.0, 30.0]),
            face(0.9, [100.0, 100.0, 120.0, 120.0]),
            face(1.0, [10.0, 10.0, 30.0, 30.0]),
        ];
        let faces = merge(found);
        assert_eq!(faces.len(), 2);
        assert_eq!(faces[0].score, 1.0);
        assert!((faces[0].bounds[0] - (10.0 * 2.0 + 12.0) / 3.0).abs() < 1e-5, "{:?}", faces[0]);
        assert!((faces[0].keys[5][0] - faces[0].bounds[0]).abs() < 1e-5);
        assert_eq!(faces[1].bounds, [100.0, 100.0, 120.0, 120.0]);
    }

    #[test]
    fn boxes_without_a_size_or_a_number_end_too() {
        let faces = merge(vec![face(0.9, [5.0; 4]), face(0.8, [f32::NAN; 4]), face(0.7, [9.0, 9.0, 5.0, 5.0])]);
        assert_eq!(faces.len(), 3);
    }

    #[test]
    fn a_box_stands_where_its_cell_is() {
        // Two anchors in 2 × 2 cells; the second anchor of the last cell has something to say.
        let head = || {
            let mut plan = PlanBuilder::new("none");
            Head { cells: 2, anchors: 2, boxes: plan.temp("boxes", [1], F32), scores: plan.temp("scores", [1], F32) }
        };
        let (mut boxes, mut scores) = (vec![0.0; 2 * ROW * 4], vec![-100.0; 8]);
        scores[7] = 100.0;
        for k in 0..ROW {
            boxes[(ROW + k) * 4 + 3] = k as f32;
        }
        let mut found = Vec::new();
        decode(&head(), 128, 0.5, &boxes, &scores, &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bounds, [95.0, 95.5, 97.0, 98.5]);
        assert_eq!((found[0].keys[0], found[0].keys[5]), ([100.0, 101.0], [110.0, 111.0]));
    }
}
