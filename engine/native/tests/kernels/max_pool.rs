//! Cases of `max_pool`.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::MaxPoolParams;

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(planes: usize, [in_w, in_h]: [usize; 2], x: Vec<f32>) -> Case {
    let params = MaxPoolParams { planes: planes as u32, in_w: in_w as u32, in_h: in_h as u32 };
    let (out_w, out_h) = (in_w / 2, in_h / 2);
    let bindings = vec![Data::F32(x), Data::F32(vec![9.0; planes * out_w * out_h])];
    Case::new(params, bindings, Grid::Threads([out_w as u32, out_h as u32, planes as u32]), Tolerance::EXACT)
}

pub(crate) fn cases() -> Vec<Case> {
    [(1, [2, 2]), (5, [7, 9]), (130, [6, 4]), (3, [66, 35])]
        .into_iter()
        .map(|(planes, size)| case(planes, size, noise(1, planes * size[0] * size[1])))
        .collect()
}

#[test]
fn each_corner_can_be_the_largest() {
    let x = vec![4.0, 1.0, -1.0, 8.0, 0.0, 2.0, 3.0, -2.0, -3.0, -4.0, -9.0, -8.0, -5.0, -2.0, -7.0, -6.0];
    let got = case(1, [4, 4], x).run(&Compute::Cpu);
    compare(&[4.0, 8.0, -2.0, -6.0], bytemuck::cast_slice(&got[0]), Tolerance::EXACT).unwrap();
}
