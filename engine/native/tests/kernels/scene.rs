//! A small made-up mesh with its raster, for kernels that read both.

use crate::common::noise;

/// V = `side`² vertices in a jittered grid over a picture of `size`² pixels, triangles of all regions, some pixels without any.
pub(crate) struct Scene {
    pub(crate) vertices: usize,
    pub(crate) triangles: Vec<u32>,
    pub(crate) screen: Vec<f32>,
    pub(crate) triangle_id: Vec<u32>,
    pub(crate) barycentric: Vec<f32>,
}

impl Scene {
    pub(crate) fn new(size: usize, side: usize) -> Self {
        let jitter = noise(5, side * side * 2);
        let mut screen = Vec::new();
        for i in 0..side * side {
            let place = |k: usize, at: usize| {
                (k as f32 + 0.5 + 0.3 * jitter[at]) / side as f32 * size as f32 * 0.9 + 0.03 * size as f32
            };
            let depth = 1.0 + 0.1 * jitter[i];
            screen.extend([place(i % side, 2 * i), place(i / side, 2 * i + 1), depth, 1.0 / depth]);
        }
        let mut triangles = Vec::new();
        for y in 0..side - 1 {
            for x in 0..side - 1 {
                let a = (y * side + x) as u32;
                let (b, c, d) = (a + 1, a + side as u32, a + side as u32 + 1);
                // Counter-clockwise on the screen as the viewer sees it: y points down.
                let region = ((x + 2 * y) % 7) as u32;
                triangles.extend([a, c, b, region, b, c, d, (region + 3) % 7]);
            }
        }
        let mut triangle_id = vec![u32::MAX; size * size];
        let mut barycentric = vec![0.0; 2 * size * size];
        for (id, t) in triangles.chunks_exact(4).enumerate() {
            let [a, b, c] = [t[0], t[1], t[2]].map(|v| [screen[v as usize * 4], screen[v as usize * 4 + 1]]);
            let cross =
                |p: [f32; 2], q: [f32; 2], r: [f32; 2]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
            let area = cross(a, b, c);
            for k in 0..size * size {
                let p = [(k % size) as f32 + 0.5, (k / size) as f32 + 0.5];
                let (u, v) = (cross(p, b, c) / area, cross(p, c, a) / area);
                if u >= 0.0 && v >= 0.0 && u + v <= 1.0 {
                    triangle_id[k] = id as u32;
                    barycentric[2 * k] = u;
                    barycentric[2 * k + 1] = v;
                }
            }
        }
        Self { vertices: side * side, triangles, screen, triangle_id, barycentric }
    }

    /// Numbers in 0 … 1.
    pub(crate) fn unit(seed: u64, len: usize) -> Vec<f32> {
        noise(seed, len).into_iter().map(|v| 0.5 + 0.5 * v).collect()
    }

    /// (V · 4) rows of the portrait's vertices, near the driven ones.
    pub(crate) fn fixed(&self) -> Vec<f32> {
        let (near, rest) = (noise(6, 2 * self.vertices), Self::unit(7, 16 * self.vertices));
        let mut out = rest;
        for v in 0..self.vertices {
            let row = &mut out[v * 16..][..16];
            row[0] = self.screen[v * 4] + 3.0 * near[2 * v];
            row[1] = self.screen[v * 4 + 1] + 3.0 * near[2 * v + 1];
            row[10] -= 0.4;
            row[11] = [0.4 * row[11], 1.0, 2.0][v % 3];
            row[7] += 0.2;
            row[13] += 0.2;
            row[14] += 0.2;
        }
        out
    }

    /// (V · 3) rows as `vertex_look` makes them.
    pub(crate) fn look(&self) -> Vec<f32> {
        let (near, rest) = (noise(8, 2 * self.vertices), Self::unit(9, 12 * self.vertices));
        let mut out = rest;
        for v in 0..self.vertices {
            let row = &mut out[v * 12..][..12];
            row[0] = self.screen[v * 4] + 3.0 * near[2 * v];
            row[1] = self.screen[v * 4 + 1] + 3.0 * near[2 * v + 1];
        }
        out
    }
}
