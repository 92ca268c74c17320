// y = x · s, a factor a channel (squeeze and excitation). x and y (planes, plane), s (planes), planes being those of all pictures.
struct Params {
    planes: u32,
    plane: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> s: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < p.planes * p.plane) {
        y[id.x] = x[id.x] * s[id.x / p.plane];
    }
}
