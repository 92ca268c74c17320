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
