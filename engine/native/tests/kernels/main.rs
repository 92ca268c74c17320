//! The one test loop of the kernel table: every kernel, at every tier that this machine's adapter offers, against its CPU twin, at awkward
//! sizes and fixed seeds. Case files have the kernel's name.

#[path = "../common/mod.rs"]
mod common;

mod activation_add;
mod attention;
mod average_pool;
mod backdrop;
mod blendshape_sum;
mod channel_scale;
mod conv2d;
mod crop_by_matrix;
mod demodulate;
mod depth_to_space;
mod depthwise_conv1d;
mod depthwise_conv2d;
mod eye_paint;
mod face_scene;
mod hef_blend;
mod hef_bound;
mod hef_cut_out;
mod hef_finish;
mod hef_inputs;
mod hef_need;
mod hef_range;
mod interior_mask;
mod landmarks_to_matrix;
mod layer_norm;
mod lid_paint;
mod linear;
mod max_pool;
mod outer_flow;
mod picture_encode;
mod picture_smooth;
mod portrait_warp;
mod pose_project;
mod pull;
mod push;
mod raster_bin;
mod raster_bounds;
mod raster_tile;
mod relax;
mod rgba_to_i420;
mod scene;
mod shade_render;
mod shade_vertices;
mod surface_paint;
mod tent_blur;
mod token_sum;
mod triangle_stretch;
mod upsample;
mod vertex_look;
mod vertex_normals;
mod warp_features;

use common::{Tolerance, compare};
use vultus::compute::{Compute, Constant, Element, Grid, PlanBuilder, Tensor};
use vultus_shaders::{Binding, Kernel, KernelParams, kernels};

/// What a binding holds before the kernel runs.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    F32(Vec<f32>),
    U32(Vec<u32>),
    /// Four bytes a word, each of which may be one step off: rounding may tip either way.
    Bytes(Vec<u32>),
}

impl Data {
    fn words(&self) -> &[u32] {
        match self {
            Self::F32(v) => bytemuck::cast_slice(v),
            Self::U32(v) | Self::Bytes(v) => v,
        }
    }

    /// What a tensor of these is: rows of the binding's vectors.
    fn constant(&self, binding: &Binding) -> Constant {
        let shape = [self.words().len() / binding.lanes, binding.lanes];
        match self {
            Self::F32(v) => Constant::new(shape, v),
            Self::U32(v) | Self::Bytes(v) => Constant::new(shape, v),
        }
    }
}

type Record = Box<dyn Fn(&mut PlanBuilder, &[Tensor])>;

/// One dispatch of one kernel. Written bindings start with their data too, so that kernels which accumulate are tested on it.
pub(crate) struct Case {
    kernel: &'static Kernel,
    label: String,
    record: Record,
    bindings: Vec<Data>,
    tolerance: Tolerance,
}

impl Case {
    pub(crate) fn new<P: KernelParams + std::fmt::Debug>(
        params: P,
        bindings: Vec<Data>,
        grid: Grid,
        tolerance: Tolerance,
    ) -> Self {
        assert_eq!(bindings.len(), P::KERNEL.bindings.len(), "{}", P::KERNEL.name);
        let record = Box::new(move |plan: &mut PlanBuilder, tensors: &[Tensor]| plan.dispatch(params, tensors, grid));
        Self { kernel: P::KERNEL, label: format!("{params:?}"), record, bindings, tolerance }
    }

    /// Runs the case and returns what each written binding holds afterwards.
    fn run(&self, compute: &Compute) -> Vec<Vec<u32>> {
        let mut plan = PlanBuilder::new("case");
        let mut tensors = Vec::new();
        for (data, binding) in self.bindings.iter().zip(self.kernel.bindings) {
            let constant = data.constant(binding);
            tensors.push(if binding.writes {
                let tensor = plan.state(binding.name, constant.shape(), constant.element());
                plan.output(tensor);
                tensor
            } else {
                plan.resident(binding.name, &constant)
            });
        }
        (self.record)(&mut plan, &tensors);
        let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
        let written = || tensors.iter().zip(self.kernel.bindings).zip(&self.bindings).filter(|((_, b), _)| b.writes);
        for ((tensor, _), data) in written() {
            match data {
                Data::F32(values) => executor.write(*tensor, values),
                Data::U32(values) | Data::Bytes(values) => executor.write(*tensor, values),
            }
            .unwrap();
        }
        executor.run().expect("the device is there");
        let read = |tensor: Tensor| match tensor.element() {
            Element::F32 => bytemuck::cast_slice(executor.read::<f32>(tensor).unwrap()).to_vec(),
            _ => executor.read::<u32>(tensor).unwrap().to_vec(),
        };
        written().map(|((tensor, _), _)| read(*tensor)).collect()
    }

    fn check(&self, expected: &[Vec<u32>], got: &[Vec<u32>]) -> Result<(), String> {
        let written = self.kernel.bindings.iter().zip(&self.bindings).filter(|(b, _)| b.writes);
        for (((binding, data), e), g) in written.zip(expected).zip(got) {
            let result = match data {
                Data::F32(_) => compare(bytemuck::cast_slice(e), bytemuck::cast_slice(g), self.tolerance),
                Data::Bytes(_) => {
                    let bytes = |w: &[u32]| bytemuck::cast_slice::<u32, u8>(w).iter().map(|b| f32::from(*b)).collect();
                    let (e, g): (Vec<f32>, Vec<f32>) = (bytes(e), bytes(g));
                    compare(&e, &g, Tolerance { absolute: 1.0, relative: 0.0 })
                }
                Data::U32(_) => match e.iter().zip(g).position(|(a, b)| a != b) {
                    None => Ok(()),
                    Some(i) => Err(format!("at {i}: expected {}, got {}", e[i], g[i])),
                },
            };
            result.map_err(|why| format!("{} `{}` {}: {why}", self.kernel.name, binding.name, self.label))?;
        }
        Ok(())
    }
}

fn cases() -> Vec<Case> {
    [
        activation_add::cases(),
        attention::cases(),
        average_pool::cases(),
        backdrop::cases(),
        blendshape_sum::cases(),
        channel_scale::cases(),
        conv2d::cases(),
        crop_by_matrix::cases(),
        demodulate::cases(),
        depth_to_space::cases(),
        depthwise_conv1d::cases(),
        depthwise_conv2d::cases(),
        eye_paint::cases(),
        hef_blend::cases(),
        hef_bound::cases(),
        hef_cut_out::cases(),
        hef_finish::cases(),
        hef_inputs::cases(),
        hef_need::cases(),
        hef_range::cases(),
        interior_mask::cases(),
        landmarks_to_matrix::cases(),
        layer_norm::cases(),
        lid_paint::cases(),
        linear::cases(),
        max_pool::cases(),
        outer_flow::cases(),
        picture_encode::cases(),
        picture_smooth::cases(),
        portrait_warp::cases(),
        pose_project::cases(),
        pull::cases(),
        push::cases(),
        raster_bin::cases(),
        raster_bounds::cases(),
        raster_tile::cases(),
        relax::cases(),
        rgba_to_i420::cases(),
        shade_render::cases(),
        shade_vertices::cases(),
        surface_paint::cases(),
        tent_blur::cases(),
        token_sum::cases(),
        triangle_stretch::cases(),
        upsample::cases(),
        vertex_look::cases(),
        vertex_normals::cases(),
        warp_features::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_kernel_agrees_with_its_twin_at_every_tier() {
    let cases = cases();
    let gpus = common::gpus();
    let mut failures = Vec::new();
    for case in &cases {
        let expected = case.run(&Compute::Cpu);
        let before: Vec<_> =
            case.kernel.bindings.iter().zip(&case.bindings).filter(|(b, _)| b.writes).map(|(_, d)| d.words()).collect();
        assert!(
            expected.iter().zip(before).any(|(e, b)| e != b),
            "{} {}: the twin wrote nothing",
            case.kernel.name,
            case.label
        );
        for gpu in &gpus {
            if let Err(why) = case.check(&expected, &case.run(gpu)) {
                failures.push(format!("{}: {why}", gpu.name()));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len() * gpus.len(), failures.join("\n"));
}

#[test]
fn every_kernel_of_the_table_has_a_case() {
    let cases = cases();
    for kernel in kernels::ALL {
        assert!(
            cases.iter().any(|c| c.kernel.name == kernel.name),
            "{}: write engine/native/tests/kernels/{}.rs",
            kernel.name,
            kernel.name
        );
    }
}

mod comparers_fail_when_they_must {
    use super::common::{Tolerance, compare};

    #[test]
    fn on_a_value_outside_the_tolerance() {
        let tolerance = Tolerance::sum(100, 1.0);
        assert!(compare(&[1.0, 2.0], &[1.0, 2.0 + 1e-5], tolerance).is_ok());
        assert!(compare(&[1.0, 2.0], &[1.0, 2.0 + 1e-3], tolerance).is_err());
    }

    #[test]
    fn on_nan_on_either_side_or_both() {
        let tolerance = Tolerance { absolute: 1e9, relative: 1e9 };
        assert!(compare(&[f32::NAN], &[0.0], tolerance).is_err());
        assert!(compare(&[0.0], &[f32::NAN], tolerance).is_err());
        assert!(compare(&[f32::NAN], &[f32::NAN], tolerance).is_err());
    }

    #[test]
    fn on_a_missing_value() {
        assert!(compare(&[1.0, 2.0], &[1.0], Tolerance::EXACT).is_err());
    }
}
