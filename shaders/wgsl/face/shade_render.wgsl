// I^rd and its mask: colours interpolated over the drawn triangles.
// triangles (F), triangle_id (S, S), barycentric (S, S): see `raster_tile` · shaded (V) from `shade_vertices` · rendered (S, S): linear r, g, b
// and the face mask M, zero where nothing is drawn
#import mesh

struct Params {
    pixels: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(3) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> shaded: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> rendered: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.pixels) {
        return;
    }
    var color = vec4(0.0, 0.0, 0.0, 0.0);
    if (triangle_id[id.x] != NO_TRIANGLE) {
        let t = triangles[triangle_id[id.x]];
        let b = corners(barycentric[id.x]);
        color = b.x * shaded[t.x] + b.y * shaded[t.y] + b.z * shaded[t.z];
    }
    rendered[id.x] = color;
}
