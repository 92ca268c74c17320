//! The face as the portrait shows it: rasterised once, with a measure of what is really seen where.

use std::collections::HashSet;

use vultus_shaders::shared::mesh::{
    REGION_LEFT_EYE, REGION_MOUTH_LINING, REGION_RIGHT_EYE, REGION_TEETH, REGION_TONGUE,
};

use crate::compute::{Bindings, Compute, ComputeError, PlanBuilder, PlanError, Program};
use crate::face::{self, FaceModel, FaceTensors, MOTION, Mask, NONE, Placement};

/// The portrait's own mesh and raster. V vertices, S × S pixels.
#[derive(Clone, Debug)]
pub(super) struct SourceFace {
    /// S.
    pub size: usize,
    /// (V) head space, metres.
    pub shape: Vec<[f32; 3]>,
    /// (V) camera space, metres, w = 1.
    pub positions: Vec<[f32; 4]>,
    /// (V) x, y px, depth, 1/depth.
    pub screen: Vec<[f32; 4]>,
    /// (V) camera space, unit.
    pub normals: Vec<[f32; 4]>,
    /// (S·S) triangle or [`NONE`].
    pub triangle_id: Vec<u32>,
    /// (S·S) weights of the first two vertices.
    pub barycentric: Vec<[f32; 2]>,
    /// (S·S) metres.
    pub depth: Vec<f32>,
    /// Lengths in pixels are meant for a face whose eyes are 78 px apart; this scales them to the portrait.
    pub scale: f32,
    /// (S·S) pixels to the nearest place where the surface jumps: lip seam, lid edge, an occlusion.
    pub clear: Vec<f32>,
    /// (V) 1 where the portrait surely shows the vertex, 0 where it does not.
    pub seen: Vec<f32>,
    /// (V) region of a triangle at the vertex.
    pub region: Vec<u32>,
}

/// Looks at portraits of one size: the face's raster, recorded once, and what the mesh says of it.
#[derive(Debug)]
pub(super) struct Looker {
    size: usize,
    program: Program,
    face: FaceTensors,
    /// (V) vertices that share a triangle with each.
    near: Vec<HashSet<u32>>,
    /// (V) region of a triangle at the vertex.
    region: Vec<u32>,
}

impl Looker {
    /// On the CPU executor.
    pub(super) fn new(model: &FaceModel, size: usize) -> Result<Self, PlanError> {
        let mut plan = PlanBuilder::new("portrait's face");
        let face = face::record(&mut plan, model, size);
        for tensor in [face.positions, face.screen, face.normals, face.triangle_id, face.barycentric, face.depth] {
            plan.output(tensor);
        }
        let mut near: Vec<HashSet<u32>> = vec![HashSet::new(); model.vertices()];
        let mut region = vec![0; model.vertices()];
        for t in &model.triangles {
            for v in &t[..3] {
                near[*v as usize].extend(&t[..3]);
                if t[3] != REGION_MOUTH_LINING {
                    region[*v as usize] = t[3];
                }
            }
        }
        Ok(Self { size, program: Compute::Cpu.program(plan.finish()?), face, near, region })
    }

    /// The face of a portrait.
    pub(super) fn look(&self, model: &FaceModel, placement: &Placement) -> Result<SourceFace, ComputeError> {
        let Self { size, program, face: t, near, region } = self;
        let mut bindings = Bindings::default();
        t.bind(&mut bindings, model, placement);
        let mut run = program.executor(&bindings)?;
        run.write(t.beta, &placement.beta)?;
        run.write(t.motion, &[0.0f32; MOTION])?;
        run.run()?;
        let mut face = SourceFace {
            size: *size,
            shape: model.shape(&placement.alpha, &placement.beta),
            positions: run.read(t.positions)?.to_vec(),
            screen: run.read(t.screen)?.to_vec(),
            normals: run.read(t.normals)?.to_vec(),
            triangle_id: run.read(t.triangle_id)?.to_vec(),
            barycentric: run.read(t.barycentric)?.to_vec(),
            depth: run.read(t.depth)?.to_vec(),
            scale: 1.0,
            clear: Vec::new(),
            seen: Vec::new(),
            region: region.clone(),
        };
        let eye = |side: u32| {
            let of: Vec<_> = (0..model.vertices()).filter(|v| face.region[*v] == side).collect();
            let n = of.len().max(1) as f32;
            [0, 1].map(|c| of.iter().map(|v| face.screen[*v][c]).sum::<f32>() / n)
        };
        let (l, r) = (eye(REGION_LEFT_EYE), eye(REGION_RIGHT_EYE));
        face.scale = ((l[0] - r[0]).hypot(l[1] - r[1]) / 78.0).max(0.05);
        face.clear = face.clearance(model, near);
        face.seen = face.visibility(model);
        Ok(face)
    }
}

impl SourceFace {
    /// Vertices and weights of the triangle at a pixel.
    pub(super) fn at(&self, model: &FaceModel, pixel: usize) -> Option<([usize; 3], [f32; 3], u32)> {
        let id = self.triangle_id[pixel];
        (id != NONE).then(|| {
            let t = model.triangles[id as usize];
            let [a, b] = self.barycentric[pixel];
            ([t[0], t[1], t[2]].map(|v| v as usize), [a, b, 1.0 - a - b], t[3])
        })
    }

    /// The pixel at a position, if it is in the picture.
    pub(super) fn pixel(&self, at: [f32; 2]) -> Option<usize> {
        let inside = |v: f32| (0.0..self.size as f32).contains(&v).then_some(v as usize);
        Some(inside(at[1])? * self.size + inside(at[0])?)
    }

    /// Distance to the nearest jump: neighbouring pixels of different parts, or whose triangles are not near each other on the mesh.
    fn clearance(&self, model: &FaceModel, near: &[HashSet<u32>]) -> Vec<f32> {
        let reach = |a: &[u32; 4], b: &[u32; 4]| {
            // Within two edges: some neighbour of one corner is a neighbour of a corner of the other.
            a[..3].iter().any(|v| {
                b[..3].iter().any(|w| {
                    let (v, w) = (&near[*v as usize], &near[*w as usize]);
                    v.iter().any(|x| w.contains(x))
                })
            })
        };
        let s = self.size;
        let mut distance = vec![1e4f32; s * s];
        for y in 0..s {
            for x in 0..s {
                let k = y * s + x;
                for n in [(x + 1 < s).then_some(k + 1), (y + 1 < s).then_some(k + s)].into_iter().flatten() {
                    let (a, b) = (self.triangle_id[k], self.triangle_id[n]);
                    if a == b || a == NONE || b == NONE {
                        continue;
                    }
                    let (a, b) = (&model.triangles[a as usize], &model.triangles[b as usize]);
                    if a[3] != b[3] || !reach(a, b) {
                        distance[k] = 0.5;
                        distance[n] = 0.5;
                    }
                }
            }
        }
        // Two sweeps of a chamfer distance are within a tenth of the true one.
        let relax = |d: &mut [f32], k: usize, steps: &[(isize, isize, f32)]| {
            let (x, y) = ((k % s) as isize, (k / s) as isize);
            for (dx, dy, l) in steps {
                let (nx, ny) = (x + dx, y + dy);
                if (0..s as isize).contains(&nx) && (0..s as isize).contains(&ny) {
                    d[k] = d[k].min(d[(ny as usize) * s + nx as usize] + l);
                }
            }
        };
        const DIAGONAL: f32 = std::f32::consts::SQRT_2;
        for k in 0..s * s {
            relax(&mut distance, k, &[(-1, 0, 1.0), (0, -1, 1.0), (-1, -1, DIAGONAL), (1, -1, DIAGONAL)]);
        }
        for k in (0..s * s).rev() {
            relax(&mut distance, k, &[(1, 0, 1.0), (0, 1, 1.0), (1, 1, DIAGONAL), (-1, 1, DIAGONAL)]);
        }
        distance
    }

    fn visibility(&self, model: &FaceModel) -> Vec<f32> {
        let lips = model.mask(Mask::Lips);
        // Where the mouth is open, a fit that is a little off has teeth on the lips.
        let teeth = |k: &usize| self.at(model, *k).is_some_and(|t| matches!(t.2, REGION_TEETH | REGION_TONGUE));
        let shown = (0..self.triangle_id.len()).filter(teeth).count() as f32 / (self.scale * self.scale);
        let open = smoothstep(20.0, 80.0, shown);
        let step = |a: f32, b: f32, x: f32| smoothstep(a, b, x);
        (0..self.screen.len())
            .map(|v| {
                let [x, y, z, _] = self.screen[v];
                let Some(k) = self.pixel([x, y]) else { return 0.0 };
                let front = step(0.006, 0.003, z - self.depth[k]);
                let facing = step(0.08, 0.3, self.normals[v][2]);
                let eye = matches!(self.region[v], REGION_LEFT_EYE | REGION_RIGHT_EYE);
                let clear = self.clear[k] / self.scale;
                let far = 2.4 + 1.8 * open * lips[v];
                let sure = if eye { step(0.6, 1.6, clear) } else { step(0.25 * far, far, clear) };
                front * facing * sure
            })
            .collect()
    }
}

/// Hermite step from 0 at `a` to 1 at `b`.
pub(super) fn smoothstep(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
