// S = neutral + Σ_k c_k·B_k (paper A eq. 1, with the identity already in `neutral`). Values are vertex coordinates, x of every vertex, then
// y, then z, each plane padded to whole blocks of 64. The basis is sparse by block: block b owns entries first[b] … first[b+1], and entry e
// is 64 displacements of the expression component[e]. Expressions move a few places of the face each, so most blocks own few entries.
// neutral, sum (blocks·64) metres · basis (entries, 64) metres · first (blocks + 1) · component (entries) · coefficients (K)
struct Params {
    blocks: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> neutral: array<f32>;
@group(0) @binding(2) var<storage, read> basis: array<f32>;
@group(0) @binding(3) var<storage, read> first: array<u32>;
@group(0) @binding(4) var<storage, read> component: array<u32>;
@group(0) @binding(5) var<storage, read> coefficients: array<f32>;
@group(0) @binding(6) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.x / 64u;
    if (block >= p.blocks) {
        return;
    }
    var total = neutral[id.x];
    for (var e = first[block]; e < first[block + 1u]; e++) {
        total += coefficients[component[e]] * basis[e * 64u + id.x % 64u];
    }
    sum[id.x] = total;
}
