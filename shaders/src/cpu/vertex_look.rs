//! Twin of `vertex_look.wgsl`.

use rayon::prelude::*;

use super::field::mix;
use super::math::smoothstep;
use crate::kernels::VertexLookParams;
use crate::shared::harmonics::{Y_0, Y_1, Y_2, Y_20, Y_22};

/// What each vertex shows in this frame; see the WGSL file.
pub fn vertex_look(
    p: &VertexLookParams,
    first: &[u32],
    around: &[u32],
    stretch: &[[f32; 4]],
    normals: &[[f32; 4]],
    fixed: &[[f32; 4]],
    light: &[f32],
    beta: &[f32],
    look: &mut [[f32; 4]],
) {
    let shut = [0, 1].map(|i| beta[p.blink[i] as usize] - p.rest[i]);
    let (mut gap, mut all) = (0.0f32, 0.0f32);
    for i in 0..64 {
        gap += light[10 + i] * beta[i];
        all += (light[10 + i] * (beta[i] - light[74 + i])).abs();
    }
    let moved = (gap.max(0.0) - p.parted).abs() + all * smoothstep(0.03, 0.1, p.parted);
    let parted = smoothstep(0.015, 0.09, moved);
    look[..p.vertices as usize * 3].par_chunks_mut(3 * 512).enumerate().for_each(|(chunk, rows)| {
        for (i, out) in rows.chunks_exact_mut(3).enumerate() {
            let v = chunk * 512 + i;
            let mut sum = [0.0f32; 3];
            for t in &around[first[v] as usize..first[v + 1] as usize] {
                let s = stretch[*t as usize];
                sum = [sum[0] + s[0], sum[1] + s[1], sum[2] + s[2]];
            }
            let low = (sum[0] + 0.001) / (sum[2] + 0.001);
            let off = sum[1] / (sum[2] + 0.001);
            let [at, paint, zone, lit] = [0, 1, 2, 3].map(|k| fixed[v * 4 + k]);
            let n = normals[v];
            if zone[3] > 0.5 {
                let mouth = if zone[3] > 1.5 { 1.0 } else { 0.0 };
                let shut = mouth * (1.0 - smoothstep(0.1, 0.42, beta[p.jaw as usize]));
                let wide = mouth * smoothstep(0.2, 0.5, beta[p.jaw as usize]);
                let soft = (1.0 - 0.3 * mouth * (1.0 - n[2].clamp(0.0, 1.0)))
                    * (1.0 - zone[0] * shut)
                    * (1.0 + zone[1] * wide);
                out[0] = [at[0], at[1], 1.0, at[2]];
                out[1] = [
                    paint[0] * soft + lit[0] * shut,
                    paint[1] * soft + lit[1] * shut,
                    paint[2] * soft + lit[2] * shut,
                    1.0,
                ];
                out[2] = [lit[2], lit[3], 1.0, 0.0];
                continue;
            }
            let outline = zone[0].min(1.0);
            let neck = (zone[0] - 1.0).clamp(0.0, 1.0);
            let facing = mix(n[2].min(lit[0]), n[2], neck);
            let mine = at[3].max(0.0);
            let own = mine * (1.0 - outline * (1.0 - smoothstep(0.08, 0.42, facing)));
            let steer = mine * (1.0 - outline * (1.0 - smoothstep(0.0, 0.15, facing))) + at[3].min(0.0);
            let now = shade(light, n);
            let graze = smoothstep(0.15, 0.5, n[2]) * smoothstep(0.15, 0.5, lit[0]);
            let ratio = (now / lit[1]).clamp(0.5, 1.8);
            let need = smoothstep(0.35, 1.0, off);
            let sharp = smoothstep(0.45, 0.85, low);
            let lid = 1.0 - 0.88 * zone[1] * (1.0 - sharp);
            let apart = (zone[2] - 1.0).max(0.0) * parted;
            let lip = 1.0 - (zone[2].clamp(0.0, 1.0) * need * (1.0 - at[2] * sharp)).max(apart * (1.0 - at[2]));
            let fold = (-zone[2]).max(0.0) * smoothstep(0.04, 0.2, off);
            let gain = 1.0 + (ratio.powf(p.gain_power) - 1.0) * graze * (1.0 - fold);
            let shut = shut[usize::from(lit[3] < 0.0)];
            let rim = 1.0 - lit[3].abs() * smoothstep(0.25, 0.7, shut);
            let hidden = 1.0 - mix(need, smoothstep(0.05, 0.25, off), neck) * (1.0 - at[2]);
            let bend = (now / lit[2]).clamp(0.82, 1.25).powf(0.7);
            out[0] = [at[0], at[1], own, lid.min(lip).min(rim.min(hidden))];
            out[1] = [paint[0] * bend, paint[1] * bend, paint[2] * bend, gain];
            let under = 2.5 * zone[3] * smoothstep(0.03, 0.1, n[2] - lit[0]) * smoothstep(-0.1, 0.05, n[2]);
            out[2] = [under, 0.0, (now / paint[3]).clamp(0.7, 1.4).powf(0.7), steer];
        }
    });
}

/// Order-2 spherical harmonics in camera space over a soft floor; `light` holds nine coefficients and the floor.
pub fn shade(light: &[f32], n: [f32; 4]) -> f32 {
    let [x, y, z, _] = n;
    let s = Y_0 * light[0]
        + Y_1 * (light[1] * y + light[2] * z + light[3] * x)
        + Y_2 * (light[4] * x * y + light[5] * y * z + light[7] * x * z)
        + Y_20 * light[6] * (3.0 * z * z - 1.0)
        + Y_22 * light[8] * (x * x - y * y);
    let d = s - light[9];
    light[9] + 0.5 * (d + (d * d + 0.04 * light[9] * light[9]).sqrt())
}
