//! The square of the picture that the network sees, and the way in and out of it.

use vultus_shaders::kernels::{
    HefBlendParams, HefBoundParams, HefCutOutParams, HefInputsParams, HefNeedParams, HefRangeParams,
};
use vultus_shaders::shared::hef_range::CELL;

use super::channels::DRIVEN;
use crate::avatar::AvatarFile;
use crate::compute::{Bindings, Dispatch, Element::F32, Grid, PlanBuilder, Tensor};
use crate::face::{FaceModel, Placement};
use crate::generator::frame::FrameTensors;
use crate::generator::picture::{portrait, sample};

/// Side of the crop over the longer side of the head at rest: room for hair and for a head that turns by 15°.
const ROOM: f32 = 1.4;
/// How far from the crop's edges it counts in full, as a share of its side.
const FADE: f32 = 1.0 / 32.0;

/// A square of the picture, in its pixels; it may reach beyond the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Side.
    pub side: f32,
}

impl Crop {
    /// Around the head of a mesh at rest: `screen` (V) holds x, y in pixels, `head` (V) is 1 on the head and 0 on the shoulders.
    ///
    /// # Panics
    /// Where no vertex is on the head.
    pub fn around(screen: &[[f32; 4]], head: &[f32]) -> Self {
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for (at, _) in screen.iter().zip(head).filter(|(_, h)| **h > 0.9) {
            for axis in 0..2 {
                low[axis] = low[axis].min(at[axis]);
                high[axis] = high[axis].max(at[axis]);
            }
        }
        assert!(low[0] <= high[0], "a face model has a head");
        let side = ROOM * (high[0] - low[0]).max(high[1] - low[1]);
        let [x, y] = [0, 1].map(|axis| 0.5 * (low[axis] + high[axis] - side));
        Self { left: x, top: y, side }
    }

    /// Around the head of a portrait of `size`² pixels; of 1: in units of the picture's height.
    pub fn of(model: &FaceModel, avatar: &AvatarFile, size: usize) -> Self {
        let placement = Placement::of(avatar);
        let size = size as f32;
        let screen: Vec<[f32; 4]> = (model.shape(&avatar.alpha, &avatar.beta).iter())
            .map(|v| placement.project(*v))
            .map(|[x, y]| [size * x, size * y, 0.0, 0.0])
            .collect();
        Self::around(&screen, &model.head_weight)
    }

    /// One in units of the picture's height, in pixels of a picture of `size`².
    #[must_use]
    pub fn of_height(&self, size: usize) -> Self {
        let [left, top, side] = [self.left, self.top, self.side].map(|v| v * size as f32);
        Self { left, top, side }
    }

    /// Where in the picture pixel `k` of the crop at `side` × `side` lies, in its pixels.
    pub fn at(&self, k: usize, side: usize) -> [f32; 2] {
        let step = self.side / side as f32;
        [self.left + ((k % side) as f32 + 0.5) * step, self.top + ((k / side) as f32 + 0.5) * step]
    }

    /// (3, C, C): square roots of the linear light of an avatar's portrait of `size`² pixels, as it is; beyond its edges they repeat.
    pub fn portrait(&self, avatar: &AvatarFile, size: usize, side: usize) -> Vec<f32> {
        let pixels = portrait(avatar, size);
        let plane = side * side;
        let mut out = vec![0.0; 3 * plane];
        for k in 0..plane {
            let colour = sample(&pixels, size, self.at(k, side));
            (0..3).for_each(|c| out[c * plane + k] = colour[c].max(0.0).sqrt());
        }
        out
    }

    /// The whole of a picture of `size`² pixels.
    pub fn whole(size: usize) -> Self {
        Self { left: 0.0, top: 0.0, side: size as f32 }
    }
}

/// What the network sees of a frame; where the crop lies is [bound](Self::bind).
#[derive(Clone, Copy, Debug)]
pub struct Driven {
    /// (1, 16, C, C)
    pub tensor: Tensor,
    inputs: Dispatch<HefInputsParams>,
}

impl Driven {
    /// Binds where the crop lies.
    pub fn bind(&self, bindings: &mut Bindings, crop: Crop) {
        let Crop { left, top, side } = crop;
        bindings.params(&self.inputs, |p| *p = HefInputsParams { left, top, step: side / p.crop as f32, ..*p });
    }
}

/// Records what the network sees of a frame through a crop of `side`² pixels.
pub fn record_inputs(plan: &mut PlanBuilder, side: usize, frame: &FrameTensors) -> Driven {
    let driven = plan.temp("driven", [1, DRIVEN, side, side], F32);
    let need = plan.temp("need", [side, side], F32);
    let FrameTensors { linear, rendered, warp, paint, mask } = *frame;
    let params = HefInputsParams { size: linear.shape()[0] as u32, crop: side as u32, ..Default::default() };
    let tensors = [linear, rendered, warp, paint, mask, driven, need];
    let inputs = plan.dispatch_bound(params, &tensors, Grid::image(side, side));
    plan.dispatch(HefNeedParams { crop: side as u32 }, &[need, driven], Grid::image(side, side));
    Driven { tensor: driven, inputs }
}

/// Records which colours there are nearby in `driven`: (6, C/4, C/4).
pub fn record_range(plan: &mut PlanBuilder, driven: Tensor) -> Tensor {
    let side = driven.shape().last();
    let cells = side / CELL as usize;
    let range = plan.temp("range of colours", [6, cells, cells], F32);
    plan.dispatch(HefRangeParams { crop: side as u32 }, &[driven, range], Grid::image(cells, cells));
    range
}

/// Records that the colours of `result` of [`super::record`] stay in the `range` of those nearby.
pub(super) fn record_bound(plan: &mut PlanBuilder, [driven, range, result]: [Tensor; 3]) {
    let side = driven.shape().last();
    plan.dispatch(HefBoundParams { crop: side as u32 }, &[driven, range, result], Grid::image(side, side));
}

/// A result that is laid over a frame; where the crop lies and how far the network is believed are [bound](Self::bind).
#[derive(Clone, Copy, Debug)]
pub struct Blend(Dispatch<HefBlendParams>);

impl Blend {
    /// Binds where the crop lies, the share of the changes that is shown, and whether the picture has one hue (1) or colours (0).
    pub fn bind(&self, bindings: &mut Bindings, crop: Crop, trust: f32, plain: f32) {
        let Crop { left, top, side } = crop;
        let step = |crop: u32| side / crop as f32;
        bindings.params(&self.0, |p| *p = HefBlendParams { left, top, step: step(p.crop), trust, plain, ..*p });
    }
}

/// Records that a share of `result` of [`super::record`] is laid over `linear` (S, S, 4).
pub fn record_blend(plan: &mut PlanBuilder, [result, range]: [Tensor; 2], linear: Tensor) -> Blend {
    let (size, side) = (linear.shape()[0], result.shape().last());
    let params =
        HefBlendParams { size: size as u32, crop: side as u32, fade: FADE * side as f32, ..Default::default() };
    Blend(plan.dispatch_bound(params, &[result, range, linear], Grid::image(size, size)))
}

/// Who is to be cut out.
#[derive(Clone, Copy, Debug)]
pub(in crate::generator) struct Person {
    /// (S, S, 4) the geometric generator's person, premultiplied; becomes the network's where there is need.
    pub linear: Tensor,
    /// (2, S, S, 4): the person premultiplied by the matte, then the background.
    pub pictures: Tensor,
    /// Their outline stays the geometric generator's.
    pub outline: bool,
}

/// A person who is cut out.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutOut(Dispatch<HefCutOutParams>);

impl CutOut {
    pub(super) fn bind(&self, bindings: &mut Bindings, crop: Crop, trust: f32) {
        let Crop { left, top, side } = crop;
        bindings.params(&self.0, |p| *p = HefCutOutParams { left, top, step: side / p.crop as f32, trust, ..*p });
    }
}

/// Records that `person` is cut out of `picture` (S, S, 4), over which `result`, made from `driven`, was laid.
pub(super) fn record_cut_out(plan: &mut PlanBuilder, [result, driven, picture]: [Tensor; 3], person: Person) -> CutOut {
    let (size, side) = (picture.shape()[0], result.shape().last());
    let params = HefCutOutParams {
        size: size as u32,
        crop: side as u32,
        fade: FADE * side as f32,
        outline: u32::from(person.outline),
        ..Default::default()
    };
    let tensors = [result, driven, picture, person.pictures, person.linear];
    CutOut(plan.dispatch_bound(params, &tensors, Grid::image(size, size)))
}

#[cfg(test)]
mod tests {
    use super::Crop;

    #[test]
    fn a_crop_has_the_head_in_its_middle() {
        let screen = [[100.0, 50.0, 0.0, 0.0], [180.0, 150.0, 0.0, 0.0], [400.0, 500.0, 0.0, 0.0]];
        let crop = Crop::around(&screen, &[1.0, 1.0, 0.2]);
        assert_eq!(crop, Crop { left: 70.0, top: 30.0, side: 140.0 });
    }
}
