//! Records a frame of the geometric generator. Whose frame it is stands in what is bound ([`Parts::bind`]).

use vultus_shaders::kernels::{
    BackdropParams, EyePaintParams, InteriorMaskParams, LidPaintParams, OuterFlowParams, PictureEncodeParams,
    PictureSmoothParams, PortraitWarpParams, PullParams, PushParams, RelaxParams, RgbaToI420Params, SurfacePaintParams,
    TentBlurParams, TriangleStretchParams, VertexLookParams,
};

use super::eyes::{SCALE, SIDE};
use super::frame::OutputFormat;
use super::setup::{LIGHT, STEP, Setup};
use super::zones::blinks;
use crate::avatar::AvatarFile;
use crate::compute::Element::{F32, U32};
use crate::compute::{Bindings, Constant, Dispatch, Grid, PlanBuilder, Tensor};
use crate::face::{self, FaceModel, FaceTensors, Placement};

/// Weight of "nothing happens here" in a cell of which the mesh says nothing: how soon the mesh's own motion fades in hair and clothes.
const ANCHOR: f32 = 0.01;
/// Sweeps that smooth the membrane after the pyramid.
const SWEEPS: usize = 4;
/// How far above a pixel the lip is asked for that shades it, px of a face that lengths are meant for.
const UNDER_LIP: f32 = 5.0;
/// What light that gets past the lips gains of their colour, in pictures that have any.
const SHADE_TINT: [f32; 3] = [0.25, 0.0, -0.12];

/// A frame of S × S pixels before it is put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub face: FaceTensors,
    /// (S, S, 4) and (S, S, 4): see `surface_paint`.
    pub warp: Tensor,
    pub paint: Tensor,
    /// (S/2, S/2, 2): blurred shares of mouth and eyeball.
    pub mask: Tensor,
    /// Bound (2, S, S, 4): the person premultiplied by the matte, then the background.
    pub pictures: Tensor,
    vertices: Tensor,
    light: Tensor,
    plate: Tensor,
    eyes: Tensor,
    look: Dispatch<VertexLookParams>,
    outer: Dispatch<OuterFlowParams>,
    blur: [Dispatch<TentBlurParams>; 2],
    surface: Dispatch<SurfacePaintParams>,
    lid_places: Tensor,
    lids: Tensor,
    lid: Dispatch<LidPaintParams>,
}

impl Parts {
    /// Binds an avatar that was worked out for this size.
    pub(super) fn bind(&self, bindings: &mut Bindings, model: &FaceModel, avatar: &AvatarFile, setup: &Setup) {
        let placement = Placement::of(avatar);
        self.face.bind(bindings, model, &placement);
        for (tensor, constant) in [
            (self.pictures, &setup.pictures),
            (self.vertices, &setup.vertices),
            (self.light, &setup.light),
            (self.plate, &setup.plate),
            (self.eyes, &setup.eyes),
            (self.lid_places, &setup.lid_places),
            (self.lids, &setup.lids),
        ] {
            bindings.tensor(tensor, constant.clone());
        }
        let rest = blinks(model).map(|i| avatar.beta[i]);
        bindings.params(&self.look, |p| *p = VertexLookParams { rest, parted: model.lip_gap(&avatar.beta), ..*p });
        bindings.params(&self.lid, |p| p.rest = rest);
        let [row0, row1, row2] = placement.camera_from_head();
        let [focal, x, y] = placement.camera.map(|c| c * self.face.size() as f32);
        bindings.params(&self.outer, |p| *p = OuterFlowParams { row0, row1, row2, focal, centre: [x, y], ..*p });
        let radius = (2.0 * setup.scale).round().max(1.0) as u32;
        self.blur.iter().for_each(|blur| bindings.params(blur, |p| p.radius = radius));
        let (lips, under_lip) = (setup.lips, UNDER_LIP * setup.scale);
        let tint = SHADE_TINT.map(|t| t * (1.0 - setup.plain));
        bindings.params(&self.surface, |p| *p = SurfacePaintParams { lips, under_lip, tint, ..*p });
    }

    /// Records what warp and paint make of the portrait: (S, S, 4) linear light, edges smoothed, and alpha. Without `background` the person is cut out;
    /// without `effects` there is neither paint nor light. `numbers` (F): see [`super::setup::Preparer::parts`].
    pub(super) fn composite(
        &self,
        plan: &mut PlanBuilder,
        numbers: &Constant,
        background: bool,
        effects: bool,
    ) -> Tensor {
        let size = self.face.size();
        let Self { face, warp, paint, pictures, .. } = *self;
        let stepped = plan.temp("picture with steps", [size, size, 4], F32);
        let share = |yes: bool| if yes { 1.0 } else { 0.0 };
        plan.dispatch(
            PortraitWarpParams { size: size as u32, background: share(background), effects: share(effects) },
            &[warp, paint, pictures, stepped],
            Grid::image(size, size),
        );
        let numbers = plan.resident("parts", numbers);
        let linear = plan.temp("linear picture", [size, size, 4], F32);
        plan.dispatch(
            PictureSmoothParams { size: size as u32 },
            &[stepped, face.triangle_id, numbers, warp, paint, linear],
            Grid::image(size, size),
        );
        linear
    }
}

/// Records the face, where in the portrait each pixel looks and what is painted, in pictures of `size`².
pub(super) fn record(plan: &mut PlanBuilder, model: &FaceModel, size: usize) -> Parts {
    let face = face::record(plan, model, size);
    plan.mark();
    let (look_dispatch, look, [vertices, light]) = vertex_look(plan, model, &face);
    let (outer_dispatch, outer, plate) = outer_flow(plan, model, &face, look);
    let (blur, mask) = interior_mask(plan, &face);

    let warp = plan.temp("warp", [size, size, 4], F32);
    let paint = plan.temp("paint", [size, size, 4], F32);
    let params =
        SurfacePaintParams { size: size as u32, cells: (size / STEP) as u32, step: STEP as u32, ..Default::default() };
    let [id, weights, triangles] = [face.triangle_id, face.barycentric, face.triangles];
    let tensors = [id, weights, triangles, look, outer, mask, warp, paint];
    let surface = plan.dispatch_bound(params, &tensors, Grid::image(size, size));
    let eyes = plan.bound("eyes", [2 * SIDE * SIDE + size * size / 4, 4], F32);
    let params = EyePaintParams { size: size as u32, side: SIDE as u32, scale: SCALE, shade: 0.45 };
    plan.dispatch(params, &[id, weights, triangles, look, eyes, mask, paint], Grid::image(size, size));
    let lid_places = plan.bound("places of the lids", [model.vertices(), 4], F32);
    let lids = plan.bound("shut lids", [2, size / 4, size / 4, 4], F32);
    let params = LidPaintParams {
        size: size as u32,
        side: (size / 4) as u32,
        blink: blinks(model).map(|i| i as u32),
        ..Default::default()
    };
    let tensors = [id, weights, triangles, look, lid_places, lids, face.beta, paint];
    let lid = plan.dispatch_bound(params, &tensors, Grid::image(size, size));
    let pictures = plan.bound("portrait and background", [2, size, size, 4], F32);
    Parts {
        face,
        warp,
        paint,
        mask,
        pictures,
        vertices,
        light,
        plate,
        eyes,
        look: look_dispatch,
        outer: outer_dispatch,
        blur,
        surface,
        lid_places,
        lids,
        lid,
    }
}

/// Another background, recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    /// Bound (S, S, 4).
    pub picture: Tensor,
    /// Bound: whether the person's colours are held to their share.
    lay: Dispatch<BackdropParams>,
}

impl Behind {
    /// Records that `person` (S, S, 4) is put before another background.
    pub(super) fn record(plan: &mut PlanBuilder, person: Tensor) -> Self {
        let size = person.shape()[0];
        let picture = plan.bound("backdrop", [size, size, 4], F32);
        let params = BackdropParams { size: size as u32, hold: 0.0 };
        Self { picture, lay: plan.dispatch_bound(params, &[picture, person], Grid::image(size, size)) }
    }

    /// Binds the background.
    pub(super) fn bind(&self, bindings: &mut Bindings, picture: Constant, hold: bool) {
        bindings.tensor(self.picture, picture);
        bindings.params(&self.lay, |p| p.hold = if hold { 1.0 } else { 0.0 });
    }
}

/// Records the bytes of a picture (S, S, 4): an output of the plan.
pub(super) fn encode(plan: &mut PlanBuilder, linear: Tensor, format: OutputFormat) -> Tensor {
    let size = linear.shape()[0];
    let rgba = plan.temp("rgba", [size, size], U32);
    plan.dispatch(PictureEncodeParams { size: size as u32 }, &[linear, rgba], Grid::image(size, size));
    let picture = if format == OutputFormat::I420 {
        let planes = plan.temp("i420", [size * size * 3 / 8], U32);
        plan.dispatch(RgbaToI420Params { size: size as u32 }, &[rgba, planes], Grid::image(size / 8, size / 2));
        planes
    } else {
        rgba
    };
    plan.output(picture);
    picture
}

/// (V, 3, 4) what each vertex shows; and what is bound: vertices and light.
fn vertex_look(
    plan: &mut PlanBuilder,
    model: &FaceModel,
    face: &FaceTensors,
) -> (Dispatch<VertexLookParams>, Tensor, [Tensor; 2]) {
    let (v, f) = (model.vertices(), model.triangles.len());
    let vertices = plan.bound("vertices of the portrait", [v, 4, 4], F32);
    let stretch = plan.temp("stretch", [f, 4], F32);
    plan.dispatch(
        TriangleStretchParams { triangles: f as u32 },
        &[face.triangles, face.screen, vertices, stretch],
        Grid::linear(f),
    );
    let first = plan.resident("triangles around: first", &model.tables().first);
    let around = plan.resident("triangles around", &model.tables().around);
    let light = plan.bound("skin light", [LIGHT], F32);
    let blink = blinks(model).map(|i| i as u32);
    let jaw = model.expression_index("jawOpen").unwrap_or(0) as u32;
    let look = plan.temp("vertex look", [v, 3, 4], F32);
    let dispatch = plan.dispatch_bound(
        VertexLookParams { vertices: v as u32, gain_power: 0.7, blink, jaw, ..Default::default() },
        &[first, around, stretch, face.normals, vertices, light, face.beta, look],
        Grid::linear(v),
    );
    (dispatch, look, [vertices, light])
}

/// (cells, cells, 4) flow of what is not face; and what is bound, the plate.
fn outer_flow(
    plan: &mut PlanBuilder,
    model: &FaceModel,
    face: &FaceTensors,
    look: Tensor,
) -> (Dispatch<OuterFlowParams>, Tensor, Tensor) {
    let cells = face.size() / STEP;
    let plate = plan.bound("plate", [cells, cells, 2], F32);
    let rigid = plan.temp("rigid flow", [cells, cells, 2], F32);
    let residual = plan.temp("residual flow", [cells, cells, 4], F32);
    let params = OuterFlowParams {
        pivot: model.pivot,
        size: face.size() as u32,
        cells: cells as u32,
        step: STEP as u32,
        anchor: ANCHOR,
        ..Default::default()
    };
    let dispatch = plan.dispatch_bound(
        params,
        &[face.triangle_id, face.barycentric, face.triangles, look, plate, face.motion, rigid, residual],
        Grid::image(cells, cells),
    );

    let mut levels = vec![residual];
    while levels[levels.len() - 1].shape()[0] > 1 {
        let fine = levels[levels.len() - 1];
        let from = fine.shape()[0];
        let to = from.div_ceil(2);
        let coarse = plan.temp("flow pyramid", [to, to, 4], F32);
        let params =
            PullParams { fine_width: from as u32, fine_height: from as u32, width: to as u32, height: to as u32 };
        plan.dispatch(params, &[fine, coarse], Grid::image(to, to));
        levels.push(coarse);
    }
    for pair in levels.windows(2).rev() {
        let [fine, coarse] = [pair[0], pair[1]];
        let [to, from] = [fine.shape()[0], coarse.shape()[0]];
        let params =
            PushParams { width: to as u32, height: to as u32, coarse_width: from as u32, coarse_height: from as u32 };
        plan.dispatch(params, &[coarse, fine], Grid::image(to, to));
    }
    let mut flow = residual;
    for sweep in 0..SWEEPS {
        let next = plan.temp("relaxed flow", [cells, cells, 4], F32);
        let add = if sweep + 1 == SWEEPS { 1.0 } else { 0.0 };
        let params = RelaxParams { width: cells as u32, height: cells as u32, add };
        plan.dispatch(params, &[flow, rigid, next], Grid::image(cells, cells));
        flow = next;
    }
    (dispatch, flow, plate)
}

/// (S/2, S/2, 2) blurred share of mouth and eyeball; how wide it is blurred is bound.
fn interior_mask(plan: &mut PlanBuilder, face: &FaceTensors) -> ([Dispatch<TentBlurParams>; 2], Tensor) {
    let half = face.size() / 2;
    let [sharp, across, mask] =
        ["interior mask", "mask blurred across", "blurred mask"].map(|label| plan.temp(label, [half, half, 2], F32));
    plan.dispatch(
        InteriorMaskParams { size: face.size() as u32 },
        &[face.triangle_id, face.triangles, sharp],
        Grid::image(half, half),
    );
    let blur = [(1, sharp, across), (0, across, mask)].map(|(dx, from, to)| {
        let params = TentBlurParams { width: half as u32, height: half as u32, dx, radius: 0 };
        plan.dispatch_bound(params, &[from, to], Grid::image(half, half))
    });
    (blur, mask)
}
