//! Cases of `pose_project`.

use vultus::compute::Grid;
use vultus_shaders::kernels::PoseProjectParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    // With z around −0.4 m about a third of the vertices stand behind the camera.
    [(345, 384, -1.5), (1757, 1792, -0.4), (1, 64, -2.0)]
        .into_iter()
        .map(|(vertices, stride, z)| {
            let (s, c) = 0.3f32.sin_cos();
            let params = PoseProjectParams {
                vertices: vertices as u32,
                stride: stride as u32,
                size: 1.0,
                focal: 2.5,
                center: [0.5, 0.45],
                near: 0.05,
                pivot: [0.01, -0.05, -0.08],
                to_camera_x: [c, 0.0, s, 0.02],
                to_camera_y: [0.0, 1.0, 0.0, -0.01],
                to_camera_z: [-s, 0.0, c, z],
                ..Default::default()
            };
            let bindings = vec![
                Data::F32(noise(1, 3 * stride)),
                Data::F32(noise(2, vertices).iter().map(|w| (w * 2.0).clamp(0.0, 1.0)).collect()),
                Data::F32(vec![0.4, -0.7, 2.9, 0.02, -0.03, 0.05, 0.0, 0.0]),
                Data::F32(vec![9.0; 4 * vertices]),
                Data::F32(vec![9.0; 4 * vertices]),
            ];
            // 1/depth reaches 20 and turns the rounding of some forty operations on metres into pixels.
            Case::new(params, bindings, Grid::linear(vertices), Tolerance::chain(40, 20.0 * 2.5))
        })
        .collect()
}
