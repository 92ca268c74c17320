//! Where the surface under each pixel lay a moment before.

use vultus::face::NONE;
use vultus::generator::hef::Observation;

/// What is kept of a frame of S × S pixels.
#[derive(Clone, Debug)]
pub struct Moment {
    /// (S²) where in the portrait each pixel looks, px.
    pub portrait: Vec<[f32; 2]>,
    /// (S²), (S²), (V, 4): see [`Observation`].
    pub triangle_id: Vec<u32>,
    /// See [`Observation`].
    pub barycentric: Vec<[f32; 2]>,
    /// See [`Observation`].
    pub screen: Vec<[f32; 4]>,
}

impl Moment {
    /// Of a frame.
    pub fn of(seen: &Observation<'_>) -> Self {
        Self {
            portrait: seen.warp.iter().map(|w| [w[0], w[1]]).collect(),
            triangle_id: seen.triangle_id.to_vec(),
            barycentric: seen.barycentric.to_vec(),
            screen: seen.screen.to_vec(),
        }
    }

    /// Bilinear; the edge repeats.
    fn portrait_at(&self, at: [f32; 2], size: usize) -> [f32; 2] {
        let q = at.map(|v| (v - 0.5).clamp(0.0, size as f32 - 1.0));
        let i = q.map(|v| (v as usize).min(size - 2));
        let t = [q[0] - i[0] as f32, q[1] - i[1] as f32];
        let k = i[1] * size + i[0];
        std::array::from_fn(|c| {
            let row = |k: usize| self.portrait[k][c] * (1.0 - t[0]) + self.portrait[k + 1][c] * t[0];
            row(k) * (1.0 - t[1]) + row(k + size) * t[1]
        })
    }
}

/// (S²) there − here in pixels: where in `then` the surface lay that each pixel of `now` shows. On the mesh it is the same point of the same triangle,
/// beside it the place that looks at the same point of the portrait (by fixed point: the two moments are close), and where `matte` (S², of `now`) has
/// no person nothing moves.
pub fn motion(then: &Moment, now: &Moment, matte: &[u8], triangles: &[[u32; 4]], size: usize) -> Vec<[f32; 2]> {
    let on_mesh = |k: usize| -> Option<[f32; 2]> {
        let id = now.triangle_id[k];
        if id == NONE {
            return None;
        }
        let t = triangles[id as usize];
        let [a, b] = now.barycentric[k];
        let mut sum = [0.0f32; 3];
        for (v, w) in t.iter().zip([a, b, 1.0 - a - b]) {
            let [x, y, depth, inverse] = then.screen[*v as usize];
            if inverse == 0.0 {
                return None;
            }
            // x · depth and y · depth are linear over a triangle, so their quotients are right in perspective.
            [x * depth, y * depth, depth].into_iter().zip(&mut sum).for_each(|(v, s)| *s += w * v);
        }
        Some([sum[0] / sum[2], sum[1] / sum[2]])
    };
    (0..size * size)
        .map(|k| {
            if matte[k] < 128 {
                return [0.0; 2];
            }
            let here = [(k % size) as f32 + 0.5, (k / size) as f32 + 0.5];
            let there = on_mesh(k).unwrap_or_else(|| {
                let looks = now.portrait[k];
                let mut at = here;
                for _ in 0..4 {
                    let from = then.portrait_at(at, size);
                    at = [at[0] + looks[0] - from[0], at[1] + looks[1] - from[1]];
                }
                at
            });
            [there[0] - here[0], there[1] - here[1]]
        })
        .collect()
}
