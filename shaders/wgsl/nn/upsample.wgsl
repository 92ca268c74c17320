// Doubles the sides of some channels: y = up(x), or y += up(x) where `accumulate` is set. Bilinear with pixel centres at +.5, the edge repeats.
// x (B, x_channels, height, width) from x_first on, y (B, y_channels, 2 · height, 2 · width) from y_first on.
struct Params {
    width: u32,
    height: u32,
    batch: u32,
    channels: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= 2u * p.width || id.y >= 2u * p.height || id.z >= p.batch * p.channels) {
        return;
    }
    let b = id.z / p.channels;
    let c = id.z % p.channels;
    let plane = (b * p.x_channels + p.x_first + c) * p.width * p.height;
    // The near pixel counts three quarters, the one beyond it on the side where this half lies one.
    let near = id.xy / 2u;
    let far_x = select(max(near.x, 1u) - 1u, min(near.x + 1u, p.width - 1u), id.x % 2u == 1u);
    let far_y = select(max(near.y, 1u) - 1u, min(near.y + 1u, p.height - 1u), id.y % 2u == 1u);
    let row = plane + near.y * p.width;
    let row_far = plane + far_y * p.width;
    let at_near = 0.75 * x[row + near.x] + 0.25 * x[row_far + near.x];
    let at_far = 0.75 * x[row + far_x] + 0.25 * x[row_far + far_x];
    let v = 0.75 * at_near + 0.25 * at_far;
    let to = ((b * p.y_channels + p.y_first + c) * 2u * p.height + id.y) * 2u * p.width + id.x;
    if (p.accumulate == 1u) {
        y[to] += v;
    } else {
        y[to] = v;
    }
}
