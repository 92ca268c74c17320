// Multi-head self-attention over short sequences: qkv (B, T, 3·D) packed [q | k | v], each [head][head_dim]; y (B, T, D).
// One invocation a (batch, head, query). Softmax is computed online (running maximum and sum), so no score is stored.
struct Params {
    batch: u32,
    tokens: u32,
    heads: u32,
    head_dim: u32, // ≤ 64
    scale: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.batch * p.heads * p.tokens) {
        return;
    }
    let query = id.x % p.tokens;
    let head = (id.x / p.tokens) % p.heads;
    let batch = id.x / (p.tokens * p.heads);
    let d = p.head_dim;
    let width = p.heads * d;
    let q_at = (batch * p.tokens + query) * 3u * width + head * d;
    var q: array<f32, 64>;
    var acc: array<f32, 64>;
    for (var i = 0u; i < d; i++) {
        q[i] = qkv[q_at + i] * p.scale;
        acc[i] = 0.0;
    }
    var top = -1e30;
    var norm = 0.0;
    for (var key = 0u; key < p.tokens; key++) {
        let k_at = (batch * p.tokens + key) * 3u * width + width + head * d;
        var score = 0.0;
        for (var i = 0u; i < d; i++) {
            score += q[i] * qkv[k_at + i];
        }
        let next = max(top, score);
        let keep = exp(top - next);
        let weight = exp(score - next);
        norm = norm * keep + weight;
        for (var i = 0u; i < d; i++) {
            acc[i] = acc[i] * keep + weight * qkv[k_at + width + i];
        }
        top = next;
    }
    let y_at = (batch * p.tokens + query) * width + head * d;
    for (var i = 0u; i < d; i++) {
        y[y_at + i] = acc[i] / norm;
    }
}
