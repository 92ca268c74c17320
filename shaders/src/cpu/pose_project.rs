//! Twin of `pose_project.wgsl`.

use rayon::prelude::*;

use crate::kernels::PoseProjectParams;

/// Sine and cosine by their series; the angle is held to ±π/2.
#[inline(always)]
fn sin_cos(angle: f32) -> [f32; 2] {
    let a = angle.clamp(-core::f32::consts::FRAC_PI_2, core::f32::consts::FRAC_PI_2);
    let q = a * a;
    let s = 1.0
        + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362_880.0 - q * (1.0 / 39_916_800.0)))));
    let c = -0.5
        + q * (1.0 / 24.0
            + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 + q * (-1.0 / 3_628_800.0 + q * (1.0 / 479_001_600.0)))));
    [a * s, 1.0 + q * c]
}

/// Vertices at a time: enough for the vectoriser, and a fair share of work.
const RUN: usize = 256;

/// Head motion, placement and camera; shapes as in the WGSL file.
pub fn pose_project(
    p: &PoseProjectParams,
    model: &[f32],
    head_weight: &[f32],
    motion: &[f32],
    positions: &mut [[f32; 4]],
    screen: &mut [[f32; 4]],
) {
    let (vertices, stride) = (p.vertices as usize, p.stride as usize);
    let (mx, my, mz) =
        (&model[..vertices], &model[stride..stride + vertices], &model[2 * stride..2 * stride + vertices]);
    let [pivot_x, pivot_y, pivot_z] = p.pivot;
    let runs = positions[..vertices].par_chunks_mut(RUN).zip(screen[..vertices].par_chunks_mut(RUN)).with_min_len(4);
    runs.enumerate().for_each(|(run, (positions, screen))| {
        for (k, (position, screen)) in positions.iter_mut().zip(screen).enumerate() {
            let i = run * RUN + k;
            let w = head_weight[i];
            let (pitch, yaw, roll) = (sin_cos(w * motion[0]), sin_cos(w * motion[1]), sin_cos(w * motion[2]));
            let v = [mx[i] - pivot_x, my[i] - pivot_y, mz[i] - pivot_z];
            let a = [roll[1] * v[0] - roll[0] * v[1], roll[0] * v[0] + roll[1] * v[1], v[2]];
            let b = [a[0], pitch[1] * a[1] - pitch[0] * a[2], pitch[0] * a[1] + pitch[1] * a[2]];
            let c = [yaw[1] * b[0] + yaw[0] * b[2], b[1], yaw[1] * b[2] - yaw[0] * b[0]];
            let x = c[0] + pivot_x + w * motion[3];
            let y = c[1] + pivot_y + w * motion[4];
            let z = c[2] + pivot_z + w * motion[5];
            let camera = |row: &[f32; 4]| row[0] * x + row[1] * y + row[2] * z + row[3];
            let (cx, cy, cz) = (camera(&p.to_camera_x), camera(&p.to_camera_y), camera(&p.to_camera_z));
            *position = [cx, cy, cz, 1.0];
            let depth = -cz;
            let inverse = 1.0 / depth;
            let u = (p.center[0] + p.focal * cx * inverse) * p.size;
            let s = (p.center[1] - p.focal * cy * inverse) * p.size;
            // Every comparison is false for a NaN.
            let drawn = depth > p.near && depth < 1e4 && u.abs() < 1e5 && s.abs() < 1e5;
            *screen = if drawn { [u, s, depth, inverse] } else { [0.0; 4] };
        }
    });
}
