//! Records a frame of the geometric generator.

use vultus_shaders::kernels::{
    EyePaintParams, InteriorMaskParams, OuterFlowParams, PictureEncodeParams, PictureSmoothParams, PortraitWarpParams,
    PullParams, PushParams, RelaxParams, RgbaToI420Params, SurfacePaintParams, TentBlurParams, TriangleStretchParams,
    VertexLookParams,
};

use super::OutputFormat;
use super::eyes::{SCALE, SIDE};
use super::hef::{FrameTensors, LearnedPortrait, Person};
use super::setup::{STEP, Setup};
use crate::avatar::AvatarFile;
use crate::compute::{Grid, PlanBuilder, Tensor};
use crate::face::{self, FaceModel, FaceTensors, Light, Placement};

/// Weight of "nothing happens here" in a cell of which the mesh says nothing: how soon the mesh's own motion fades in hair and clothes.
const ANCHOR: f32 = 0.01;
/// Sweeps that smooth the membrane after the pyramid.
const SWEEPS: usize = 4;

/// How pictures are made, ready to be recorded.
#[derive(Clone, Copy, Debug)]
pub enum Recorded<'a> {
    /// The plain mesh warp that figures are compared with: neither paint nor light.
    WarpOnly,
    /// The geometric generator.
    Geometric,
    /// HEF over it.
    Learned(&'a LearnedPortrait),
}

/// What a frame is written to and read from.
#[derive(Clone, Copy, Debug)]
pub struct GeneratorTensors {
    /// Input (64): expression β.
    pub beta: Tensor,
    /// Input (8): see [`face::MOTION`].
    pub motion: Tensor,
    /// Input (260), where the network draws: see [`super::hef::Style`].
    pub style: Option<Tensor>,
    /// Output: the picture's bytes in the format asked for.
    pub picture: Tensor,
}

/// A frame of S × S pixels before it is put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub face: FaceTensors,
    /// (S², 4) and (S², 4): see `surface_paint`.
    pub warp: Tensor,
    pub paint: Tensor,
    /// ((S/2)², 2): blurred shares of mouth and eyeball.
    pub mask: Tensor,
    /// (2, S², 4): the person premultiplied by the matte, then the background.
    pub pictures: Tensor,
}

impl Parts {
    /// What HEF is fed from: records the lit mesh too, in the avatar's light and colours.
    pub(super) fn lit(
        &self,
        plan: &mut PlanBuilder,
        model: &FaceModel,
        avatar: &AvatarFile,
        linear: Tensor,
    ) -> FrameTensors {
        let Self { face, warp, paint, mask, .. } = *self;
        let rendered = face::record_shading(plan, model, &Light::of(avatar), &face).rendered;
        FrameTensors { linear, rendered, warp, paint, mask }
    }
}

/// Records the face and everything after it.
pub fn record(
    plan: &mut PlanBuilder,
    model: &FaceModel,
    avatar: &AvatarFile,
    setup: &Setup,
    format: OutputFormat,
    method: &Recorded<'_>,
) -> GeneratorTensors {
    let parts = record_parts(plan, model, avatar, setup);
    let cut_out = format == OutputFormat::RgbaCutOut;
    let effects = !matches!(method, Recorded::WarpOnly);
    let linear = record_composite(plan, setup, &parts, !cut_out, effects);
    let mut style = None;
    if let Recorded::Learned(portrait) = method {
        // The network knows people before their background, also where they are to be cut out.
        let seen = if cut_out { record_composite(plan, setup, &parts, true, true) } else { linear };
        let frame = parts.lit(plan, model, avatar, seen);
        let person = cut_out.then_some(Person { linear, pictures: parts.pictures });
        style = Some(portrait.record(plan, setup.size, &frame, person));
    }
    let picture = encode(plan, setup, linear, format);
    GeneratorTensors { beta: parts.face.beta, motion: parts.face.motion, style, picture }
}

/// Records the face, where in the portrait each pixel looks and what is painted.
pub(super) fn record_parts(plan: &mut PlanBuilder, model: &FaceModel, avatar: &AvatarFile, setup: &Setup) -> Parts {
    let placement = Placement::of(avatar);
    let size = setup.size;
    let face = face::record(plan, model, &placement, size);
    plan.mark();
    let look = vertex_look(plan, model, avatar, setup, &face);
    let outer = outer_flow(plan, model, &placement, setup, &face, look);
    let mask = interior_mask(plan, setup, &face);

    let warp = plan.temp("warp", 4 * size * size);
    let paint = plan.temp("paint", 4 * size * size);
    let params = SurfacePaintParams {
        size: size as u32,
        cells: (size / STEP) as u32,
        step: STEP as u32,
        under_lip: 5.0 * setup.scale,
        lash: setup.lash,
        lips: setup.lips,
        ..Default::default()
    };
    let [id, weights, triangles] = [face.triangle_id, face.barycentric, face.triangles];
    plan.dispatch(params, &[id, weights, triangles, look, outer, mask, warp, paint], Grid::image(size, size));
    let eyes = plan.constant("eyes", &setup.eyes);
    let params = EyePaintParams { size: size as u32, side: SIDE as u32, scale: SCALE, shade: 0.45 };
    plan.dispatch(params, &[id, weights, triangles, look, eyes, mask, paint], Grid::image(size, size));
    let pictures = plan.constant("portrait and background", &setup.pictures);
    Parts { face, warp, paint, mask, pictures }
}

/// Records what warp and paint make of the portrait: (S², 4) linear light, edges smoothed, and alpha. Without `background` the person is cut out;
/// without `effects` there is neither paint nor light.
pub(super) fn record_composite(
    plan: &mut PlanBuilder,
    setup: &Setup,
    parts: &Parts,
    background: bool,
    effects: bool,
) -> Tensor {
    let size = setup.size;
    let Parts { face, warp, paint, pictures, .. } = *parts;
    let stepped = plan.temp("picture with steps", 4 * size * size);
    let share = |yes: bool| if yes { 1.0 } else { 0.0 };
    plan.dispatch(
        PortraitWarpParams { size: size as u32, background: share(background), effects: share(effects) },
        &[warp, paint, pictures, stepped],
        Grid::image(size, size),
    );
    let numbers = plan.constant("parts", &setup.parts);
    let linear = plan.temp("linear picture", 4 * size * size);
    plan.dispatch(
        PictureSmoothParams { size: size as u32 },
        &[stepped, face.triangle_id, numbers, warp, paint, linear],
        Grid::image(size, size),
    );
    linear
}

/// The picture's bytes.
fn encode(plan: &mut PlanBuilder, setup: &Setup, linear: Tensor, format: OutputFormat) -> Tensor {
    let size = setup.size;
    let rgba = plan.temp("rgba", size * size);
    plan.dispatch(PictureEncodeParams { size: size as u32 }, &[linear, rgba], Grid::image(size, size));
    let picture = if format == OutputFormat::I420 {
        let planes = plan.temp("i420", size * size * 3 / 8);
        plan.dispatch(RgbaToI420Params { size: size as u32 }, &[rgba, planes], Grid::image(size / 8, size / 2));
        planes
    } else {
        rgba
    };
    plan.output(picture);
    picture
}

/// (V · 3) what each vertex shows.
fn vertex_look(
    plan: &mut PlanBuilder,
    model: &FaceModel,
    avatar: &AvatarFile,
    setup: &Setup,
    face: &FaceTensors,
) -> Tensor {
    let (v, f) = (model.vertices(), model.triangles.len());
    let fixed = plan.constant("vertices of the portrait", &setup.vertices);
    let stretch = plan.temp("stretch", 4 * f);
    plan.dispatch(
        TriangleStretchParams { triangles: f as u32 },
        &[face.triangles, face.screen, fixed, stretch],
        Grid::linear(f),
    );
    let first = plan.constant("offsets of triangles around", &setup.first);
    let around = plan.constant("triangles around", &setup.around);
    let light = plan.constant("skin light", &setup.light);
    let blink = ["eyeBlinkLeft", "eyeBlinkRight"].map(|n| model.expression_index(n).unwrap_or(0) as u32);
    let jaw = model.expression_index("jawOpen").unwrap_or(0) as u32;
    let rest = blink.map(|i| avatar.beta[i as usize]);
    let look = plan.temp("vertex look", 12 * v);
    plan.dispatch(
        VertexLookParams { vertices: v as u32, gain_power: 0.7, blink, rest, jaw, ..Default::default() },
        &[first, around, stretch, face.normals, fixed, light, face.beta, look],
        Grid::linear(v),
    );
    look
}

/// (cells²) flow of what is not face.
fn outer_flow(
    plan: &mut PlanBuilder,
    model: &FaceModel,
    placement: &Placement,
    setup: &Setup,
    face: &FaceTensors,
    look: Tensor,
) -> Tensor {
    let cells = setup.size / STEP;
    let plate = plan.constant("plate", &setup.plate);
    let rigid = plan.temp("rigid flow", 2 * cells * cells);
    let residual = plan.temp("residual flow", 4 * cells * cells);
    let [row0, row1, row2] = placement.camera_from_head();
    let [focal, x, y] = placement.camera.map(|c| c * setup.size as f32);
    let params = OuterFlowParams {
        row0,
        row1,
        row2,
        pivot: model.pivot,
        focal,
        centre: [x, y],
        size: setup.size as u32,
        cells: cells as u32,
        step: STEP as u32,
        anchor: ANCHOR,
        ..Default::default()
    };
    plan.dispatch(
        params,
        &[face.triangle_id, face.barycentric, face.triangles, look, plate, face.motion, rigid, residual],
        Grid::image(cells, cells),
    );

    let mut levels = vec![(residual, cells)];
    while levels[levels.len() - 1].1 > 1 {
        let (fine, from) = levels[levels.len() - 1];
        let to = from.div_ceil(2);
        let coarse = plan.temp("flow pyramid", 4 * to * to);
        let params =
            PullParams { fine_width: from as u32, fine_height: from as u32, width: to as u32, height: to as u32 };
        plan.dispatch(params, &[fine, coarse], Grid::image(to, to));
        levels.push((coarse, to));
    }
    for pair in levels.windows(2).rev() {
        let [(fine, to), (coarse, from)] = [pair[0], pair[1]];
        let params =
            PushParams { width: to as u32, height: to as u32, coarse_width: from as u32, coarse_height: from as u32 };
        plan.dispatch(params, &[coarse, fine], Grid::image(to, to));
    }
    let mut flow = residual;
    for sweep in 0..SWEEPS {
        let next = plan.temp("relaxed flow", 4 * cells * cells);
        let add = if sweep + 1 == SWEEPS { 1.0 } else { 0.0 };
        let params = RelaxParams { width: cells as u32, height: cells as u32, add };
        plan.dispatch(params, &[flow, rigid, next], Grid::image(cells, cells));
        flow = next;
    }
    flow
}

/// (S/2)² blurred share of mouth and eyeball.
fn interior_mask(plan: &mut PlanBuilder, setup: &Setup, face: &FaceTensors) -> Tensor {
    let half = setup.size / 2;
    let radius = (2.0 * setup.scale).round().max(1.0) as u32;
    let mut mask = plan.temp("interior mask", 2 * half * half);
    plan.dispatch(
        InteriorMaskParams { size: setup.size as u32 },
        &[face.triangle_id, face.triangles, mask],
        Grid::image(half, half),
    );
    for dx in [1, 0] {
        let next = plan.temp("blurred mask", 2 * half * half);
        let params = TentBlurParams { width: half as u32, height: half as u32, dx, radius };
        plan.dispatch(params, &[mask, next], Grid::image(half, half));
        mask = next;
    }
    mask
}
