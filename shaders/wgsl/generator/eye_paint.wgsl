// Eyeballs: the colour that stands in where the portrait does not show the ball is a picture of the whole ball, laid out by the angle from its
// axis, under the shadow of the lids.
#import mesh
#import sampling

struct Params {
    size: u32,
    side: u32, // of one eye's picture; the two stand one above the other, the subject's left eye first
    scale: f32, // pixels of that picture a radian
    shade: f32, // how dark the lids' shadow is at its darkest, 0..1
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(2) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> look: array<vec4<f32>>; // (V · 3), see vertex_look
// (2 · side² + size²/4): linear RGB, 0 of the two pictures; then, four pixels an entry, how deep in an eyeball each pixel of the portrait lies, px
@group(0) @binding(5) var<storage, read> eyes: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> mask: array<vec2<f32>>; // (size/2)²: blurred mouth, eye
@group(0) @binding(7) var<storage, read_write> paint: array<vec4<f32>>; // see surface_paint

fn eye_at(at: vec2<f32>, base: u32) -> vec3<f32> {
    let s = spot(at, p.side);
    let k = base + s.k;
    return bilinear4(eyes[k], eyes[k + 1u], eyes[k + p.side], eyes[k + p.side + 1u], s.t).xyz;
}

fn depth_at(k: u32) -> f32 {
    return eyes[2u * p.side * p.side + k / 4u][k % 4u];
}

fn shown_at(at: vec2<f32>) -> f32 {
    let s = spot(at, p.size);
    return bilinear(depth_at(s.k), depth_at(s.k + 1u), depth_at(s.k + p.size), depth_at(s.k + p.size + 1u), s.t);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let f = triangle_id[k];
    if (f == NO_TRIANGLE) {
        return;
    }
    let t = triangles[f];
    if (!is_eye(t.w)) {
        return;
    }
    let b = corners(barycentric[k]);
    let from_there = look[t.x * 3u].xy * b.x + look[t.y * 3u].xy * b.y + look[t.z * 3u].xy * b.z;
    let d = look[t.x * 3u + 2u].xy * b.x + look[t.y * 3u + 2u].xy * b.y + look[t.z * 3u + 2u].xy * b.z;
    let middle = 0.5 * f32(p.side);
    let at = vec2<f32>(middle + d.x * p.scale, middle - d.y * p.scale);
    let half = p.size / 2u;
    let open = mask[min(id.y / 2u, half - 1u) * half + min(id.x / 2u, half - 1u)].y;
    let shadow = 1.0 - p.shade * (1.0 - smoothstep(0.35, 1.0, open));
    // A ball at rest shows the portrait; one that turned would drag the lids' edge along, so the picture takes over. What peeps out between
    // closing lids is in their shade.
    let slid = smoothstep(0.3, 1.3, paint[k].w);
    let shown = smoothstep(-0.6, 0.4, shown_at(from_there)) * (1.0 - slid);
    let closing = slid * (1.0 - smoothstep(0.05, 0.25, open));
    let colour = eye_at(at, (t.w - REGION_LEFT_EYE) * p.side * p.side) * shadow;
    paint[k] = vec4<f32>(colour * (1.0 - 0.8 * closing), 1.0 - shown);
}
