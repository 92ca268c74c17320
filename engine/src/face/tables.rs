//! Constants of the plan: the model's arrays in the layouts that the kernels stream.

use super::model::FaceModel;

/// Values in a block of the blendshape kernel.
pub(super) const BLOCK: usize = 64;

/// Coordinates as three planes (x of every vertex, y, z), each padded with zeros to whole blocks.
pub(super) fn planes(vertices: &[[f32; 3]]) -> Vec<f32> {
    let stride = vertices.len().next_multiple_of(BLOCK);
    let mut out = vec![0.0; 3 * stride];
    for (i, v) in vertices.iter().enumerate() {
        for axis in 0..3 {
            out[axis * stride + i] = v[axis];
        }
    }
    out
}

/// The expression basis without the blocks that an expression leaves alone: two thirds of the model as it is shipped.
pub(super) struct SparseBasis {
    /// (blocks + 1) first entry of each block.
    pub(super) first: Vec<u32>,
    /// (entries) expression of each entry.
    pub(super) component: Vec<u32>,
    /// (entries, 64) displacements, metres.
    pub(super) values: Vec<f32>,
}

impl SparseBasis {
    pub(super) fn new(model: &FaceModel) -> Self {
        let components: Vec<Vec<f32>> = model.expression.chunks_exact(model.vertices()).map(planes).collect();
        let blocks = 3 * model.vertices().div_ceil(BLOCK);
        let mut basis = Self { first: vec![0], component: Vec::new(), values: Vec::new() };
        for block in 0..blocks {
            for (k, component) in components.iter().enumerate() {
                let values = &component[block * BLOCK..(block + 1) * BLOCK];
                if values.iter().any(|v| *v != 0.0) {
                    basis.component.push(k as u32);
                    basis.values.extend_from_slice(values);
                }
            }
            basis.first.push(basis.component.len() as u32);
        }
        if basis.component.is_empty() {
            // A model whose face does not move; tensors have at least one word.
            (basis.component, basis.values) = (vec![0], vec![0.0; BLOCK]);
        }
        basis
    }
}

/// For each vertex the triangles around it, as the other two corners in the triangle's winding: offsets (V + 1), pairs (2·3F).
pub(super) fn fans(model: &FaceModel) -> (Vec<u32>, Vec<u32>) {
    let mut around: Vec<Vec<u32>> = vec![Vec::new(); model.vertices()];
    for t in &model.triangles {
        for k in 0..3 {
            around[t[k] as usize].extend([t[(k + 1) % 3], t[(k + 2) % 3]]);
        }
    }
    let mut first = vec![0];
    for pairs in &around {
        first.push(first[first.len() - 1] + pairs.len() as u32 / 2);
    }
    (first, around.concat())
}

/// How far behind the source's depth image a triangle's points may lie and still count as seen, metres: what the depth changes over 1½
/// pixels of it, at least 1.5 mm (the fit's own error), at most 12 mm. −1 where the triangle shows the source its back.
///
/// `screen` (V): pixel x, y, depth, 1/depth in the source.
pub(super) fn margins(model: &FaceModel, screen: &[[f32; 4]]) -> Vec<f32> {
    let of = |t: &[u32; 4]| {
        let [a, b, c] = [0, 1, 2].map(|k| screen[t[k] as usize].map(f64::from));
        let (u, v) = ([b[0] - a[0], b[1] - a[1], b[2] - a[2]], [c[0] - a[0], c[1] - a[1], c[2] - a[2]]);
        let area = u[1] * v[0] - u[0] * v[1];
        if area <= 0.0 || a[3] * b[3] * c[3] <= 0.0 {
            return -1.0;
        }
        // Depth's gradient in metres a pixel, from the triangle's plane.
        let gradient = [(u[1] * v[2] - u[2] * v[1]) / area, (u[2] * v[0] - u[0] * v[2]) / area];
        (1.5 * (gradient[0].abs() + gradient[1].abs())).clamp(0.0015, 0.012) as f32
    };
    model.triangles.iter().map(of).collect()
}
