//! What the network is fed, where no network runs: for training data, and once a portrait for E_src.

use super::channels::{DRIVEN, SOURCE, STYLE, STYLE_WORDS};
use super::crop::{Crop, Driven, record_inputs};
use super::style_range::StyleRange;
use super::style_sigma::StyleSigma;
use super::weights::HefWeights;
use crate::avatar::{AvatarFile, EXPRESSION, POSE};
use crate::compute::{Bindings, Compute, ComputeError, Executor, PlanBuilder, PlanError, Program};
use crate::drive::Drive;
use crate::face::{self, FaceModel, Light, Placement, Shading};
use crate::generator::frame::{FrameTensors, GeneratorError, checked};
use crate::generator::geometric::{self, Parts};
use crate::generator::picture::sample;
use crate::generator::setup::{Preparer, Setup};

/// The geometric generator, recorded as the network sees it, for any portrait of S × S pixels through any crop of C × C.
#[derive(Debug)]
pub(super) struct Sight {
    program: Program,
    parts: Parts,
    shading: Shading,
    driven: Driven,
    side: usize,
}

impl Sight {
    pub(super) fn new(
        compute: &Compute,
        model: &FaceModel,
        preparer: &Preparer,
        size: usize,
        side: usize,
    ) -> Result<Self, PlanError> {
        let mut plan = PlanBuilder::new("HEF's inputs");
        let parts = geometric::record(&mut plan, model, size);
        let linear = parts.composite(&mut plan, &preparer.parts, true, true);
        let shading = face::record_shading(&mut plan, &parts.face);
        let Parts { face, warp, paint, mask, .. } = parts;
        let frame = FrameTensors { linear, rendered: shading.rendered, warp, paint, mask };
        let driven = record_inputs(&mut plan, side, &frame);
        for seen in [driven.tensor, warp, face.triangle_id, face.barycentric, face.screen] {
            plan.output(seen);
        }
        Ok(Self { program: compute.program(plan.finish()?), parts, shading, driven, side })
    }

    /// Of a portrait that was worked out, through `crop`.
    pub(super) fn of(
        &self,
        model: &FaceModel,
        avatar: &AvatarFile,
        setup: &Setup,
        crop: Crop,
    ) -> Result<Observer, PlanError> {
        let Self { program, parts, shading, driven, side } = self;
        let (size, side) = (parts.face.size(), *side);
        let mut bindings = Bindings::default();
        parts.bind(&mut bindings, model, avatar, setup);
        shading.bind(&mut bindings, model, &Light::of(avatar));
        driven.bind(&mut bindings, crop);
        let person = &setup.pictures.data::<[f32; 4]>().unwrap_or_default()[..size * size];
        let matte = (0..side * side).map(|k| sample(person, size, crop.at(k, side))[3].clamp(0.0, 1.0)).collect();
        let executor = program.executor(&bindings)?;
        Ok(Observer { executor, parts: *parts, driven: *driven, rest: avatar.beta, matte, crop })
    }
}

/// The geometric generator of one portrait, seen as the network sees it: through a crop of C × C.
#[derive(Debug)]
pub struct Observer {
    executor: Executor,
    parts: Parts,
    driven: Driven,
    rest: [f32; EXPRESSION],
    /// (C²)
    matte: Vec<f32>,
    crop: Crop,
}

/// A frame of S × S pixels on the crop, and the rasters behind it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// (16, C, C)
    pub driven: &'a [f32],
    /// (S², 4): where in the portrait each pixel looks (px), gain, share of paint behind the person.
    pub warp: &'a [[f32; 4]],
    /// (S²): the nearest triangle, or [`crate::face::NONE`].
    pub triangle_id: &'a [u32],
    /// (S²): weights of its first and second vertex.
    pub barycentric: &'a [[f32; 2]],
    /// (V, 4): x, y in pixels, depth in metres, 1/depth or 0 where the vertex is not drawn.
    pub screen: &'a [[f32; 4]],
}

impl Observer {
    /// Works `avatar` out for pictures of `size` × `size`, seen through `crop` at `side` × `side`.
    ///
    /// # Errors
    /// [`GeneratorError`].
    ///
    /// # Panics
    /// `side` is 0.
    pub fn new(
        compute: &Compute,
        model: &FaceModel,
        avatar: &AvatarFile,
        size: usize,
        crop: Crop,
        side: usize,
    ) -> Result<Self, GeneratorError> {
        let preparer = Preparer::new(model, checked(size)?)?;
        let setup = preparer.portrait(model, avatar)?;
        Ok(Sight::new(compute, model, &preparer, size, side)?.of(model, avatar, &setup, crop)?)
    }

    /// S, C and where the crop lies.
    pub fn place(&self) -> (usize, usize, Crop) {
        (self.parts.face.size(), self.driven.tensor.shape().last(), self.crop)
    }

    /// A frame: expression β and the head's motion against the bust.
    ///
    /// # Errors
    /// The device was lost.
    pub fn observe(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) -> Result<Observation<'_>, ComputeError> {
        let [pitch, yaw, roll, x, y, z] = *motion;
        let Self { executor, parts: Parts { face, warp, .. }, driven, .. } = self;
        executor.write(face.beta, beta)?;
        executor.write(face.motion, &[pitch, yaw, roll, x, y, z, 0.0, 0.0])?;
        executor.run()?;
        Ok(Observation {
            driven: executor.read(driven.tensor)?,
            warp: executor.read(*warp)?,
            triangle_id: executor.read(face.triangle_id)?,
            barycentric: executor.read(face.barycentric)?,
            screen: executor.read(face.screen)?,
        })
    }

    /// `source` (8, C, C) of the portrait: the frame at rest, and the matte.
    ///
    /// # Errors
    /// The device was lost.
    pub fn source(&mut self) -> Result<Vec<f32>, ComputeError> {
        let (rest, plane, matte) = (self.rest, self.matte.len(), self.matte.clone());
        let driven = self.observe(&rest, &[0.0; POSE])?.driven;
        debug_assert_eq!(driven.len(), DRIVEN * plane);
        let source = [&driven[..3 * plane], &matte, &driven[3 * plane..7 * plane]].concat();
        debug_assert_eq!(source.len(), SOURCE * plane);
        Ok(source)
    }
}

/// What of the style vector belongs to a portrait.
#[derive(Clone, Debug)]
pub struct Style {
    placement: Placement,
    light: Light,
    pivot: [f32; 3],
    range: Option<StyleRange>,
    sigma: StyleSigma,
}

impl Style {
    /// Of a portrait, as it is: for training data.
    pub fn of(model: &FaceModel, avatar: &AvatarFile) -> Self {
        let (placement, light) = (Placement::of(avatar), Light::of(avatar));
        Self { placement, light, pivot: model.pivot, range: None, sigma: StyleSigma::Driven }
    }

    /// The same, as a network knows it: held to what it may be given, and with the σ̂ that it was trained with.
    pub fn for_network(self, weights: &HefWeights) -> Self {
        Self { range: weights.style_range().cloned(), sigma: weights.style_sigma(), ..self }
    }

    /// The style vector of a frame, and zeros: α 80, β of the frame 64, δ 80, γ 27, the head's pose in camera space ([`Placement::head`]) 6, σ̂ 1.
    pub fn words(&self, drive: &Drive) -> [f32; STYLE_WORDS] {
        let Self { placement, light, pivot, range, sigma } = self;
        let pose = placement.head(*pivot, &drive.pose);
        let mut out = [0.0; STYLE_WORDS];
        let mut rest = &mut out[..];
        for part in [&placement.alpha[..], &drive.beta, &light.delta, &light.gamma, &pose, &[sigma.word(drive.sigma)]] {
            let (to, after) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
        }
        if let Some(range) = range {
            range.hold(&mut out[..STYLE]);
        }
        out
    }
}
