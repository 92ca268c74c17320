//! Cases of `blendshape_sum`.

use vultus::compute::Grid;
use vultus_shaders::kernels::BlendshapeSumParams;

use crate::common::{Tolerance, noise};
use crate::{Case, Data};

pub(crate) fn cases() -> Vec<Case> {
    [(3, 64), (84, 345), (1, 1)]
        .into_iter()
        .map(|(blocks, components)| {
            // Some blocks own no entry, others all.
            let mut first = vec![0u32];
            let mut component = Vec::new();
            for block in 0..blocks {
                component
                    .extend((0..components as u32).filter(|k| block % 3 != 1 && !(k + block as u32).is_multiple_of(4)));
                first.push(component.len() as u32);
            }
            component.push(0);
            let mut coefficients = noise(2, components);
            coefficients.iter_mut().step_by(3).for_each(|c| *c = 0.0);
            let bindings = vec![
                Data::F32(noise(3, blocks * 64)),
                Data::F32(noise(1, component.len() * 64)),
                Data::U32(first),
                Data::U32(component),
                Data::F32(coefficients),
                Data::F32(vec![9.0; blocks * 64]),
            ];
            let params = BlendshapeSumParams { blocks: blocks as u32 };
            Case::new(params, bindings, Grid::linear(blocks * 64), Tolerance::sum(components, 1.0))
        })
        .collect()
}
