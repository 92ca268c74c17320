//! Twin of `landmarks_to_matrix.wgsl`.

use crate::kernels::LandmarksToMatrixParams;

/// Where the parts of a face lie; see the WGSL file.
pub fn landmarks_to_matrix(
    p: &LandmarksToMatrixParams,
    landmarks: &[f32],
    parts: &[[u32; 4]],
    subset: &[u32],
    y: &mut [f32],
) {
    let (count, cells) = (p.parts as usize, p.cells as f32);
    for (k, m) in y.as_chunks_mut::<6>().0.iter_mut().take(p.batch as usize * count).enumerate() {
        let [first, size, left, right] = parts[k % count];
        let at = |landmark: u32| {
            let word = k / count * p.stride as usize + 3 * landmark as usize;
            [landmarks[word] * p.factor, landmarks[word + 1] * p.factor]
        };
        let (a, b) = (at(left), at(right));
        let line = [b[0] - a[0], b[1] - a[1]];
        let length = (line[0] * line[0] + line[1] * line[1]).sqrt();
        let [cos, sin] = if length > 0.0 { line.map(|v| v / length) } else { [1.0, 0.0] };
        let (mut low, mut high) = ([1e30f32; 2], [-1e30f32; 2]);
        for landmark in &subset[first as usize..][..size as usize] {
            let [x, y] = at(*landmark);
            let turned = [cos * x + sin * y, cos * y - sin * x];
            for c in 0..2 {
                low[c] = low[c].min(turned[c]);
                high[c] = high[c].max(turned[c]);
            }
        }
        let step: [f32; 2] = std::array::from_fn(|c| p.scale * (high[c] - low[c]) / cells);
        let mid: [f32; 2] = std::array::from_fn(|c| 0.5 * (low[c] + high[c]));
        let centre = [cos * mid[0] - sin * mid[1], sin * mid[0] + cos * mid[1]];
        let [a, b, c, d] = [cos * step[0], -sin * step[1], sin * step[0], cos * step[1]];
        *m = [a, b, centre[0] - (a + b) * 0.5 * cells, c, d, centre[1] - (c + d) * 0.5 * cells];
    }
}
