// One Jacobi sweep of the membrane: a cell without weight moves to the mean of its four neighbours. `add` times another field is put on top.
struct Params {
    width: u32,
    height: u32,
    add: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> cells: array<vec4<f32>>; // (x, y, weight, 0)
@group(0) @binding(2) var<storage, read> other: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> relaxed: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.width || id.y >= p.height) {
        return;
    }
    let row = id.y * p.width;
    let k = row + id.x;
    let left = row + max(id.x, 1u) - 1u;
    let right = row + min(id.x + 1u, p.width - 1u);
    let up = (max(id.y, 1u) - 1u) * p.width + id.x;
    let down = min(id.y + 1u, p.height - 1u) * p.width + id.x;
    let v = cells[k];
    let mean = 0.25 * (cells[left].xy + cells[right].xy + cells[up].xy + cells[down].xy);
    relaxed[k] = vec4<f32>(mix(mean, v.xy, v.z) + p.add * other[k], v.z, 0.0);
}
