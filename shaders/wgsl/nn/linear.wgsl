// y = act(x · Wᵀ + b), or y += that where `accumulate` is set. x rows of `inner`, W (cols, inner), y rows of `cols`.
// Rows are found through a map (row r of the product is row (r / group) · stride + first + r % group of the tensor), so that a layer can read or
// write some tokens of a (B, T, C) tensor in place. Each invocation makes a 4 × 4 tile from vec4 loads; `inner` is a multiple of 4.
#import gelu

struct Params {
    rows: u32,
    cols: u32,
    inner: u32,
    activation: u32, // 0 none, 1 GELU (tanh form)
    accumulate: u32,
    x_group: u32,
    x_stride: u32,
    x_first: u32,
    y_group: u32,
    y_stride: u32,
    y_first: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x * 4u;
    let row = id.y * 4u;
    if (col >= p.cols || row >= p.rows) {
        return;
    }
    let k4 = p.inner / 4u;
    var xs: array<u32, 4>;
    var ws: array<u32, 4>;
    for (var i = 0u; i < 4u; i++) {
        let r = min(row + i, p.rows - 1u);
        xs[i] = ((r / p.x_group) * p.x_stride + p.x_first + r % p.x_group) * k4;
        ws[i] = min(col + i, p.cols - 1u) * k4;
    }
    var acc: array<vec4<f32>, 4>;
    for (var k = 0u; k < k4; k++) {
        let w0 = w[ws[0] + k];
        let w1 = w[ws[1] + k];
        let w2 = w[ws[2] + k];
        let w3 = w[ws[3] + k];
        for (var i = 0u; i < 4u; i++) {
            let v = x[xs[i] + k];
            acc[i] += vec4<f32>(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
        }
    }
    for (var i = 0u; i < 4u; i++) {
        let r = row + i;
        if (r >= p.rows) {
            return;
        }
        let base = ((r / p.y_group) * p.y_stride + p.y_first + r % p.y_group) * p.cols;
        for (var j = 0u; j < 4u; j++) {
            if (col + j < p.cols) {
                var v = acc[i][j] + b[col + j];
                if (p.activation == 1u) {
                    v = gelu(v);
                }
                if (p.accumulate == 1u) {
                    v += y[base + col + j];
                }
                y[base + col + j] = v;
            }
        }
    }
}
