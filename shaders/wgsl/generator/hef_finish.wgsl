// From HEF's last heads to what changes in the picture: see train/hef/README.md for `driven`, `source` and their channels.
// heads (B, head_channels, size/P, size/P): colour 3, residual flow 2, matte 1, and at P = 2 the finest colours as 2 × 2 sub-pixels (12).
// result (B, 6, size, size): 0–2 need · delta, in square roots of linear light · 3 matte · 4–5 residual flow, in units of the side.
// With `prior`: delta = (1 − paint) √gain · (portrait at prior + flow − portrait at prior) + colour, so that what the geometric generator already
// does cancels; without: portrait at flow + colour − composite.
#import hef_channels
#import sampling

struct Params {
    size: u32,
    batch: u32,
    sub: u32, // P: 1 or 2
    head_channels: u32,
    prior: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> driven: array<f32>; // (B, 16, size, size)
@group(0) @binding(2) var<storage, read> portrait: array<vec4<f32>>; // (B, size, size): colours and matte of the portrait, side by side
@group(0) @binding(3) var<storage, read> heads: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

// A head's channel at a pixel of the picture.
fn head_at(batch: u32, channel: u32, pixel: vec2<u32>) -> f32 {
    let side = p.size / p.sub;
    let plane = (batch * p.head_channels + channel) * side * side;
    if (p.sub == 1u) {
        return heads[plane + pixel.y * side + pixel.x];
    }
    let s = spot((vec2<f32>(pixel) + 0.5) * 0.5, side);
    let k = plane + s.k;
    return bilinear(heads[k], heads[k + 1u], heads[k + side], heads[k + side + 1u], s.t);
}

// The portrait's colours and matte at a position in pixels.
fn portrait_at(batch: u32, at: vec2<f32>) -> vec4<f32> {
    let s = spot(at, p.size);
    let k = batch * p.size * p.size + s.k;
    return bilinear4(portrait[k], portrait[k + 1u], portrait[k + p.size], portrait[k + p.size + 1u], s.t);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size || id.z >= p.batch) {
        return;
    }
    let plane = p.size * p.size;
    let k = id.y * p.size + id.x;
    let here = DRIVEN_CHANNELS * id.z * plane + k;
    let at = vec2<f32>(id.xy) + 0.5;
    let side = f32(p.size);
    let flow = vec2<f32>(head_at(id.z, HEAD_FLOW, id.xy), head_at(id.z, HEAD_FLOW + 1u, id.xy));
    var prior = vec2<f32>(0.0);
    if (p.prior == 1u) {
        prior = vec2<f32>(driven[here + DRIVEN_PRIOR * plane], driven[here + (DRIVEN_PRIOR + 1u) * plane]);
    }
    let moved = portrait_at(id.z, at + (prior + flow) * side);
    let need = driven[here + DRIVEN_NEED * plane];
    var delta = vec3<f32>(0.0);
    if (need != 0.0) {
        for (var c = 0u; c < 3u; c++) {
            delta[c] = head_at(id.z, HEAD_COLOUR + c, id.xy);
        }
        if (p.sub == 2u) {
            let half = p.size / 2u;
            let channel = HEAD_SUB_PIXELS + (id.y % 2u) * 2u + id.x % 2u;
            for (var c = 0u; c < 3u; c++) {
                delta[c] += heads[((id.z * p.head_channels + channel + 4u * c) * half + id.y / 2u) * half + id.x / 2u];
            }
        }
        if (p.prior == 1u) {
            let share = (1.0 - driven[here + DRIVEN_PAINT * plane]) * sqrt(max(1.0 + driven[here + DRIVEN_LIGHT * plane], 0.0));
            delta += share * (moved.xyz - portrait_at(id.z, at + prior * side).xyz);
        } else {
            let composite = vec3<f32>(driven[here], driven[here + plane], driven[here + 2u * plane]);
            delta += moved.xyz - composite;
        }
    }
    let to = RESULT_CHANNELS * id.z * plane + k;
    for (var c = 0u; c < 3u; c++) {
        result[to + (RESULT_DELTA + c) * plane] = need * delta[c];
    }
    result[to + RESULT_MATTE * plane] = moved.w + head_at(id.z, HEAD_MATTE, id.xy);
    result[to + RESULT_FLOW * plane] = flow.x;
    result[to + (RESULT_FLOW + 1u) * plane] = flow.y;
}
