// How much of each 2 × 2 block of pixels is inside of the mouth (x) and eyeball (y).
#import mesh

struct Params {
    size: u32, // side of the picture, even
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(2) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> mask: array<vec2<f32>>; // (size/2, size/2)

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let half = p.size / 2u;
    if (id.x >= half || id.y >= half) {
        return;
    }
    var sum = vec2<f32>(0.0);
    for (var i = 0u; i < 4u; i++) {
        let f = triangle_id[(id.y * 2u + i / 2u) * p.size + id.x * 2u + i % 2u];
        if (f != NO_TRIANGLE) {
            let region = triangles[f].w;
            let mouth = select(0.0, 0.25, region != REGION_SKIN);
            sum += select(vec2<f32>(mouth, 0.0), vec2<f32>(0.0, 0.25), is_eye(region));
        }
    }
    mask[id.y * half + id.x] = sum;
}
