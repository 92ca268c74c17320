//! Twin of `lid_paint.wgsl`.

use rayon::prelude::*;

use super::field::{Grid, mix};
use super::math::smoothstep;
use crate::kernels::LidPaintParams;
use crate::shared::mesh::{NO_TRIANGLE, REGION_LEFT_EYE, REGION_RIGHT_EYE, REGION_SKIN};

/// The colour of lids that close; see the WGSL file.
pub fn lid_paint(
    p: &LidPaintParams,
    triangle_id: &[u32],
    barycentric: &[[f32; 2]],
    triangles: &[[u32; 4]],
    look: &[[f32; 4]],
    places: &[[f32; 4]],
    lids: &[[f32; 4]],
    beta: &[f32],
    paint: &mut [[f32; 4]],
) {
    let (size, side) = (p.size as usize, p.side as usize);
    let shut = [0, 1].map(|i| beta[p.blink[i] as usize] - p.rest[i]);
    if shut.iter().all(|s| *s <= 0.0) {
        return;
    }
    let picture = Grid { cells: side, step: 1.0 };
    paint.par_chunks_mut(size).take(size).enumerate().with_min_len(16).for_each(|(y, out)| {
        let ids = &triangle_id[y * size..][..size];
        for x in 0..size {
            if ids[x] == NO_TRIANGLE {
                continue;
            }
            let t = triangles[ids[x] as usize];
            if !matches!(t[3], REGION_SKIN | REGION_LEFT_EYE | REGION_RIGHT_EYE) {
                continue;
            }
            let v = [t[0], t[1], t[2]].map(|v| v as usize);
            let corner = v.map(|v| places[v]);
            if corner.iter().all(|c| c[2] == 0.0) {
                continue;
            }
            let [b0, b1] = barycentric[y * size + x];
            let b2 = 1.0 - b0 - b1;
            let blend = |of: [[f32; 4]; 3], i: usize| of[0][i] * b0 + of[1][i] * b1 + of[2][i] * b2;
            let zone = blend(corner, 2);
            if zone == 0.0 {
                continue;
            }
            let eye = usize::from(corner[0][3] > 0.5);
            let shut = shut[eye];
            if shut <= 0.0 {
                continue;
            }
            let begin = if zone < 0.0 { [0.7, 0.97, 0.7, 0.97] } else { [0.05, 0.5, 0.02, 0.12] };
            let near = smoothstep(0.0, 0.5, zone.abs());
            let at = [blend(corner, 0), blend(corner, 1)];
            let lid: [f32; 4] = picture.sample(at, |i| lids[eye * side * side + i]);
            let own = smoothstep(0.1, 0.95, blend(v.map(|v| look[v * 3]), 2));
            let light = blend(v.map(|v| look[v * 3 + 2]), 2);
            let under = out[x];
            let colour = near * smoothstep(begin[2], begin[3], shut);
            let share = lid[3] * near * own * smoothstep(begin[0], begin[1], shut);
            out[x] = [
                mix(under[0], lid[0] * light, colour),
                mix(under[1], lid[1] * light, colour),
                mix(under[2], lid[2] * light, colour),
                if share >= under[3] { -share } else { under[3] },
            ];
        }
    });
}
