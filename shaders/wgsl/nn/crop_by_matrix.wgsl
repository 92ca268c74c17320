// A crop that a matrix places: y at pixel (i, j) is x at M · (i + ½, j + ½, 1) − ½, bilinear. Where that lies outside the outermost pixels' centres, y is 0
// as a whole. x (B, channels, in_h, in_w), y (B, channels, out_h, out_w), m: for each picture, from matrix_at on, every matrix_stride words, M (2, 3).
struct Params {
    batch: u32,
    channels: u32,
    in_w: u32,
    in_h: u32,
    out_w: u32,
    out_h: u32,
    matrix_at: u32,
    matrix_stride: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.out_w || id.y >= p.out_h || id.z >= p.batch * p.channels) {
        return;
    }
    let k = id.z / p.channels * p.matrix_stride + p.matrix_at;
    let i = f32(id.x) + 0.5;
    let j = f32(id.y) + 0.5;
    let u = m[k] * i + m[k + 1u] * j + m[k + 2u] - 0.5;
    let v = m[k + 3u] * i + m[k + 4u] * j + m[k + 5u] - 0.5;
    let last = vec2<f32>(f32(p.in_w) - 1.0, f32(p.in_h) - 1.0);
    var value = 0.0;
    if (u >= 0.0 && v >= 0.0 && u <= last.x && v <= last.y) {
        let col = u32(u);
        let row = u32(v);
        let tx = u - f32(col);
        let ty = v - f32(row);
        let right = min(col + 1u, p.in_w - 1u);
        let plane = id.z * p.in_w * p.in_h;
        let above = plane + row * p.in_w;
        let below = plane + min(row + 1u, p.in_h - 1u) * p.in_w;
        value = mix(mix(x[above + col], x[above + right], tx), mix(x[below + col], x[below + right], tx), ty);
    }
    y[(id.z * p.out_h + id.y) * p.out_w + id.x] = value;
}
