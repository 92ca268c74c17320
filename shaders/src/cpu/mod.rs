//! CPU twins: one file a kernel, one function of the kernel's name that takes its parameters and its bindings in order.

pub mod attention;
pub mod depthwise_conv1d;
mod gemm;
pub mod layer_norm;
pub mod linear;
pub mod math;
pub mod token_sum;
