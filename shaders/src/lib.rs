//! WGSL kernels of Vultus and their CPU twins.
