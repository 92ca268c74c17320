//! Records the face's way from coefficients to pictures.

use vultus_shaders::kernels::{
    BlendshapeSumParams, PoseProjectParams, ShadeRenderParams, ShadeVerticesParams, VertexNormalsParams,
};

use super::model::{FaceModel, Mask};
use super::placement::{Light, Placement};
use super::raster::{Raster, record_raster};
use super::tables::{BLOCK, SparseBasis, fans, planes};
use crate::avatar::EXPRESSION;
use crate::compute::{Grid, PlanBuilder, Tensor};

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
    /// (S·S) u32: the nearest triangle, or [`super::NONE`].
    pub triangle_id: Tensor,
    /// (S·S, 2) perspective-correct weights of the triangle's first and second vertex.
    pub barycentric: Tensor,
    /// (S·S) metres; 1e9 where nothing is drawn.
    pub depth: Tensor,
    /// Side of the picture, pixels.
    pub size: usize,
}

/// Records β and head motion → mesh → rasterised mesh, S = `size` pixels.
///
/// Times of the CPU executor on **one** core with AVX2, in ms, for 10,204 vertices, 19,798 triangles and 512² pixels
/// (`cargo run --release -p vultus --example face_sheet` prints them): `blendshape_sum` 0.11 to 0.21, `pose_project` 0.25, `vertex_normals` 0.21,
/// `raster_bounds` 0.18, `raster_bin` 0.09, `raster_tile` 1.8 to 2.1; and after it `shade_vertices` 0.02, `shade_render` 0.9.
/// All but `raster_bin` and `shade_vertices` share their work among the cores.
///
/// # Panics
/// `size` is 0 or above 8,160.
pub fn record(plan: &mut PlanBuilder, model: &FaceModel, placement: &Placement, size: usize) -> FaceTensors {
    let v = model.vertices();
    let stride = v.next_multiple_of(BLOCK);
    let blocks = 3 * stride / BLOCK;
    let beta = plan.input("beta", EXPRESSION);
    let motion = plan.input("head motion", MOTION);

    let neutral = plan.constant("neutral", &planes(&model.shape(&placement.alpha, &[])));
    let sparse = SparseBasis::new(model);
    let basis = plan.constant("expression basis", &sparse.values);
    let first = plan.constant("expression blocks", &sparse.first);
    let component = plan.constant("expression of entry", &sparse.component);
    let shape = plan.temp("shape", blocks * BLOCK);
    plan.dispatch(
        BlendshapeSumParams { blocks: blocks as u32 },
        &[neutral, basis, first, component, beta, shape],
        Grid::linear(blocks * BLOCK),
    );

    let head_weight = plan.constant("head weight", &model.head_weight);
    let positions = plan.temp("positions", 4 * v);
    let screen = plan.temp("screen", 4 * v);
    let rows = placement.camera_from_head();
    let [focal, center @ ..] = placement.camera;
    let params = PoseProjectParams {
        vertices: v as u32,
        stride: stride as u32,
        size: size as f32,
        focal,
        center,
        near: NEAR,
        pivot: model.pivot,
        to_camera_x: rows[0],
        to_camera_y: rows[1],
        to_camera_z: rows[2],
        ..Default::default()
    };
    plan.dispatch(params, &[shape, head_weight, motion, positions, screen], Grid::linear(v));

    let (fan_first, fan) = fans(model);
    let fan_first = plan.constant("fan offsets", &fan_first);
    let fan = plan.constant("fans", &fan);
    let normals = plan.temp("normals", 4 * v);
    plan.dispatch(VertexNormalsParams { vertices: v as u32 }, &[positions, fan_first, fan, normals], Grid::linear(v));

    let triangles = plan.constant("triangles", &model.triangles);
    let Raster { triangle_id, barycentric, depth } = record_raster(plan, triangles, screen, size);
    FaceTensors { beta, motion, triangles, positions, screen, normals, triangle_id, barycentric, depth, size }
}

/// Tensors of [`record_shading`].
#[derive(Clone, Copy, Debug)]
pub struct Shading {
    /// (V, 4) linear r, g, b of the lit vertex, and the face mask's weight.
    pub shaded: Tensor,
    /// (S·S, 4) I^rd: linear r, g, b, and the face mask M in 0 … 1; zero where nothing is drawn.
    pub rendered: Tensor,
}

/// Records the lit face I^rd (paper A eq. 1: albedo T̄ + B_t δ under spherical harmonics γ), and the face mask.
pub fn record_shading(plan: &mut PlanBuilder, model: &FaceModel, light: &Light, face: &FaceTensors) -> Shading {
    let v = model.vertices();
    let colors: Vec<[f32; 4]> = model
        .albedo_of(&light.delta)
        .iter()
        .zip(model.mask(Mask::Face))
        .map(|([r, g, b], m)| [*r, *g, *b, *m])
        .collect();
    let colors = plan.constant("albedo", &colors);
    let harmonics: Vec<[f32; 4]> = light.gamma.as_chunks::<3>().0.iter().map(|[r, g, b]| [*r, *g, *b, 0.0]).collect();
    let harmonics = plan.constant("light", &harmonics);
    let shaded = plan.temp("shaded vertices", 4 * v);
    plan.dispatch(
        ShadeVerticesParams { vertices: v as u32 },
        &[face.normals, colors, harmonics, shaded],
        Grid::linear(v),
    );
    let pixels = face.size * face.size;
    let rendered = plan.temp("rendered face", 4 * pixels);
    plan.dispatch(
        ShadeRenderParams { pixels: pixels as u32 },
        &[face.triangles, face.triangle_id, face.barycentric, shaded, rendered],
        Grid::linear(pixels),
    );
    Shading { shaded, rendered }
}
