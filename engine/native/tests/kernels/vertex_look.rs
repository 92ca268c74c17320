//! Cases of `vertex_look`.

use vultus::compute::Grid;
use vultus_shaders::kernels::VertexLookParams;

use crate::common::{Tolerance, noise};
use crate::scene::Scene;
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [3, 17]
        .into_iter()
        .map(|side| {
            let scene = Scene::new(64, side);
            let (v, f) = (scene.vertices, scene.triangles.len() / 4);
            let mut around: Vec<Vec<u32>> = vec![Vec::new(); v];
            for (i, t) in scene.triangles.chunks_exact(4).enumerate() {
                t[..3].iter().for_each(|k| around[*k as usize].push(i as u32));
            }
            let mut first = vec![0u32];
            around.iter().for_each(|list| first.push(first[first.len() - 1] + list.len() as u32));
            let normals: Vec<f32> = noise(3, 3 * v)
                .chunks_exact(3)
                .flat_map(|n| {
                    let l = (n[0] * n[0] + n[1] * n[1] + 1.0).sqrt();
                    [n[0] / l, n[1] / l, 1.0 / l, 0.0]
                })
                .collect();
            let mut light: Vec<f32> = noise(4, 138).into_iter().map(|c| 0.1 * c).collect();
            light[0] = 1.5;
            light[9] = 0.1;
            let bindings = vec![
                Data::U32(first),
                Data::U32(around.concat()),
                Data::F32(Scene::unit(2, 4 * f)),
                Data::F32(normals),
                Data::F32(scene.fixed()),
                Data::F32(light),
                Data::F32(Scene::unit(12, 64)),
                Data::F32(vec![9.0; 12 * v]),
            ];
            let params = VertexLookParams {
                vertices: v as u32,
                gain_power: 0.7,
                blink: [0, 7],
                rest: [0.1, 0.0],
                jaw: 3,
                parted: 0.05,
            };
            Case::new(params, bindings, Grid::linear(v), Tolerance::chain(60, 1.0))
        })
        .collect()
}
