//! Luma and two chromas, as the twins that compare colours use them.

/// (Y, Co, Cg) of (R, G, B).
#[inline(always)]
pub(super) fn ycocg([r, g, b]: [f32; 3]) -> [f32; 3] {
    [0.5 * g + 0.25 * (r + b), 0.5 * (r - b), 0.5 * g - 0.25 * (r + b)]
}

/// (R, G, B) of (Y, Co, Cg).
#[inline(always)]
pub(super) fn rgb([y, co, cg]: [f32; 3]) -> [f32; 3] {
    [y - cg + co, y + cg, y - cg - co]
}
