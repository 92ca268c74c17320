// y += GELU(depthwise convolution of x along tokens + bias), on tokens `first` … T−1 only; zeros outside them. x, y (B, T, C); weight (C, taps),
// taps odd, centred.
#import gelu

struct Params {
    batch: u32,
    tokens: u32,
    channels: u32,
    first: u32,
    taps: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let live = p.tokens - p.first;
    if (id.x >= p.batch * live * p.channels) {
        return;
    }
    let c = id.x % p.channels;
    let t = p.first + (id.x / p.channels) % live;
    let batch = id.x / (p.channels * live);
    let half = p.taps / 2u;
    var s = bias[c];
    for (var k = 0u; k < p.taps; k++) {
        let at = t + k; // shifted by half, to stay unsigned
        if (at >= p.first + half && at < p.tokens + half) {
            s += weight[c * p.taps + k] * x[(batch * p.tokens + at - half) * p.channels + c];
        }
    }
    y[(batch * p.tokens + t) * p.channels + c] += gelu(s);
}
