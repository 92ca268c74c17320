// Puts a person who was cut out before another background. Colours are linear.
// What is left of the own background where nobody is, or more light than the person's share can have, is no part of them.
struct Params {
    size: u32,
    hold: f32, // 1 holds the person's colours to their share, 0 believes them: before a background that is like the own one, errors of the matte then cancel
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> backdrop: array<vec4<f32>>; // (size²): RGB, unused
@group(0) @binding(2) var<storage, read_write> person: array<vec4<f32>>; // (size²): RGB · alpha, alpha; becomes RGB, 1

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let own = person[k];
    let alpha = clamp(own.w, 0.0, 1.0);
    let colour = mix(own.xyz, clamp(own.xyz, vec3<f32>(0.0), vec3<f32>(alpha)), p.hold);
    person[k] = vec4<f32>(colour + (1.0 - alpha) * backdrop[k].xyz, 1.0);
}
