// y = act(a + b). a and y (B, channels, plane), b (B, b_channels, plane): the channels that b lacks are zeros, and with none of them this is an activation
// by itself. `slopes` (channels) are PReLU's.
#import activation

struct Params {
    batch: u32,
    channels: u32,
    b_channels: u32,
    plane: u32,
    activation: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> slopes: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.batch * p.channels * p.plane) {
        return;
    }
    let plane = id.x / p.plane;
    let channel = plane % p.channels;
    var v = a[id.x];
    if (channel < p.b_channels) {
        v += b[(plane / p.channels * p.b_channels + channel) * p.plane + id.x % p.plane];
    }
    var slope = 0.0;
    if (p.activation == ACTIVATION_PRELU) {
        slope = slopes[channel];
    }
    y[id.x] = activate(v, p.activation, slope);
}
