//! CPU twins: one file a kernel, one function of the kernel's name that takes its parameters and its bindings in order.

pub mod attention;
pub mod blendshape_sum;
pub mod correspondence;
pub mod depthwise_conv1d;
mod gemm;
pub mod layer_norm;
pub mod linear;
pub mod math;
pub mod pose_project;
pub mod raster_bin;
pub mod raster_bounds;
pub mod raster_tile;
pub mod shade_render;
pub mod shade_vertices;
pub mod token_sum;
pub mod vertex_normals;
