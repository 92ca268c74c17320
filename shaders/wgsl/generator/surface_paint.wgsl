// For each pixel: where in the portrait to look, and what to lay over it.
// warp: (source x, y px, gain, under: share of paint behind whatever the portrait shows there) · paint: (linear RGB, share of paint; on eyeballs how far they slid against what is around them, px). The share of
// what lid_paint paints has a minus.
// Skin takes the portrait where it can be trusted; the inside of the mouth is painted and darkens towards the lips that shade it.
#import mesh
#import sampling

struct Params {
    size: u32,
    cells: u32, // side of the outer flow's grid
    step: u32, // pixels a cell
    under_lip: f32, // how far above a pixel to ask for the lip that shades it, px
    lips: vec3<f32>, // light that the lips let through to what lies just behind them, linear
    tint: vec3<f32>, // what their shadow gains of their colour, as a share
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(2) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> look: array<vec4<f32>>; // (V · 3), see vertex_look
@group(0) @binding(5) var<storage, read> outer: array<vec4<f32>>; // (cells²): flow x, y px
@group(0) @binding(6) var<storage, read> mask: array<vec2<f32>>; // (size/2)²: blurred mouth, eye
@group(0) @binding(7) var<storage, read_write> warp: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> paint: array<vec4<f32>>;

fn outer_at(at: vec2<f32>) -> vec2<f32> {
    let s = spot(at / f32(p.step), p.cells);
    return bilinear4(outer[s.k], outer[s.k + 1u], outer[s.k + p.cells], outer[s.k + p.cells + 1u], s.t).xy;
}

fn mouth_at(at: vec2<f32>) -> f32 {
    let half = p.size / 2u;
    let s = spot(at * 0.5, half);
    return bilinear2(mask[s.k], mask[s.k + 1u], mask[s.k + half], mask[s.k + half + 1u], s.t).x;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let at = vec2<f32>(id.xy) + 0.5;
    let around = at + outer_at(at);
    let f = triangle_id[k];
    if (f == NO_TRIANGLE) {
        warp[k] = vec4<f32>(around, 1.0, 0.0);
        paint[k] = vec4<f32>(0.0);
        return;
    }
    let t = triangles[f];
    let b = corners(barycentric[k]);
    let l0 = look[t.x * 3u] * b.x + look[t.y * 3u] * b.y + look[t.z * 3u] * b.z;
    let l1 = look[t.x * 3u + 1u] * b.x + look[t.y * 3u + 1u] * b.y + look[t.z * 3u + 1u] * b.z;
    if (t.w == REGION_SKIN) {
        let l2 = look[t.x * 3u + 2u] * b.x + look[t.y * 3u + 2u] * b.y + look[t.z * 3u + 2u] * b.z;
        let own = smoothstep(0.1, 0.95, l0.z);
        warp[k] = vec4<f32>(mix(around, l0.xy, own), mix(1.0, l1.w, own), l2.x);
        paint[k] = vec4<f32>(l1.xyz, (1.0 - l0.w) * own);
        return;
    }
    warp[k] = vec4<f32>(l0.xy, 1.0, 0.0);
    if (is_eye(t.w)) {
        paint[k] = vec4<f32>(0.0, 0.0, 0.0, distance(l0.xy, around));
        return;
    }
    let edge = mouth_at(at);
    let above = mouth_at(at - vec2<f32>(0.0, p.under_lip));
    let shadow = (0.48 + 0.52 * smoothstep(0.2, 1.0, edge)) * (0.55 + 0.45 * smoothstep(0.0, 0.9, above));
    // What light gets past the lips has their colour, and some comes through them: corners do not go black.
    let tint = 1.0 + (1.0 - shadow) * p.tint;
    let through = select(1.0 - smoothstep(0.1, 0.7, edge), 0.0, t.w == REGION_TEETH);
    paint[k] = vec4<f32>(l1.xyz * (shadow * tint) + p.lips * through, 1.0 - l0.w);
}
