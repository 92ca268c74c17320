//! What the network is fed, where no network runs: for training data, and once a portrait for E_src.

use super::{Crop, DRIVEN, SOURCE, STYLE, STYLE_WORDS, StyleRange, record_inputs};
use crate::avatar::{AvatarFile, EXPRESSION, POSE};
use crate::compute::{Compute, ComputeError, Executor, PlanBuilder, Tensor};
use crate::face::{FaceModel, Light, Placement};
use crate::generator::picture::sample;
use crate::generator::record::{record_composite, record_parts};
use crate::generator::{GeneratorError, Setup, checked};

/// The geometric generator of one portrait, seen as the network sees it: through a crop of C × C.
#[derive(Debug)]
pub struct Observer {
    executor: Executor,
    beta: Tensor,
    motion: Tensor,
    driven: Tensor,
    warp: Tensor,
    triangle_id: Tensor,
    barycentric: Tensor,
    screen: Tensor,
    rest: [f32; EXPRESSION],
    /// (C²)
    matte: Vec<f32>,
    size: usize,
    side: usize,
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
    /// [`GeneratorError::Size`].
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
        let setup = Setup::new(model, avatar, checked(size)?);
        let mut plan = PlanBuilder::new("HEF's inputs");
        let parts = record_parts(&mut plan, model, avatar, &setup);
        let linear = record_composite(&mut plan, &setup, &parts, true, true);
        let frame = parts.lit(&mut plan, model, avatar, linear);
        let driven = record_inputs(&mut plan, side, crop, size, &frame);
        let face = parts.face;
        for seen in [driven, frame.warp, face.triangle_id, face.barycentric, face.screen] {
            plan.output(seen);
        }
        let matte = (0..side * side)
            .map(|k| sample(&setup.pictures[..size * size], size, crop.at(k, side))[3].clamp(0.0, 1.0))
            .collect();
        Ok(Self {
            executor: compute.executor(plan.finish()),
            beta: face.beta,
            motion: face.motion,
            driven,
            warp: frame.warp,
            triangle_id: face.triangle_id,
            barycentric: face.barycentric,
            screen: face.screen,
            rest: avatar.beta,
            matte,
            size,
            side,
            crop,
        })
    }

    /// S, C and where the crop lies.
    pub fn place(&self) -> (usize, usize, Crop) {
        (self.size, self.side, self.crop)
    }

    /// A frame: expression β and the head's motion against the bust.
    ///
    /// # Errors
    /// The device was lost.
    pub fn observe(&mut self, beta: &[f32; EXPRESSION], motion: &[f32; POSE]) -> Result<Observation<'_>, ComputeError> {
        let [pitch, yaw, roll, x, y, z] = *motion;
        self.executor.write(self.beta, beta);
        self.executor.write(self.motion, &[pitch, yaw, roll, x, y, z, 0.0, 0.0]);
        self.executor.run()?;
        Ok(Observation {
            driven: self.executor.read(self.driven),
            warp: self.executor.read(self.warp),
            triangle_id: self.executor.read(self.triangle_id),
            barycentric: self.executor.read(self.barycentric),
            screen: self.executor.read(self.screen),
        })
    }

    /// `source` (8, C, C) of the portrait: the frame at rest, and the matte.
    ///
    /// # Errors
    /// The device was lost.
    pub fn source(&mut self) -> Result<Vec<f32>, ComputeError> {
        let (rest, plane, matte) = (self.rest, self.side * self.side, self.matte.clone());
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
}

impl Style {
    /// Of a portrait.
    pub fn of(model: &FaceModel, avatar: &AvatarFile) -> Self {
        Self { placement: Placement::of(avatar), light: Light::of(avatar), pivot: model.pivot, range: None }
    }

    /// The same, held to what a network may be given.
    pub fn held(self, range: Option<&StyleRange>) -> Self {
        Self { range: range.cloned(), ..self }
    }

    /// The style vector of a frame, and zeros: α 80, β of the frame 64, δ 80, γ 27, the head's pose in camera space ([`Placement::head`]) 6, σ̂ 1.
    pub fn words(&self, beta: &[f32; EXPRESSION], motion: &[f32; POSE], intensity: f32) -> [f32; STYLE_WORDS] {
        let Self { placement, light, pivot, range } = self;
        let pose = placement.head(*pivot, motion);
        let mut out = [0.0; STYLE_WORDS];
        let mut rest = &mut out[..];
        for part in [&placement.alpha[..], beta, &light.delta, &light.gamma, &pose, &[intensity]] {
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
