//! Cases of `rgba_to_i420`.

use vultus::compute::Grid;
use vultus_shaders::kernels::RgbaToI420Params;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [16usize, 72]
        .into_iter()
        .map(|size| {
            let words = noise(1, size * size).into_iter().map(|v| v.to_bits().wrapping_mul(0x9E37_79B9)).collect();
            let bindings = vec![Data::U32(words), Data::Bytes(vec![9; size * size * 3 / 8])];
            let params = RgbaToI420Params { size: size as u32 };
            Case::new(params, bindings, Grid::image(size / 8, size / 2), Tolerance::EXACT)
        })
        .collect()
}
