// How each triangle of the driven mesh stretches the portrait: the singular values of J, the map from driven to source pixels.
// stretch (F): (smallest singular value, distance of both from 1, weight, 0), the first two already times the weight; weight 0 for what faces away.
struct Params {
    triangles: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>; // (F): i0, i1, i2, region
@group(0) @binding(2) var<storage, read> screen: array<vec4<f32>>; // (V): driven x, y px, depth, 1/depth
@group(0) @binding(3) var<storage, read> fixed: array<vec4<f32>>; // (V · 4): row 0 is source x, y px, seen, own
@group(0) @binding(4) var<storage, read_write> stretch: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let f = id.x;
    if (f >= p.triangles) {
        return;
    }
    let t = triangles[f];
    let a = screen[t.x].xy;
    let d1 = screen[t.y].xy - a;
    let d2 = screen[t.z].xy - a;
    let b = fixed[t.x * 4u].xy;
    let s1 = fixed[t.y * 4u].xy - b;
    let s2 = fixed[t.z * 4u].xy - b;
    // y points down, so a triangle that faces the viewer has a negative area here.
    let area = d1.y * d2.x - d1.x * d2.y;
    let weight = smoothstep(0.02, 0.3, area);
    if (weight <= 0.0) {
        stretch[f] = vec4<f32>(0.0);
        return;
    }
    let k = -1.0 / area;
    let j00 = (s1.x * d2.y - s2.x * d1.y) * k;
    let j01 = (s2.x * d1.x - s1.x * d2.x) * k;
    let j10 = (s1.y * d2.y - s2.y * d1.y) * k;
    let j11 = (s2.y * d1.x - s1.y * d2.x) * k;
    // The singular values are the sum and difference of the lengths of J's rotating and mirroring parts.
    let e = 0.5 * length(vec2<f32>(j00 + j11, j10 - j01));
    let g = 0.5 * length(vec2<f32>(j00 - j11, j10 + j01));
    let low = max(e - g, 0.0);
    let off = min(length(vec2<f32>(e - g - 1.0, e + g - 1.0)), 4.0);
    stretch[f] = vec4<f32>(low, off, 1.0, 0.0) * weight;
}
