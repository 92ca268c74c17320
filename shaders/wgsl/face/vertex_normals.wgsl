// Smooth normals, weighted by triangle area: every vertex sums over the triangles around it, so nothing is written twice.
// positions (V) camera space, metres · first (V + 1), fan (2N): vertex v has the pairs first[v] … first[v+1]; a pair is the other two corners
// of a triangle, in its winding · normals (V) unit, w = 0; (0, 0, 1) where the triangles around a vertex have no area.
struct Params {
    vertices: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> first: array<u32>;
@group(0) @binding(3) var<storage, read> fan: array<u32>;
@group(0) @binding(4) var<storage, read_write> normals: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.vertices) {
        return;
    }
    let at = positions[id.x].xyz;
    var sum = vec3(0.0, 0.0, 0.0);
    for (var i = first[id.x]; i < first[id.x + 1u]; i++) {
        sum += cross(positions[fan[2u * i]].xyz - at, positions[fan[2u * i + 1u]].xyz - at);
    }
    let square = dot(sum, sum);
    normals[id.x] = select(vec4(0.0, 0.0, 1.0, 0.0), vec4(sum * (1.0 / sqrt(square)), 0.0), square > 1e-30);
}
