// Convolution of each channel by itself: y = act(w * x + bias), zeros around x.
// x (B, channels, in_h, in_w), w (channels, side, side), y (B, channels, out_h, out_w); `pad` zeros stand before x, whatever the sides need after it.
// The activation is any but PReLU.
#import activation

struct Params {
    batch: u32,
    channels: u32,
    in_w: u32,
    in_h: u32,
    out_w: u32,
    out_h: u32,
    side: u32,
    stride: u32,
    pad: u32,
    activation: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.out_w || id.y >= p.out_h || id.z >= p.batch * p.channels) {
        return;
    }
    let channel = id.z % p.channels;
    let plane = id.z * p.in_w * p.in_h;
    var sum = bias[channel];
    for (var ky = 0u; ky < p.side; ky++) {
        let row = id.y * p.stride + ky; // shifted by pad, to stay unsigned
        if (row < p.pad || row >= p.in_h + p.pad) {
            continue;
        }
        let line = plane + (row - p.pad) * p.in_w;
        let taps = (channel * p.side + ky) * p.side;
        for (var kx = 0u; kx < p.side; kx++) {
            let col = id.x * p.stride + kx;
            if (col >= p.pad && col < p.in_w + p.pad) {
                sum += w[taps + kx] * x[line + col - p.pad];
            }
        }
    }
    y[(id.z * p.out_h + id.y) * p.out_w + id.x] = activate(sum, p.activation, 0.0);
}
