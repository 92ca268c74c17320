//! The face's mesh: 478 points of a crop (Kartynnik et al. 2019, with the attention of Grishchenko et al. 2020: lips and eyes are cut out of a feature map
//! where the mesh has them, and looked at once more).

use vultus_shaders::kernels::LandmarksToMatrixParams;

use super::look::{Look, TrackError};
use super::net::{Act, Map, Net, Probes, Taps};
use super::picture::{Edge, Picture, View};
use super::roi::Roi;
use super::tables::{CORNERS, IRIS, LEFT_EYE, LIDS, LIPS, MESH, POINTS, RIGHT_EYE};
use crate::compute::{Compute, Element::F32, Grid, PlanBuilder, PlanError, Tensor};
use crate::weights::{WeightError, WeightReader};

/// Side of the network's picture.
const SIDE: usize = 192;
/// Pixels of a part's crop, and how much larger than its points' box it is.
const CROP: usize = 16;
const ROOM: f32 = 1.5;
/// Parts' networks give quarters of a crop's pixel; a pixel of the feature map is four of the picture.
const QUARTER: f32 = 0.25;
/// From this on it is a face.
const PRESENT: f32 = 0.5;

/// What the network says. Parts in order: lips, left eye, right eye; for the last two also an iris.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// (468, 3): x, y, z in pixels of the network's picture.
    pub mesh: Tensor,
    /// (80, 2), (71, 2), (71, 2), and irises (5, 2), (5, 2), in the parts' own quarters.
    pub parts: [Tensor; 5],
    /// (3, 2, 3): where the parts lie on the feature map.
    pub matrices: Tensor,
    /// (1): whether it is a face, before the sigmoid.
    pub flag: Tensor,
}

/// Records the network over `picture` (3, 192, 192), 0 to 1. All that it says are outputs of the plan.
///
/// # Errors
/// A tensor is missing, mis-shaped, not finite or of no use.
pub fn record(
    plan: &mut PlanBuilder,
    mut weights: WeightReader,
    picture: Tensor,
    probe: bool,
) -> Result<(Said, Probes), WeightError> {
    let mut net = Net::new(plan, &mut weights, true, probe);
    let said = network(&mut net, Map { tensor: picture, channels: 3, side: SIDE })?;
    let probes = net.finish();
    weights.finish()?;
    let Said { mesh, parts, matrices, flag } = said;
    for tensor in parts.into_iter().chain([mesh, matrices, flag]) {
        plan.output(tensor);
    }
    Ok((said, probes))
}

fn network(net: &mut Net<'_>, picture: Map) -> Result<Said, WeightError> {
    net.part("trunk", 0);
    let x = net.conv(picture, 16, Taps::same(3, 2), Act::Prelu)?;
    let map = blocks(net, x, &[(16, 1), (16, 1), (32, 2)])?;
    let x = blocks(net, map, &[(32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1)])?;
    let x = blocks(net, x, &[(128, 2), (128, 1), (128, 1), (128, 2), (128, 1), (128, 1)])?;
    let x = narrow(net, x)?;
    net.part("mesh", 0);
    let mesh = net.dense(x, 3 * MESH)?;
    net.part("flag", 0);
    let flag = net.dense(x, 1)?;
    let matrices = matrices(net, mesh);

    // Paths: three layers before the crop make the matrix.
    let part = |net: &mut Net<'_>, part, which| {
        net.part(part, 3);
        let x = net.crop(map, matrices, which, CROP);
        blocks(net, x, &[(32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (128, 2)])
    };
    let lips = part(net, "lips", 0)?;
    let lips = tail(net, lips, 2 * LIPS.len())?;
    let left = part(net, "left", 1)?;
    let right = part(net, "right", 2)?;
    let mut ends = [lips; 5];
    let eyes = [("left_eye", left, LEFT_EYE.len()), ("right_eye", right, RIGHT_EYE.len())];
    for (end, (part, x, points)) in
        ends[1..].iter_mut().zip(eyes.into_iter().chain([("left_iris", left, IRIS), ("right_iris", right, IRIS)]))
    {
        net.part(part, 0);
        *end = tail(net, x, 2 * points)?;
    }
    Ok(Said { mesh, parts: ends, matrices, flag })
}

fn blocks(net: &mut Net<'_>, mut x: Map, shapes: &[(usize, usize)]) -> Result<Map, WeightError> {
    for (channels, stride) in shapes {
        x = net.block(x, *channels, *stride, Act::Prelu)?;
    }
    Ok(x)
}

/// 32 channels before a product with the whole map.
fn narrow(net: &mut Net<'_>, x: Map) -> Result<Map, WeightError> {
    let x = net.conv(x, 32, Taps::ONE, Act::Prelu)?;
    net.block(x, 32, 1, Act::Prelu)
}

/// From a part's 4² map to its points.
fn tail(net: &mut Net<'_>, x: Map, outputs: usize) -> Result<Tensor, WeightError> {
    let x = blocks(net, x, &[(128, 1), (128, 1), (128, 2), (128, 1), (128, 1)])?;
    let x = narrow(net, x)?;
    net.dense(x, outputs)
}

/// Where the mesh has lips and eyes on the feature map.
fn matrices(net: &mut Net<'_>, mesh: Tensor) -> Tensor {
    let mut subset: Vec<u32> = Vec::new();
    let parts = [&LIPS[..], &LEFT_EYE, &RIGHT_EYE].into_iter().zip(CORNERS).map(|(points, [left, right])| {
        let first = subset.len() as u32;
        subset.extend(points);
        [first, points.len() as u32, left, right]
    });
    let parts: Vec<[u32; 4]> = parts.collect();
    let y = net.plan.temp("matrices", [1, parts.len(), 6], F32);
    let params = LandmarksToMatrixParams {
        batch: 1,
        parts: parts.len() as u32,
        stride: 3 * MESH as u32,
        cells: CROP as u32,
        factor: QUARTER,
        scale: ROOM,
    };
    let parts = net.plan.constant("parts", [parts.len(), 4], &parts);
    let subset = net.plan.constant("parts' points", [subset.len()], &subset);
    net.plan.dispatch(params, &[mesh, parts, subset, y], Grid::linear(CORNERS.len()));
    y
}

/// The points (478) in pixels of the network's picture, z in the same unit: the parts' own where they have some, with the mesh's z; an iris has the mean z of
/// its lids. The tensors are those of [`Said`], in order.
pub fn points(mesh: &[f32], parts: [&[f32]; 5], matrices: &[f32]) -> Vec<[f32; 3]> {
    let mut points = mesh.as_chunks::<3>().0.to_vec();
    points.resize(POINTS, [0.0; 3]);
    for (eye, first) in [(&LEFT_EYE, MESH), (&RIGHT_EYE, MESH + IRIS)] {
        let z = eye[..LIDS].iter().map(|k| points[*k as usize][2]).sum::<f32>() / LIDS as f32;
        points[first..first + IRIS].fill([0.0, 0.0, z]);
    }
    let irises = [MESH as u32, (MESH + IRIS) as u32].map(|first| (first..).take(IRIS).collect::<Vec<u32>>());
    let tables = [&LIPS[..], &LEFT_EYE, &RIGHT_EYE, &irises[0], &irises[1]];
    for ((table, part), which) in tables.into_iter().zip(parts).zip([0, 1, 2, 1, 2]) {
        let m = &matrices[6 * which..];
        for (point, [x, y]) in table.iter().zip(part.as_chunks::<2>().0) {
            let to = &mut points[*point as usize];
            to[0] = m[0] * x + m[1] * y + m[2] / QUARTER;
            to[1] = m[3] * x + m[4] * y + m[5] / QUARTER;
        }
    }
    points
}

/// A face's mesh in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// (478): x and y in pixels of the picture, centres at +½; z in the same unit, towards the viewer is negative.
    pub points: Vec<[f32; 3]>,
    /// How surely it is a face, 0 to 1. Animals have high ones too.
    pub presence: f32,
    /// Where the network looked.
    pub roi: Roi,
}

impl Face {
    /// Whether the network believes it.
    pub fn is_present(&self) -> bool {
        self.presence >= PRESENT
    }
}

/// The mesh's network, ready to look at pictures.
#[derive(Debug)]
pub struct Mesh {
    look: Look,
    said: Said,
}

impl Mesh {
    /// The weights file.
    pub const FILE: &'static str = "track_mesh.safetensors";

    /// Of the weights in [`Self::FILE`].
    ///
    /// # Errors
    /// As [`record`].
    pub fn new(compute: &Compute, weights: WeightReader) -> Result<Self, TrackError> {
        let mut plan = PlanBuilder::new("mesh");
        let picture = plan.input("picture", [1, 3, SIDE, SIDE], F32);
        let (said, _) = record(&mut plan, weights, picture, false)?;
        Ok(Self { look: Look::new(compute, plan, picture)?, said })
    }

    /// Another one of the same weights, which are held once. Nothing is kept from picture to picture.
    ///
    /// # Errors
    /// None, unless [`record`] is wrong.
    pub fn another(&self) -> Result<Self, PlanError> {
        Ok(Self { look: self.look.another()?, said: self.said })
    }

    /// The face within a region of a picture.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn look(&mut self, picture: &Picture<'_>, roi: Roi) -> Result<Face, TrackError> {
        self.look_through(picture, roi, &roi.view(SIDE))
    }

    /// The same face, seen in a mirror and named back: its errors are others, so the mean of both is nearer to the truth. `mirror` (478) says which point a
    /// point is there.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn look_in_mirror(&mut self, picture: &Picture<'_>, roi: Roi, mirror: &[usize]) -> Result<Face, TrackError> {
        let seen = self.look_through(picture, roi, &roi.view(SIDE).mirrored(SIDE))?;
        Ok(Face { points: mirror.iter().map(|k| seen.points[*k]).collect(), ..seen })
    }

    fn look_through(&mut self, picture: &Picture<'_>, roi: Roi, view: &View) -> Result<Face, TrackError> {
        self.look.at(picture, view, Edge::Repeat, [0.0, 1.0])?;
        let said = |tensor| self.look.said(tensor);
        let [lips, left_eye, right_eye, left_iris, right_iris] = self.said.parts;
        let parts = [said(lips)?, said(left_eye)?, said(right_eye)?, said(left_iris)?, said(right_iris)?];
        let mut points = points(said(self.said.mesh)?, parts, said(self.said.matrices)?);
        for point in &mut points {
            let [x, y] = view.apply([point[0], point[1]]);
            *point = [x, y, point[2] * roi.side / SIDE as f32];
        }
        let presence = 1.0 / (1.0 + (-said(self.said.flag)?[0]).exp());
        Ok(Face { points, presence, roi })
    }
}
