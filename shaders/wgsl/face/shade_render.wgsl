// I^rd and the masks: colours interpolated over the drawn triangles.
// triangles (F), triangle_id (S, S), barycentric (S, S): see `raster_tile` · shaded (V) from `shade_vertices` · rendered (S, S): linear r, g, b
// and the face mask M, zero where nothing is drawn · region (S, S): the triangle's region, 255 where nothing is drawn
struct Params {
    pixels: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(3) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> shaded: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> rendered: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> region: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.pixels) {
        return;
    }
    var color = vec4(0.0, 0.0, 0.0, 0.0);
    var kind = 255u;
    if (triangle_id[id.x] != 0xffffffffu) {
        let t = triangles[triangle_id[id.x]];
        let b = barycentric[id.x];
        color = b.x * shaded[t.x] + b.y * shaded[t.y] + (1.0 - b.x - b.y) * shaded[t.z];
        kind = t.w;
    }
    rendered[id.x] = color;
    region[id.x] = kind;
}
