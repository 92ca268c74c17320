//! Cases of `linear`; the first also holds the twin against a naive product, so that twin and WGSL cannot be wrong together.

use vultus::compute::{Compute, Grid};
use vultus_shaders::kernels::LinearParams;

use crate::common::{Tolerance, compare, noise};
use crate::{Case, Data};

fn case(rows: usize, cols: usize, inner: usize, activation: u32, accumulate: u32, map: [u32; 6]) -> Case {
    let last = |group: u32, stride: u32, first: u32| {
        ((rows as u32 - 1) / group * stride + first + (rows as u32 - 1) % group + 1) as usize
    };
    let params = LinearParams {
        rows: rows as u32,
        cols: cols as u32,
        inner: inner as u32,
        activation,
        accumulate,
        x_group: map[0],
        x_stride: map[1],
        x_first: map[2],
        y_group: map[3],
        y_stride: map[4],
        y_first: map[5],
    };
    let x = noise(1, last(map[0], map[1], map[2]).max(rows) * inner);
    let y = noise(4, last(map[3], map[4], map[5]).max(rows) * cols);
    let bindings = vec![Data::F32(x), Data::F32(noise(2, cols * inner)), Data::F32(noise(3, cols)), Data::F32(y)];
    let grid = Grid::image(cols.div_ceil(4), rows.div_ceil(4));
    Case::new(params, bindings, grid, Tolerance::sum(inner, 1.0))
}

const PLAIN: [u32; 6] = [1 << 20, 1 << 20, 0, 1 << 20, 1 << 20, 0];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(1, 1, 4, 0, 0, PLAIN),
        case(33, 768, 256, 0, 0, PLAIN),
        case(345, 17, 1756, 1, 0, PLAIN),
        case(33, 61, 64, 0, 1, PLAIN),
        case(64, 32, 12, 1, 1, [32, 33, 1, 1 << 20, 1 << 20, 0]),
        case(66, 9, 8, 0, 0, [1 << 20, 1 << 20, 0, 11, 13, 2]),
        case(3, 64, 256, 0, 0, [1, 33, 30, 1 << 20, 1 << 20, 0]),
    ]
}

#[test]
fn the_twin_equals_a_naive_product() {
    let (rows, cols, inner) = (7, 5, 12);
    let case = case(rows, cols, inner, 0, 1, [7, 9, 2, 1 << 20, 1 << 20, 0]);
    let floats = |i: usize| match &case.bindings[i] {
        Data::F32(v) => v.clone(),
        Data::U32(_) | Data::Bytes(_) => unreachable!("all bindings are floats"),
    };
    let (x, w, b, mut y) = (floats(0), floats(1), floats(2), floats(3));
    for r in 0..rows {
        for c in 0..cols {
            y[r * cols + c] += b[c] + (0..inner).map(|k| x[(r + 2) * inner + k] * w[c * inner + k]).sum::<f32>();
        }
    }
    let got = case.run(&Compute::Cpu);
    compare(&y, bytemuck::cast_slice(&got[0]), Tolerance::sum(inner, 1.0)).unwrap();
}
