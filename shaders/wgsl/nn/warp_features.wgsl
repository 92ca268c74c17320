// T of paper A's eq. 8: features fetched from where the flow says. φ = prior + twice upsampled flow of the level before, in units of the side.
// features (B, channels, size, size), prior (B, 2, size, size), coarse (B, coarse_channels, size/2, size/2) with the flow from coarse_first on,
// y (B, y_channels, size, size) from y_first on. Bilinear with pixel centres at +.5, the edge repeats.
#import sampling

struct Params {
    size: u32,
    batch: u32,
    channels: u32,
    coarse_channels: u32, // 0: there is no flow yet, and `coarse` is not looked at
    coarse_first: u32,
    y_channels: u32,
    y_first: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> features: array<f32>;
@group(0) @binding(2) var<storage, read> prior: array<f32>;
@group(0) @binding(3) var<storage, read> coarse: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn coarse_at(plane: u32, at: vec2<f32>) -> f32 {
    let half = p.size / 2u;
    let s = spot(at * 0.5, half);
    let k = plane * half * half + s.k;
    return bilinear(coarse[k], coarse[k + 1u], coarse[k + half], coarse[k + half + 1u], s.t);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size || id.z >= p.batch) {
        return;
    }
    let plane = p.size * p.size;
    let k = id.y * p.size + id.x;
    let at = vec2<f32>(id.xy) + 0.5;
    var flow = vec2<f32>(prior[2u * id.z * plane + k], prior[(2u * id.z + 1u) * plane + k]);
    if (p.coarse_channels > 0u) {
        let first = id.z * p.coarse_channels + p.coarse_first;
        flow += vec2<f32>(coarse_at(first, at), coarse_at(first + 1u, at));
    }
    let s = spot(at + flow * f32(p.size), p.size);
    for (var c = 0u; c < p.channels; c++) {
        let f = (id.z * p.channels + c) * plane + s.k;
        let v = bilinear(features[f], features[f + 1u], features[f + p.size], features[f + p.size + 1u], s.t);
        y[(id.z * p.y_channels + p.y_first + c) * plane + k] = v;
    }
}
