//! Where in a picture the parts of a face lie.

use std::ops::Range;

use vultus::avatar::{AvatarFile, EXPRESSION, POSE};
use vultus::compute::{Bindings, Compute, ComputeError, PlanBuilder};
use vultus::face::{self, FaceModel, MOTION, Mask, Placement};

/// x, y, width, height in pixels.
pub type Area = [usize; 4];

/// What figures are given of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of the face.
    Face,
    /// The lips and what is between them.
    Mouth,
    /// Both eyes.
    Eyes,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Face, Self::Mouth, Self::Eyes];

    /// What it is called in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Mouth => "mouth",
            Self::Eyes => "eyes",
        }
    }

    /// The vertices that it is the box around.
    pub fn mask(self) -> Mask {
        match self {
            Self::Face => Mask::Face,
            Self::Mouth => Mask::Lips,
            Self::Eyes => Mask::Lids,
        }
    }

    /// How much wider than the vertices its box is on each side, in pixels of a picture of `size`².
    pub fn pad(self, size: usize) -> f32 {
        let at_256 = if self == Self::Mouth { 5.0 } else { 4.0 };
        at_256 * size as f32 / 256.0
    }

    /// Its landmarks of the 68.
    pub fn landmarks(self) -> Range<usize> {
        match self {
            Self::Face => 0..68,
            Self::Mouth => 48..68,
            Self::Eyes => 36..48,
        }
    }
}

/// (V) x, y in pixels, depth in metres, 1/depth: the mesh of an avatar in a picture of `size`².
///
/// # Panics
/// `size` is 0 or above 8,160.
pub fn project(
    model: &FaceModel,
    avatar: &AvatarFile,
    beta: &[f32; EXPRESSION],
    motion: &[f32; POSE],
    size: usize,
) -> Vec<[f32; 4]> {
    let screen = || {
        let mut plan = PlanBuilder::new("boxes");
        let t = face::record(&mut plan, model, size);
        plan.output(t.screen);
        let mut bindings = Bindings::default();
        t.bind(&mut bindings, model, &Placement::of(avatar));
        let mut run = Compute::Cpu.program(plan.finish()?).executor(&bindings)?;
        let mut words = [0.0; MOTION];
        words[..POSE].copy_from_slice(motion);
        run.write(t.beta, beta)?;
        run.write(t.motion, &words)?;
        run.run()?;
        Ok::<_, ComputeError>(run.read(t.screen)?.to_vec())
    };
    screen().expect("the CPU executor cannot fail")
}

/// The box around the masked vertices of all `meshes` (see [`project`]) that are drawn, `pad` pixels wider on each side; zeros where none of it is in the
/// picture.
pub fn bounds(mask: &[f32], meshes: &[&[[f32; 4]]], pad: f32, size: usize) -> Area {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for mesh in meshes {
        for (v, _) in mesh.iter().zip(mask).filter(|(v, m)| **m > 0.5 && v[3] > 0.0) {
            for axis in 0..2 {
                low[axis] = low[axis].min(v[axis] - pad);
                high[axis] = high[axis].max(v[axis] + pad);
            }
        }
    }
    let [x, y] = low.map(|v| v.max(0.0) as usize);
    let [right, bottom] = high.map(|v| v.clamp(0.0, size as f32) as usize);
    if right > x && bottom > y { [x, y, right - x, bottom - y] } else { [0; 4] }
}

/// (68) where the landmarks lie in a picture whose mesh is `screen` (see [`project`]), in pixels; none where they are not drawn.
pub fn landmarks(model: &FaceModel, screen: &[[f32; 4]]) -> Vec<Option<[f32; 2]>> {
    let one = |(triangle, weights): &(u32, [f32; 3])| {
        let corners = model.triangles[*triangle as usize];
        let mut sum = [0.0f32; 3];
        for (v, w) in corners.iter().zip(weights) {
            let [x, y, depth, inverse] = screen[*v as usize];
            if inverse <= 0.0 {
                return None;
            }
            // x · depth and y · depth are linear over a triangle, so their quotients are right in perspective.
            [x * depth, y * depth, depth].into_iter().zip(&mut sum).for_each(|(v, s)| *s += w * v);
        }
        Some([sum[0] / sum[2], sum[1] / sum[2]])
    };
    model.landmarks.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_hold_what_is_drawn_and_end_with_the_picture() {
        let mesh = [[20.0, 24.0, 1.0, 1.0], [30.0, 28.5, 1.0, 1.0], [2.0, 60.0, 1.0, 1.0], [5.0, 5.0, 1.0, 0.0]];
        assert_eq!(bounds(&[1.0, 1.0, 0.0, 1.0], &[&mesh], 2.0, 64), [18, 22, 14, 8]);
        assert_eq!(bounds(&[1.0, 1.0, 1.0, 1.0], &[&mesh], 9.0, 64), [0, 15, 39, 49]);
        assert_eq!(bounds(&[0.0; 4], &[&mesh], 9.0, 64), [0; 4]);
        assert_eq!(bounds(&[0.0, 0.0, 0.0, 1.0], &[&mesh], 9.0, 64), [0; 4]);
        assert_eq!(bounds(&[1.0], &[&[[80.0, 20.0, 1.0, 1.0]]], 3.0, 64), [0; 4]);
    }
}
