// StyleGAN2's demodulation of all layers at once: y = 1 / √(Σ_i s_i² Σ_k W[o, i, k]² + ε) for each output channel o of each modulated convolution.
// scale (B, scales); outputs (O): where the channel's row begins in `power`, where its layer's inputs begin in `scale`, how many they are;
// power: Σ_k W[o, i, k]², row after row; y (B, O).
struct Params {
    batch: u32,
    scales: u32,
    outputs: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> outputs: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> power: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.batch * p.outputs) {
        return;
    }
    let o = outputs[id.x % p.outputs];
    let first = id.x / p.outputs * p.scales + o.y;
    var sum = p.epsilon;
    for (var i = 0u; i < o.z; i++) {
        let s = scale[first + i];
        sum += s * s * power[o.x + i];
    }
    y[id.x] = inverseSqrt(sum);
}
