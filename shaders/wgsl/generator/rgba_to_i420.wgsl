// RGBA bytes to planar I420, BT.709 limited range: size² bytes of Y, then (size/2)² of U and of V, four bytes a word. One invocation makes 8 × 2 pixels.
struct Params {
    size: u32, // multiple of 8
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rgba: array<u32>;
@group(0) @binding(2) var<storage, read_write> planes: array<u32>;

fn luma(c: vec3<f32>) -> u32 {
    return u32(16.5 + dot(c, vec3<f32>(0.182586, 0.614231, 0.062007)));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x * 8u;
    let y = id.y * 2u;
    if (x >= p.size || y >= p.size) {
        return;
    }
    var words: array<u32, 4>; // Y: upper left, upper right, lower left, lower right
    var u = 0u;
    var v = 0u;
    for (var i = 0u; i < 4u; i++) {
        var sum = vec3<f32>(0.0);
        for (var j = 0u; j < 4u; j++) {
            let px = i * 2u + j % 2u;
            let c = rgba[(y + j / 2u) * p.size + x + px];
            let rgb = vec3<f32>(f32(c & 255u), f32((c >> 8u) & 255u), f32((c >> 16u) & 255u));
            sum += rgb;
            words[(j / 2u) * 2u + px / 4u] |= luma(rgb) << (8u * (px % 4u));
        }
        let mean = sum * 0.25;
        u |= u32(128.5 + dot(mean, vec3<f32>(-0.100644, -0.338572, 0.439216))) << (8u * i);
        v |= u32(128.5 + dot(mean, vec3<f32>(0.439216, -0.398942, -0.040274))) << (8u * i);
    }
    let line = p.size / 4u;
    for (var i = 0u; i < 4u; i++) {
        planes[(y + i / 2u) * line + x / 4u + i % 2u] = words[i];
    }
    let chroma = p.size * line + id.y * (p.size / 8u) + id.x;
    planes[chroma] = u;
    planes[chroma + p.size * p.size / 16u] = v;
}
