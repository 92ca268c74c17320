//! Twin of `outer_flow.wgsl`.

use rayon::prelude::*;

use super::math::smoothstep;
use crate::kernels::OuterFlowParams;
use crate::shared::mesh::{NO_TRIANGLE, REGION_SKIN};

/// The flow for everything that is not face; see the WGSL file.
pub fn outer_flow(
    p: &OuterFlowParams,
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    triangles: &[[u32; 4]],
    look: &[[f32; 4]],
    plate: &[[f32; 2]],
    motion: &[f32],
    rigid: &mut [[f32; 2]],
    residual: &mut [[f32; 4]],
) {
    let (cells, step, size) = (p.cells as usize, p.step as usize, p.size as usize);
    let rows = rigid.par_chunks_mut(cells).zip(residual.par_chunks_mut(cells)).enumerate().take(cells);
    rows.for_each(|(cy, (rigid, residual))| {
        for cx in 0..cells {
            let cell = [(cx as f32 + 0.5) * step as f32, (cy as f32 + 0.5) * step as f32];
            let mut at = cell;
            for _ in 0..3 {
                let gone = forward(p, plate, motion, at);
                at = [at[0] + (cell[0] - gone[0]), at[1] + (cell[1] - gone[1])];
            }
            let moved = [at[0] - cell[0], at[1] - cell[1]];
            let mut sum = [0.0f32; 3];
            let mut still = 0.0;
            for (ox, oy) in [(0, 1), (2, 0), (3, 2), (1, 3)] {
                let x = (cx * step + ox * step / 4).min(size - 1);
                let y = (cy * step + oy * step / 4).min(size - 1);
                let k = y * size + x;
                if triangle_id[k] == NO_TRIANGLE {
                    continue;
                }
                let t = triangles[triangle_id[k] as usize];
                if t[3] != REGION_SKIN {
                    continue;
                }
                let [b0, b1] = barycentric[k];
                let [a, b, c] = [t[0], t[1], t[2]].map(|v| v as usize * 3);
                let b2 = 1.0 - b0 - b1;
                let l = [0, 1].map(|i| look[a][i] * b0 + look[b][i] * b1 + look[c][i] * b2);
                let steer = look[a + 2][3] * b0 + look[b + 2][3] * b1 + look[c + 2][3] * b2;
                let weight = 0.25 * smoothstep(0.6, 0.95, steer);
                still += 0.25 * (-steer).clamp(0.0, 1.0);
                sum[0] += (l[0] - x as f32 - 0.5) * weight;
                sum[1] += (l[1] - y as f32 - 0.5) * weight;
                sum[2] += weight;
            }
            let all = sum[2] + p.anchor + still;
            rigid[cx] = moved;
            residual[cx] = [(sum[0] - moved[0] * sum[2]) / all, (sum[1] - moved[1] * sum[2]) / all, all.min(1.0), 0.0];
        }
    });
}

/// Sine and cosine of a small angle.
fn turn(a: f32) -> [f32; 2] {
    let q = a * a;
    [
        a * (1.0 - q * (1.0 / 6.0 - q * (1.0 / 120.0 - q / 5040.0))),
        1.0 - q * (0.5 - q * (1.0 / 24.0 - q * (1.0 / 720.0 - q / 40320.0))),
    ]
}

fn plate_at(p: &OuterFlowParams, plate: &[[f32; 2]], at: [f32; 2]) -> [f32; 2] {
    let cells = p.cells as usize;
    let q = at.map(|v| (v / p.step as f32 - 0.5).clamp(0.0, cells as f32 - 1.0));
    let i = q.map(|v| (v as usize).min(cells - 2));
    let t = [q[0] - i[0] as f32, q[1] - i[1] as f32];
    let k = i[1] * cells + i[0];
    let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
    [0, 1].map(|c| {
        mix(mix(plate[k][c], plate[k + 1][c], t[0]), mix(plate[k + cells][c], plate[k + cells + 1][c], t[0]), t[1])
    })
}

fn dot(a: [f32; 4], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Where the point of the portrait at `at` goes.
fn forward(p: &OuterFlowParams, plate: &[[f32; 2]], motion: &[f32], at: [f32; 2]) -> [f32; 2] {
    let [z, w] = plate_at(p, plate, at);
    let (r0, r1, r2) = (p.row0, p.row1, p.row2);
    let c = [(at[0] - p.centre[0]) / p.focal * z, (p.centre[1] - at[1]) / p.focal * z, -z];
    let d = [c[0] - r0[3], c[1] - r1[3], c[2] - r2[3]];
    let h = [0, 1, 2].map(|i| r0[i] * d[0] + r1[i] * d[1] + r2[i] * d[2] - p.pivot[i]);
    let (a, b, g) = (turn(w * motion[0]), turn(w * motion[1]), turn(w * motion[2]));
    let r = [g[1] * h[0] - g[0] * h[1], g[0] * h[0] + g[1] * h[1], h[2]];
    let x = [r[0], a[1] * r[1] - a[0] * r[2], a[0] * r[1] + a[1] * r[2]];
    let y = [b[1] * x[0] + b[0] * x[2], x[1], b[1] * x[2] - b[0] * x[0]];
    let n = [0, 1, 2].map(|i| y[i] + p.pivot[i] + w * motion[3 + i]);
    let o = [dot(r0, n) + r0[3], dot(r1, n) + r1[3], dot(r2, n) + r2[3]];
    let k = p.focal / (-o[2]).max(0.05);
    [p.centre[0] + o[0] * k, p.centre[1] - o[1] * k]
}
