// Lids that close: what the portrait does not show of them stands in a picture of the portrait with its eyes shut, looked up by each vertex's place in it. Skin
// around the eye follows as soon as the eye begins to close; the lower lid, over part of which the upper one lies in that picture, and what peeps out of the ball, only when it is all but shut.
#import mesh
#import sampling

struct Params {
    size: u32,
    side: u32, // of one eye's picture; the two stand one above the other, the subject's left eye first
    blink: vec2<u32>, // places of the two blinks in beta
    rest: vec2<f32>, // their values in the portrait
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(2) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> look: array<vec4<f32>>; // (V · 3), see vertex_look
// (V): x, y px in the eye's picture, how far the vertex belongs to the eye's surroundings (below 0: to the lower lid or the ball), which eye
@group(0) @binding(5) var<storage, read> places: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> lids: array<vec4<f32>>; // (2 · side²): linear RGB, how little of it the portrait shows
@group(0) @binding(7) var<storage, read> beta: array<f32>;
@group(0) @binding(8) var<storage, read_write> paint: array<vec4<f32>>; // see surface_paint

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
    if (t.w != REGION_SKIN && !is_eye(t.w)) {
        return;
    }
    let b = corners(barycentric[k]);
    let place = places[t.x] * b.x + places[t.y] * b.y + places[t.z] * b.z;
    if (place.z == 0.0) {
        return;
    }
    let eye = select(0u, 1u, places[t.x].w > 0.5);
    let shut = select(beta[p.blink.x] - p.rest.x, beta[p.blink.y] - p.rest.y, eye == 1u);
    if (shut <= 0.0) {
        return;
    }
    let begin = select(vec4<f32>(0.05, 0.5, 0.02, 0.12), vec4<f32>(0.7, 0.97, 0.7, 0.97), place.z < 0.0);
    let near = smoothstep(0.0, 0.5, abs(place.z));
    let s = spot(place.xy, p.side);
    let at = eye * p.side * p.side + s.k;
    let lid = bilinear4(lids[at], lids[at + 1u], lids[at + p.side], lids[at + p.side + 1u], s.t);
    let shown = look[t.x * 3u] * b.x + look[t.y * 3u] * b.y + look[t.z * 3u] * b.z;
    let light = look[t.x * 3u + 2u].z * b.x + look[t.y * 3u + 2u].z * b.y + look[t.z * 3u + 2u].z * b.z;
    let own = smoothstep(0.1, 0.95, shown.z);
    let under = paint[k];
    let colour = mix(under.xyz, lid.xyz * light, near * smoothstep(begin.z, begin.w, shut));
    let share = lid.w * near * own * smoothstep(begin.x, begin.y, shut);
    // Below 0: a lid's.
    paint[k] = vec4<f32>(colour, select(under.w, -share, share >= under.w));
}
