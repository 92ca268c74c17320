//! Records the face's way from coefficients to pictures.

use vultus_shaders::kernels::{
    BlendshapeSumParams, PoseProjectParams, ShadeRenderParams, ShadeVerticesParams, VertexNormalsParams,
};

use super::model::{FaceModel, Mask};
use super::placement::{Light, Placement};
use super::raster::{Raster, record_raster};
use super::tables::{BLOCK, planes};
use crate::avatar::{EXPRESSION, LIGHT};
use crate::compute::{Bindings, Constant, Dispatch, Element::F32, Grid, PlanBuilder, Tensor};

/// Words of the motion input: Δpitch, Δyaw, Δroll in radians, Δx, Δy, Δz in metres, two unused.
pub const MOTION: usize = 8;
/// Surfaces nearer to the camera than this are not drawn, metres.
const NEAR: f32 = 0.05;

/// Tensors that [`record`] leaves in the plan. V vertices, F triangles, S × S pixels, row-major.
#[derive(Clone, Copy, Debug)]
pub struct FaceTensors {
    /// Input (64): expression β.
    pub beta: Tensor,
    /// Input (8): see [`MOTION`]; how the head moves against the bust, about the model's pivot.
    pub motion: Tensor,
    /// Constant (F, 4) u32: three vertices and the region.
    pub triangles: Tensor,
    /// (V, 4) camera space, metres, w = 1.
    pub positions: Tensor,
    /// (V, 4) x, y in pixels, depth = −z in metres, 1/depth; all zero where the vertex is too near or not a number.
    pub screen: Tensor,
    /// (V, 4) unit normals in camera space, w = 0.
    pub normals: Tensor,
    /// (S, S) u32: the nearest triangle, or [`super::NONE`].
    pub triangle_id: Tensor,
    /// (S, S, 2) perspective-correct weights of the triangle's first and second vertex.
    pub barycentric: Tensor,
    /// (S, S) metres; 1e9 where nothing is drawn.
    pub depth: Tensor,
    /// Bound (3, stride): the neutral shape.
    neutral: Tensor,
    project: Dispatch<PoseProjectParams>,
}

impl FaceTensors {
    /// Side of the picture, pixels.
    pub fn size(&self) -> usize {
        self.depth.shape()[0]
    }

    /// Binds whose face it is, and where.
    pub fn bind(&self, bindings: &mut Bindings, model: &FaceModel, placement: &Placement) {
        let neutral = planes(&model.shape(&placement.alpha, &[]));
        bindings.tensor(self.neutral, Constant::new([3, neutral.len() / 3], &neutral));
        let [focal, center @ ..] = placement.camera;
        let [to_camera_x, to_camera_y, to_camera_z] = placement.camera_from_head();
        bindings.params(&self.project, |p| {
            *p = PoseProjectParams { focal, center, to_camera_x, to_camera_y, to_camera_z, ..*p };
        });
    }
}

/// Records β and head motion → mesh → rasterised mesh, S = `size` pixels. Whose mesh is [bound](FaceTensors::bind).
///
/// Times of the CPU executor on **one** core with AVX2, in ms, for 10,204 vertices, 19,798 triangles and 512² pixels
/// (`cargo run --release -p vultus --example face_sheet` prints them): `blendshape_sum` 0.11 to 0.21, `pose_project` 0.25, `vertex_normals` 0.21,
/// `raster_bounds` 0.18, `raster_bin` 0.09, `raster_tile` 1.8 to 2.1; and after it `shade_vertices` 0.02, `shade_render` 0.9.
/// All but `raster_bin` and `shade_vertices` share their work among the cores.
///
/// # Panics
/// `size` is 0 or above 8,160.
pub fn record(plan: &mut PlanBuilder, model: &FaceModel, size: usize) -> FaceTensors {
    let v = model.vertices();
    let tables = model.tables();
    let stride = v.next_multiple_of(BLOCK);
    let blocks = 3 * stride / BLOCK;
    let beta = plan.input("beta", [EXPRESSION], F32);
    let motion = plan.input("head motion", [MOTION], F32);

    let neutral = plan.bound("neutral", [3, stride], F32);
    let basis = plan.resident("expression basis", &tables.basis);
    let first = plan.resident("expression blocks", &tables.basis_first);
    let component = plan.resident("expression of entry", &tables.basis_component);
    let shape = plan.temp("shape", [3, stride], F32);
    plan.dispatch(
        BlendshapeSumParams { blocks: blocks as u32 },
        &[neutral, basis, first, component, beta, shape],
        Grid::linear(blocks * BLOCK),
    );

    let head_weight = plan.resident("head weight", &tables.head_weight);
    let positions = plan.temp("positions", [v, 4], F32);
    let screen = plan.temp("screen", [v, 4], F32);
    let params = PoseProjectParams {
        vertices: v as u32,
        stride: stride as u32,
        size: size as f32,
        near: NEAR,
        pivot: model.pivot,
        ..Default::default()
    };
    let project = plan.dispatch_bound(params, &[shape, head_weight, motion, positions, screen], Grid::linear(v));

    let first = plan.resident("triangles around: first", &tables.first);
    let fan = plan.resident("fans", &tables.fan);
    let normals = plan.temp("normals", [v, 4], F32);
    plan.dispatch(VertexNormalsParams { vertices: v as u32 }, &[positions, first, fan, normals], Grid::linear(v));

    let triangles = plan.resident("triangles", &tables.triangles);
    let Raster { triangle_id, barycentric, depth } = record_raster(plan, triangles, screen, size);
    FaceTensors {
        beta,
        motion,
        triangles,
        positions,
        screen,
        normals,
        triangle_id,
        barycentric,
        depth,
        neutral,
        project,
    }
}

/// Tensors of [`record_shading`].
#[derive(Clone, Copy, Debug)]
pub struct Shading {
    /// (V, 4) linear r, g, b of the lit vertex, and the face mask's weight.
    pub shaded: Tensor,
    /// (S, S, 4) I^rd: linear r, g, b, and the face mask M in 0 … 1; zero where nothing is drawn.
    pub rendered: Tensor,
    /// Bound (V, 4) and (9, 4).
    albedo: Tensor,
    light: Tensor,
}

impl Shading {
    /// Binds a face's colours and its light.
    pub fn bind(&self, bindings: &mut Bindings, model: &FaceModel, light: &Light) {
        let mask = model.mask(Mask::Face);
        let colors: Vec<[f32; 4]> =
            model.albedo_of(&light.delta).iter().zip(mask).map(|([r, g, b], m)| [*r, *g, *b, *m]).collect();
        let harmonics: Vec<[f32; 4]> =
            light.gamma.as_chunks::<3>().0.iter().map(|[r, g, b]| [*r, *g, *b, 0.0]).collect();
        bindings.tensor(self.albedo, Constant::new([colors.len(), 4], &colors));
        bindings.tensor(self.light, Constant::new([harmonics.len(), 4], &harmonics));
    }
}

/// Records the lit face I^rd (paper A eq. 1: albedo T̄ + B_t δ under spherical harmonics γ), and the face mask. Colours and light are
/// [bound](Shading::bind).
pub fn record_shading(plan: &mut PlanBuilder, face: &FaceTensors) -> Shading {
    let (v, size) = (face.normals.shape()[0], face.size());
    let albedo = plan.bound("albedo", [v, 4], F32);
    let light = plan.bound("light", [LIGHT / 3, 4], F32);
    let shaded = plan.temp("shaded vertices", [v, 4], F32);
    plan.dispatch(ShadeVerticesParams { vertices: v as u32 }, &[face.normals, albedo, light, shaded], Grid::linear(v));
    let rendered = plan.temp("rendered face", [size, size, 4], F32);
    plan.dispatch(
        ShadeRenderParams { pixels: (size * size) as u32 },
        &[face.triangles, face.triangle_id, face.barycentric, shaded, rendered],
        Grid::linear(size * size),
    );
    Shading { shaded, rendered, albedo, light }
}
