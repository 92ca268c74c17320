//! The model's arrays in the layouts that the kernels stream, resident.

use crate::compute::Constant;

/// Values in a block of the blendshape kernel.
pub(super) const BLOCK: usize = 64;

/// What every plan of a face reads, whoever's face it is. V vertices, F triangles.
#[derive(Debug)]
pub(crate) struct Tables {
    /// (blocks + 1) first entry of each block.
    pub(super) basis_first: Constant,
    /// (entries) expression of each entry.
    pub(super) basis_component: Constant,
    /// (entries, 64) displacements, metres: the expression basis without the blocks that an expression leaves alone, two thirds of the model as it is shipped.
    pub(super) basis: Constant,
    /// (V)
    pub(super) head_weight: Constant,
    /// (F, 4): three vertices and the region.
    pub(super) triangles: Constant,
    /// (3F, 2): the other two corners of the triangles around each vertex, in the triangle's winding.
    pub(super) fan: Constant,
    /// (V + 1): where a vertex's triangles begin in `around`, and its pairs in `fan`.
    pub(crate) first: Constant,
    /// (3F): the triangles around each vertex.
    pub(crate) around: Constant,
}

impl Tables {
    /// Of expressions (64, V), triangles (F) and how much each vertex follows the head (V).
    pub(super) fn new(expression: &[[f32; 3]], triangles: &[[u32; 4]], head_weight: &[f32]) -> Self {
        let v = head_weight.len();
        let components: Vec<Vec<f32>> = expression.chunks_exact(v).map(planes).collect();
        let (mut first, mut component, mut values) = (vec![0u32], Vec::new(), Vec::new());
        for block in 0..3 * v.div_ceil(BLOCK) {
            for (k, all) in components.iter().enumerate() {
                let row = &all[block * BLOCK..(block + 1) * BLOCK];
                if row.iter().any(|v| *v != 0.0) {
                    component.push(k as u32);
                    values.extend_from_slice(row);
                }
            }
            first.push(component.len() as u32);
        }
        if component.is_empty() {
            // A model whose face does not move; tensors have at least one word.
            (component, values) = (vec![0], vec![0.0; BLOCK]);
        }

        let mut fans: Vec<Vec<[u32; 2]>> = vec![Vec::new(); v];
        let mut around: Vec<Vec<u32>> = vec![Vec::new(); v];
        for (f, t) in triangles.iter().enumerate() {
            for k in 0..3 {
                fans[t[k] as usize].push([t[(k + 1) % 3], t[(k + 2) % 3]]);
                around[t[k] as usize].push(f as u32);
            }
        }
        let mut begins = vec![0u32];
        for list in &around {
            begins.push(begins[begins.len() - 1] + list.len() as u32);
        }
        Self {
            basis_first: Constant::new([first.len()], &first),
            basis_component: Constant::new([component.len()], &component),
            basis: Constant::new([component.len(), BLOCK], &values),
            head_weight: Constant::new([v], head_weight),
            triangles: Constant::new([triangles.len(), 4], triangles),
            fan: Constant::new([3 * triangles.len(), 2], &fans.concat()),
            first: Constant::new([v + 1], &begins),
            around: Constant::new([3 * triangles.len()], &around.concat()),
        }
    }
}

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
