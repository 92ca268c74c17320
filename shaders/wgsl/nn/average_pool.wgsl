// Means over `factor`² pixels of some channels: x (B, x_channels, factor · height, factor · width) from x_first on, y (B, channels, height, width).
struct Params {
    width: u32,
    height: u32,
    batch: u32,
    channels: u32,
    x_channels: u32,
    x_first: u32,
    factor: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.width || id.y >= p.height || id.z >= p.batch * p.channels) {
        return;
    }
    let plane = ((id.z / p.channels) * p.x_channels + p.x_first + id.z % p.channels) * p.height * p.factor;
    var sum = 0.0;
    for (var dy = 0u; dy < p.factor; dy++) {
        let line = (plane + id.y * p.factor + dy) * p.width * p.factor + id.x * p.factor;
        for (var dx = 0u; dx < p.factor; dx++) {
            sum += x[line + dx];
        }
    }
    y[(id.z * p.height + id.y) * p.width + id.x] = sum / f32(p.factor * p.factor);
}
