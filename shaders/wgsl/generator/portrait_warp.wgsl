// Looks each pixel up in the portrait with a Catmull–Rom spline, lays the paint over it and puts the person before the background.
// Colours are linear; the portrait is premultiplied by its matte, so that portrait + (1 − matte) · background is the source picture exactly.
struct Params {
    size: u32,
    background: f32, // 1 draws it, 0 leaves the person cut out
    effects: f32, // 1 lays paint and light over the warp, 0 does not
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> warp: array<vec4<f32>>; // see surface_paint
@group(0) @binding(2) var<storage, read> paint: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> pictures: array<vec4<f32>>; // (2 · size²): portrait (RGB · matte, matte), then background (RGB, 0)
@group(0) @binding(4) var<storage, read_write> linear: array<vec4<f32>>; // (size²): RGB, alpha

fn catmull_rom(t: f32) -> vec4<f32> {
    return vec4<f32>(
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (1.5 * t - 2.5),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (0.5 * t - 0.5),
    );
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let w = warp[k];
    let over = vec4<f32>(paint[k].xyz, abs(paint[k].w) * p.effects);
    let last = f32(p.size) - 1.0;
    let q = clamp(w.xy - 0.5, vec2<f32>(0.0), vec2<f32>(last));
    let i = floor(q);
    let wx = catmull_rom(q.x - i.x);
    let wy = catmull_rom(q.y - i.y);
    var sum = vec4<f32>(0.0);
    for (var dy = 0; dy < 4; dy++) {
        let y = u32(clamp(i32(i.y) + dy - 1, 0, i32(p.size) - 1));
        var row = vec4<f32>(0.0);
        for (var dx = 0; dx < 4; dx++) {
            let x = u32(clamp(i32(i.x) + dx - 1, 0, i32(p.size) - 1));
            row += pictures[y * p.size + x] * wx[dx];
        }
        sum += row * wy[dy];
    }
    let alpha = clamp(sum.w, 0.0, 1.0);
    // Paint lies over the portrait by its share, and behind its people by `under`.
    let under = w.w * p.effects * (1.0 - alpha);
    let person = mix(sum.xyz * mix(1.0, w.z, p.effects) + over.xyz * under, over.xyz, over.w);
    let cover = mix(alpha + under, 1.0, over.w);
    let behind = pictures[p.size * p.size + k].xyz * (1.0 - cover) * p.background;
    linear[k] = vec4<f32>(person + behind, mix(cover, 1.0, p.background));
}
