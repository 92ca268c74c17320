//! The kernels of Vultus: WGSL files, their CPU twins, and the table that names them.
//!
//! A kernel is three things of one name: `wgsl/ROOM/NAME.wgsl`, `src/cpu/NAME.rs` and a case file of the test loop
//! (`engine/native/tests/kernels/NAME.rs`). The build script parses and validates each WGSL file with naga, reflects its bindings and its
//! parameter struct, and writes the table ([`kernels`]). This crate knows no GPU API: it validates and tests anywhere.

pub mod cpu;
mod table;

pub use table::{Binding, Element, Kernel, KernelParams, Tier, Twin, Variant};

/// Constants that kernels, their twins and the engine share: one module for each file of `wgsl/shared` that has some, made by the build script.
pub mod shared {
    include!(concat!(env!("OUT_DIR"), "/shared.rs"));
}

/// The kernel table, made by the build script: one `static` and one parameter struct a kernel, and [`kernels::ALL`].
pub mod kernels {
    use crate::table::{Binding, Element, Kernel, KernelParams, Tier, Variant};
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}
