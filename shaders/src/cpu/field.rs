//! Sampling of square fields and pictures, as several twins do it.

/// `a` at `t` = 0, `b` at 1.
#[inline(always)]
pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a * (1.0 - t) + b * t
}

/// A square grid of `cells`² values whose cells are `step` pixels wide.
pub(super) struct Grid {
    pub(super) cells: usize,
    pub(super) step: f32,
}

impl Grid {
    /// Bilinear value at a pixel position; the edge repeats. `value` gives the value of a cell.
    #[inline(always)]
    pub(super) fn sample<const N: usize>(&self, at: [f32; 2], value: impl Fn(usize) -> [f32; N]) -> [f32; N] {
        let last = self.cells as f32 - 1.0;
        let (qx, qy) = ((at[0] / self.step - 0.5).clamp(0.0, last), (at[1] / self.step - 0.5).clamp(0.0, last));
        let (ix, iy) = ((qx as usize).min(self.cells - 2), (qy as usize).min(self.cells - 2));
        let (tx, ty) = (qx - ix as f32, qy - iy as f32);
        let k = iy * self.cells + ix;
        let (a, b, c, d) = (value(k), value(k + 1), value(k + self.cells), value(k + self.cells + 1));
        std::array::from_fn(|i| mix(mix(a[i], b[i], tx), mix(c[i], d[i], tx), ty))
    }
}

/// Weights of the Catmull–Rom spline for the four samples around a point `t` of the way from the second to the third.
#[inline(always)]
pub(super) fn catmull_rom(t: f32) -> [f32; 4] {
    [
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (1.5 * t - 2.5),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (0.5 * t - 0.5),
    ]
}
