// Light on every vertex: albedo × max(0, Σ_i γ_i Y_i(n)), second-order spherical harmonics. Linear sRGB.
// normals (V) camera space · albedo (V): r, g, b, and a weight that is passed on (the face mask) · light (9): γ_i in r, g, b; w unused ·
// shaded (V): r, g, b, weight
#import harmonics

struct Params {
    vertices: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> normals: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> albedo: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> light: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> shaded: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.vertices) {
        return;
    }
    let n = normals[id.x].xyz;
    let shade = Y_0 * light[0].xyz + Y_1 * (n.y * light[1].xyz + n.z * light[2].xyz + n.x * light[3].xyz)
        + Y_2 * (n.x * n.y * light[4].xyz + n.y * n.z * light[5].xyz + n.x * n.z * light[7].xyz)
        + Y_20 * (3.0 * n.z * n.z - 1.0) * light[6].xyz + Y_22 * (n.x * n.x - n.y * n.y) * light[8].xyz;
    shaded[id.x] = vec4(albedo[id.x].xyz * max(shade, vec3(0.0, 0.0, 0.0)), albedo[id.x].w);
}
