// Lays HEF's changes over the picture they belong to, fading towards the crop's edges. Where nothing changes the picture stays as it is to the bit.
// The picture is finer than the crop: beside an edge a change that is meant for the mean of both sides would leave a bright or dark line, so luma is held
// to what is nearby once more, here where the pixels are.
struct Params {
    size: u32,
    crop: u32,
    left: f32, // of the crop, px of the picture
    top: f32,
    step: f32, // px of the picture for one of the crop
    fade: f32, // how far from its edges the crop counts in full, px of the crop
    trust: f32, // share of the changes that is laid over, 0..1
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> result: array<f32>; // (6, crop, crop): see hef_finish
@group(0) @binding(2) var<storage, read> range: array<f32>; // (6, crop / 4, crop / 4): see hef_range
@group(0) @binding(3) var<storage, read_write> linear: array<vec4<f32>>; // (size²): RGB over the background, 1

const CELL = 4.0;

fn luma(c: vec3<f32>) -> f32 {
    return 0.5 * c.y + 0.25 * (c.x + c.z);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let at = (vec2<f32>(id.xy) + 0.5 - vec2<f32>(p.left, p.top)) / p.step;
    let side = f32(p.crop);
    let margin = min(min(at.x, at.y), min(side - at.x, side - at.y));
    if (margin <= 0.0) {
        return;
    }
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(side - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(p.crop - 2u));
    let t = q - vec2<f32>(i);
    var change: vec3<f32>;
    for (var c = 0u; c < 3u; c++) {
        let k = (c * p.crop + i.y) * p.crop + i.x;
        change[c] = mix(mix(result[k], result[k + 1u], t.x), mix(result[k + p.crop], result[k + p.crop + 1u], t.x), t.y);
    }
    if (all(change == vec3<f32>(0.0))) {
        return;
    }
    let k = id.y * p.size + id.x;
    let before = linear[k];
    let root = sqrt(max(before.xyz, vec3<f32>(0.0)));
    let made = root + change * (p.trust * min(margin / p.fade, 1.0));
    let cells = p.crop / 4u;
    let cell_at = clamp(at / CELL - 0.5, vec2<f32>(0.0), vec2<f32>(f32(cells) - 1.0));
    let j = min(vec2<u32>(cell_at), vec2<u32>(cells - 2u));
    let s = cell_at - vec2<f32>(j);
    var bounds: array<f32, 2>;
    for (var n = 0u; n < 2u; n++) {
        let b = (3u * n * cells + j.y) * cells + j.x;
        bounds[n] = mix(mix(range[b], range[b + 1u], s.x), mix(range[b + cells], range[b + cells + 1u], s.x), s.y);
    }
    let was = luma(root);
    let held = clamp(luma(made), min(bounds[0], was), max(bounds[1], was));
    let light = max(made + (held - luma(made)), vec3<f32>(0.0));
    linear[k] = vec4<f32>(light * light, before.w);
}
