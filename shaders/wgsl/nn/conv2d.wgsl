// Convolution of some channels of a planar tensor into some channels of another: y = gain · leaky(demod · (W * (scale · x)) + bias).
// x (B, x_channels, in_h, in_w), zeros around it; y (B, y_channels, out_h, out_w); (side, stride) is (1, 1), (2, 2), (3, 1), (3, 2) or (5, 2).
// W is packed by fours of output channels, the last four filled with zeros: word (o / 4, i · side² + ky · side + kx) holds W[o … o + 3, i, ky, kx].
// Modulated (StyleGAN2): `scale` (B, scale_stride) from scale_at on multiplies input channels, `demod` (B, demod_stride) from demod_at on output
// channels. Each invocation makes four pixels of a row times four channels. `pad` zeros stand before x (0 or 1), whatever y's sides need after it.
struct Params {
    c_in: u32,
    c_out: u32,
    in_w: u32,
    in_h: u32,
    out_w: u32,
    out_h: u32,
    batch: u32,
    side: u32,
    stride: u32,
    pad: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    modulated: u32, // 0: scale and demod are not looked at
    scale_at: u32,
    scale_stride: u32,
    demod_at: u32,
    demod_stride: u32,
    slopes: u32, // 1: each channel has a slope of its own (PReLU); they stand in `bias`, behind the biases
    slope: f32, // of the leaky ReLU; 1: none
    gain: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read> demod: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x0 = id.x * 4u;
    let blocks = (p.c_out + 3u) / 4u;
    if (x0 >= p.out_w || id.y >= p.out_h || id.z >= p.batch * blocks) {
        return;
    }
    let b = id.z / blocks;
    let block = id.z % blocks;
    let taps = p.side * p.side;
    let plane = p.in_w * p.in_h;
    var acc: array<vec4<f32>, 4>;
    for (var i = 0u; i < p.c_in; i++) {
        let plane_at = (b * p.x_channels + p.x_first + i) * plane;
        var s = 1.0;
        if (p.modulated == 1u) {
            s = scale[b * p.scale_stride + p.scale_at + i];
        }
        for (var ky = 0u; ky < p.side; ky++) {
            let row = id.y * p.stride + ky; // shifted by pad, to stay unsigned
            if (row < p.pad || row >= p.in_h + p.pad) {
                continue;
            }
            let line = plane_at + (row - p.pad) * p.in_w;
            let first = (block * p.c_in + i) * taps + ky * p.side;
            for (var kx = 0u; kx < p.side; kx++) {
                let weight = w[first + kx] * s;
                for (var j = 0u; j < 4u; j++) {
                    let col = (x0 + j) * p.stride + kx;
                    if (col >= p.pad && col < p.in_w + p.pad) {
                        acc[j] += weight * x[line + col - p.pad];
                    }
                }
            }
        }
    }
    for (var o = 0u; o < 4u; o++) {
        let channel = block * 4u + o;
        if (channel >= p.c_out) {
            return;
        }
        var d = 1.0;
        if (p.modulated == 1u) {
            d = demod[b * p.demod_stride + p.demod_at + channel];
        }
        var slope = p.slope;
        if (p.slopes == 1u) {
            slope = bias[p.c_out + channel];
        }
        let to = ((b * p.y_channels + p.y_first + channel) * p.out_h + id.y) * p.out_w;
        for (var j = 0u; j < 4u; j++) {
            if (x0 + j < p.out_w) {
                let v = acc[j][o] * d + bias[channel];
                y[to + x0 + j] = select(v * slope, v, v > 0.0) * p.gain;
            }
        }
    }
}
