// Where on the source portrait the surface under each pixel is, and whether it can be seen there.
// triangles (F), triangle_id (S, S), barycentric (S, S): see `raster_tile` · source (V): x·d, y·d, d, 1, where x, y are the vertex's pixel in
// the source picture and d its depth there: these are linear over a triangle, so their quotients are perspective-correct · margin (F): how
// much deeper than the source's depth image a point of this triangle may be, metres; negative if the triangle shows the source its back ·
// source_depth (S, S) metres · out (S, S): source x, y in pixels, source depth in metres, visibility 0 … 1; (0, 0, 1e9, 0) = nothing drawn.
// Visibility falls smoothly from 1 at one margin behind the nearest surface to 0 at two, and is 0 where the
// source shows nothing, bilinearly between the four pixels around.
struct Params {
    size: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(3) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> margin: array<f32>;
@group(0) @binding(6) var<storage, read> source_depth: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size * p.size) {
        return;
    }
    let index = triangle_id[id.x];
    if (index == 0xffffffffu) {
        out[id.x] = vec4(0.0, 0.0, 1e9, 0.0);
        return;
    }
    let t = triangles[index];
    let b = barycentric[id.x];
    let s = b.x * source[t.x] + b.y * source[t.y] + (1.0 - b.x - b.y) * source[t.z];
    let at = s.xy * (1.0 / s.z);
    let allowed = margin[index];
    var visible = 0.0;
    if (allowed > 0.0) {
        let last = f32(p.size) - 1.0;
        let g = clamp(at - 0.5, vec2(0.0, 0.0), vec2(last, last));
        let i = min(vec2<u32>(g), vec2(p.size - 2u, p.size - 2u));
        let f = g - vec2<f32>(i);
        let k = i.y * p.size + i.x;
        let near = vec4(source_depth[k], source_depth[k + 1u], source_depth[k + p.size], source_depth[k + p.size + 1u]);
        let behind = clamp((vec4(s.z, s.z, s.z, s.z) - near) * (1.0 / allowed) - 1.0, vec4(0.0, 0.0, 0.0, 0.0), vec4(1.0, 1.0, 1.0, 1.0));
        let seen = select(vec4(0.0, 0.0, 0.0, 0.0), 1.0 - behind * behind * (3.0 - 2.0 * behind), near < vec4(1e8, 1e8, 1e8, 1e8));
        visible = mix(mix(seen.x, seen.y, f.x), mix(seen.z, seen.w, f.x), f.y);
    }
    out[id.x] = vec4(at, s.z, visible);
}
