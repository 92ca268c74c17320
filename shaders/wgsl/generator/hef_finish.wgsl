// From HEF's last heads to what changes in the picture: see train/hef/README.md for `driven`, `source` and their channels.
// heads (B, head_channels, size/P, size/P): colour 3, residual flow 2, matte 1, and at P = 2 the finest colours as 2 × 2 sub-pixels (12).
// result (B, 6, size, size): 0–2 need · delta, in square roots of linear light · 3 matte · 4–5 residual flow, in units of the side.
// With `prior`: delta = (1 − paint) √gain · (portrait at prior + flow − portrait at prior) + colour, so that what the geometric generator already
// does cancels; without: portrait at flow + colour − composite.
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

const PAINT = 7u;
const PRIOR = 10u;
const LIGHT = 12u;
const NEED = 13u;

// A head's channel at a pixel of the picture.
fn head_at(batch: u32, channel: u32, pixel: vec2<u32>) -> f32 {
    let side = p.size / p.sub;
    let plane = (batch * p.head_channels + channel) * side * side;
    if (p.sub == 1u) {
        return heads[plane + pixel.y * side + pixel.x];
    }
    let q = clamp((vec2<f32>(pixel) + 0.5) * 0.5 - 0.5, vec2<f32>(0.0), vec2<f32>(f32(side) - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(side - 2u));
    let t = q - vec2<f32>(i);
    let k = plane + i.y * side + i.x;
    return mix(mix(heads[k], heads[k + 1u], t.x), mix(heads[k + side], heads[k + side + 1u], t.x), t.y);
}

// The portrait's colours and matte at a position in pixels.
fn portrait_at(batch: u32, at: vec2<f32>) -> vec4<f32> {
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(f32(p.size) - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(p.size - 2u));
    let t = q - vec2<f32>(i);
    let k = (batch * p.size + i.y) * p.size + i.x;
    let above = mix(portrait[k], portrait[k + 1u], t.x);
    return mix(above, mix(portrait[k + p.size], portrait[k + p.size + 1u], t.x), t.y);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size || id.z >= p.batch) {
        return;
    }
    let plane = p.size * p.size;
    let k = id.y * p.size + id.x;
    let here = 16u * id.z * plane + k;
    let at = vec2<f32>(id.xy) + 0.5;
    let side = f32(p.size);
    let flow = vec2<f32>(head_at(id.z, 3u, id.xy), head_at(id.z, 4u, id.xy));
    var prior = vec2<f32>(0.0);
    if (p.prior == 1u) {
        prior = vec2<f32>(driven[here + PRIOR * plane], driven[here + (PRIOR + 1u) * plane]);
    }
    let moved = portrait_at(id.z, at + (prior + flow) * side);
    let need = driven[here + NEED * plane];
    var delta = vec3<f32>(0.0);
    if (need != 0.0) {
        for (var c = 0u; c < 3u; c++) {
            delta[c] = head_at(id.z, c, id.xy);
        }
        if (p.sub == 2u) {
            let half = p.size / 2u;
            let channel = 6u + (id.y % 2u) * 2u + id.x % 2u;
            for (var c = 0u; c < 3u; c++) {
                delta[c] += heads[((id.z * p.head_channels + channel + 4u * c) * half + id.y / 2u) * half + id.x / 2u];
            }
        }
        if (p.prior == 1u) {
            let share = (1.0 - driven[here + PAINT * plane]) * sqrt(max(1.0 + driven[here + LIGHT * plane], 0.0));
            delta += share * (moved.xyz - portrait_at(id.z, at + prior * side).xyz);
        } else {
            let composite = vec3<f32>(driven[here], driven[here + plane], driven[here + 2u * plane]);
            delta += moved.xyz - composite;
        }
    }
    let to = 6u * id.z * plane + k;
    result[to] = need * delta.x;
    result[to + plane] = need * delta.y;
    result[to + 2u * plane] = need * delta.z;
    result[to + 3u * plane] = moved.w + head_at(id.z, 5u, id.xy);
    result[to + 4u * plane] = flow.x;
    result[to + 5u * plane] = flow.y;
}
