//! The one door to the `gemm` crate.

/// dst = x · Wᵀ + b · dst₀: x (m, k) with `x_stride` between rows, w (n, k) dense, dst (m, n) with `dst_stride` between rows; `keep` adds what dst holds.
///
/// # Panics
/// Where a slice is shorter than its shape says.
#[expect(unsafe_code, reason = "the gemm crate takes raw pointers; the bounds are checked right here")]
pub(crate) fn product(
    m: usize,
    n: usize,
    k: usize,
    x: &[f32],
    x_stride: usize,
    w: &[f32],
    dst: &mut [f32],
    dst_stride: usize,
    keep: bool,
) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(x_stride >= k && dst_stride >= n, "rows overlap");
    assert!(
        x.len() >= (m - 1) * x_stride + k && w.len() >= n * k && dst.len() >= (m - 1) * dst_stride + n,
        "a slice is shorter than its shape"
    );
    // SAFETY: with the strides below, gemm reads x[i·x_stride + l], w[j·k + l] and touches dst[i·dst_stride + j] for i < m, j < n, l < k; the
    // assertions put all of these inside their slices, and dst is borrowed mutably, so nothing aliases.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            dst_stride as isize,
            keep,
            x.as_ptr(),
            1,
            x_stride as isize,
            w.as_ptr(),
            k as isize,
            1,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
