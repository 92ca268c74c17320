// Largest of 2 × 2 pixels. x (planes, in_h, in_w), y (planes, in_h / 2, in_w / 2), planes being the channels of all pictures; of an odd side the last
// pixel is not looked at.
struct Params {
    planes: u32,
    in_w: u32,
    in_h: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let out_w = p.in_w / 2u;
    let out_h = p.in_h / 2u;
    if (id.x >= out_w || id.y >= out_h || id.z >= p.planes) {
        return;
    }
    let k = (id.z * p.in_h + 2u * id.y) * p.in_w + 2u * id.x;
    y[(id.z * out_h + id.y) * out_w + id.x] = max(max(x[k], x[k + 1u]), max(x[k + p.in_w], x[k + p.in_w + 1u]));
}
