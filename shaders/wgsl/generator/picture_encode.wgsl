// Encodes sRGB bytes, RGBA in one word, alpha straight.
struct Params {
    size: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> linear: array<vec4<f32>>; // (size²): RGB · alpha, alpha
@group(0) @binding(2) var<storage, read_write> rgba: array<u32>;

// Linear light to an sRGB byte. x^(1/2.4) = t^(5/3) with t the fourth root of x, as a polynomial in t: both executors round alike.
fn encode(v: f32) -> u32 {
    let x = clamp(v, 0.0, 1.0);
    let t = sqrt(sqrt(x));
    let q = -0.00401966 + t * (0.12898927 + t * (1.3100497 + t * (-0.8446605 + t * (0.6692392 + t * (-0.3324356 + t * 0.0728417)))));
    return u32(select(1.055 * q - 0.055, 12.92 * x, x <= 0.0031308) * 255.0 + 0.5);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let colour = linear[k];
    let straight = colour.xyz / max(colour.w, 1e-4);
    let a = u32(clamp(colour.w, 0.0, 1.0) * 255.0 + 0.5);
    rgba[k] = encode(straight.x) | (encode(straight.y) << 8u) | (encode(straight.z) << 16u) | (a << 24u);
}
