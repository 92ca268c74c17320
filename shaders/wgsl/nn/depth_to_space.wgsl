// Four channels to one of twice the sides, and an activation (any but PReLU): y[c, 2 i + di, 2 j + dj] = act(x[(2 di + dj) · channels + c, i, j]).
// x (B, 4 · channels, height, width), y (B, channels, 2 · height, 2 · width). Behind a 1 × 1 convolution it is a transposed convolution 2 × 2, stride 2.
#import activation

struct Params {
    batch: u32,
    channels: u32,
    width: u32,
    height: u32,
    activation: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= 2u * p.width || id.y >= 2u * p.height || id.z >= p.batch * p.channels) {
        return;
    }
    let part = 2u * (id.y % 2u) + id.x % 2u;
    let channel = (id.z / p.channels * 4u + part) * p.channels + id.z % p.channels;
    let v = x[(channel * p.height + id.y / 2u) * p.width + id.x / 2u];
    y[(id.z * 2u * p.height + id.y) * 2u * p.width + id.x] = activate(v, p.activation, 0.0);
}
