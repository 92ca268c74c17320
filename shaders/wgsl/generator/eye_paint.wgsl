// Eyeballs: the colour that stands in where the portrait does not show the ball is a picture of the whole ball, laid out by the angle from its
// axis, under the shadow of the lids.
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
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(f32(p.side) - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(p.side - 2u));
    let t = q - vec2<f32>(i);
    let k = base + i.y * p.side + i.x;
    return mix(mix(eyes[k].xyz, eyes[k + 1u].xyz, t.x), mix(eyes[k + p.side].xyz, eyes[k + p.side + 1u].xyz, t.x), t.y);
}

fn depth_at(x: u32, y: u32) -> f32 {
    let k = y * p.size + x;
    return eyes[2u * p.side * p.side + k / 4u][k % 4u];
}

fn shown_at(at: vec2<f32>) -> f32 {
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(f32(p.size) - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(p.size - 2u));
    let t = q - vec2<f32>(i);
    let top = mix(depth_at(i.x, i.y), depth_at(i.x + 1u, i.y), t.x);
    return mix(top, mix(depth_at(i.x, i.y + 1u), depth_at(i.x + 1u, i.y + 1u), t.x), t.y);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let f = triangle_id[k];
    if (f == 0xffffffffu) {
        return;
    }
    let t = triangles[f];
    if (t.w != 2u && t.w != 3u) {
        return;
    }
    let b = barycentric[k];
    let c = 1.0 - b.x - b.y;
    let from_there = look[t.x * 3u].xy * b.x + look[t.y * 3u].xy * b.y + look[t.z * 3u].xy * c;
    let d = look[t.x * 3u + 2u].xy * b.x + look[t.y * 3u + 2u].xy * b.y + look[t.z * 3u + 2u].xy * c;
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
    let colour = eye_at(at, (t.w - 2u) * p.side * p.side) * shadow;
    paint[k] = vec4<f32>(colour * (1.0 - 0.8 * closing), 1.0 - shown);
}
