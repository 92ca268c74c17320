// One step down of a pull–push pyramid: each coarse cell is the weighted mean of up to four fine ones. Cells are (x, y, weight, 0).
struct Params {
    fine_width: u32,
    fine_height: u32,
    width: u32, // of the coarse level: the fine one's half, rounded up
    height: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> fine: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> coarse: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.width || id.y >= p.height) {
        return;
    }
    var sum = vec3<f32>(0.0);
    for (var y = id.y * 2u; y < min(id.y * 2u + 2u, p.fine_height); y++) {
        for (var x = id.x * 2u; x < min(id.x * 2u + 2u, p.fine_width); x++) {
            let v = fine[y * p.fine_width + x];
            sum += vec3<f32>(v.xy, 1.0) * v.z;
        }
    }
    coarse[id.y * p.width + id.x] = vec4<f32>(sum.xy / max(sum.z, 1e-6), min(sum.z, 1.0), 0.0);
}
