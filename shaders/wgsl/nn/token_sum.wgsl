// The input of EAC's transformer (paper A eq. 3): [μ·σ_base, audio] + PE + emotion. audio (B, T−1, C), sigma_base (C), position (T, C),
// emotion (B, C), mu (B), y (B, T, C).
struct Params {
    batch: u32,
    tokens: u32,
    channels: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> audio: array<f32>;
@group(0) @binding(2) var<storage, read> sigma_base: array<f32>;
@group(0) @binding(3) var<storage, read> position: array<f32>;
@group(0) @binding(4) var<storage, read> emotion: array<f32>;
@group(0) @binding(5) var<storage, read> mu: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.batch * p.tokens * p.channels) {
        return;
    }
    let c = id.x % p.channels;
    let t = (id.x / p.channels) % p.tokens;
    let batch = id.x / (p.channels * p.tokens);
    var v = 0.0;
    if (t == 0u) {
        v = mu[batch] * sigma_base[c];
    } else {
        v = audio[(batch * (p.tokens - 1u) + t - 1u) * p.channels + c];
    }
    y[id.x] = v + position[t * p.channels + c] + emotion[batch * p.channels + c];
}
