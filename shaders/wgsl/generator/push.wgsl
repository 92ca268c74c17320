// One step up of a pull–push pyramid: what a fine cell lacks in weight it takes from the coarse level, bilinearly. Cells are (x, y, weight, 0).
struct Params {
    width: u32, // of the fine level
    height: u32,
    coarse_width: u32,
    coarse_height: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> coarse: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> fine: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.width || id.y >= p.height) {
        return;
    }
    let last = vec2<f32>(f32(p.coarse_width) - 1.0, f32(p.coarse_height) - 1.0);
    let q = clamp(vec2<f32>(id.xy) * 0.5 - 0.25, vec2<f32>(0.0), last);
    let i = vec2<u32>(q);
    let j = min(i + 1u, vec2<u32>(p.coarse_width - 1u, p.coarse_height - 1u));
    let t = q - vec2<f32>(i);
    let top = mix(coarse[i.y * p.coarse_width + i.x].xy, coarse[i.y * p.coarse_width + j.x].xy, t.x);
    let low = mix(coarse[j.y * p.coarse_width + i.x].xy, coarse[j.y * p.coarse_width + j.x].xy, t.x);
    let k = id.y * p.width + id.x;
    let v = fine[k];
    fine[k] = vec4<f32>(mix(mix(top, low, t.y), v.xy, v.z), v.z, 0.0);
}
