// Lays HEF's changes over the picture they belong to, fading towards the crop's edges. Where nothing changes the picture stays as it is to the bit.
// The picture is finer than the crop: beside an edge a change that is meant for the mean of both sides would leave a bright or dark line, so luma is held
// to what is nearby once more, here where the pixels are.
#import crop
#import hef_range
#import sampling
#import ycocg

struct Params {
    size: u32,
    crop: u32,
    left: f32, // of the crop, px of the picture
    top: f32,
    step: f32, // px of the picture for one of the crop
    fade: f32, // how far from its edges the crop counts in full, px of the crop
    trust: f32, // share of the changes that is laid over, 0..1
    plain: f32, // 1 for a picture of one hue, which the network would colour
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> result: array<f32>; // (6, crop, crop): see hef_finish
@group(0) @binding(2) var<storage, read> range: array<f32>; // (6, crop / 4, crop / 4): see hef_range
@group(0) @binding(3) var<storage, read_write> linear: array<vec4<f32>>; // (size²): RGB over the background, 1

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let at = crop_position(id.xy, vec2<f32>(p.left, p.top), p.step);
    let margin = crop_margin(at, f32(p.crop));
    if (margin <= 0.0) {
        return;
    }
    let s = spot(at, p.crop);
    var change: vec3<f32>;
    for (var c = 0u; c < 3u; c++) {
        let k = c * p.crop * p.crop + s.k;
        change[c] = bilinear(result[k], result[k + 1u], result[k + p.crop], result[k + p.crop + 1u], s.t);
    }
    if (all(change == vec3<f32>(0.0))) {
        return;
    }
    let k = id.y * p.size + id.x;
    let before = linear[k];
    let root = sqrt(max(before.xyz, vec3<f32>(0.0)));
    let share = p.trust * min(margin / p.fade, 1.0);
    let grey = root * (luma(change) / max(luma(root), 0.05));
    let made = root + mix(change, grey, p.plain) * share;
    let cells = p.crop / CELL;
    let near = spot(at / f32(CELL), cells);
    var bounds: array<f32, 2>;
    for (var n = 0u; n < 2u; n++) {
        let b = 3u * n * cells * cells + near.k;
        bounds[n] = bilinear(range[b], range[b + 1u], range[b + cells], range[b + cells + 1u], near.t);
    }
    let was = luma(root);
    let held = clamp(luma(made), min(bounds[0], was), max(bounds[1], was));
    let light = max(made + (held - luma(made)), vec3<f32>(0.0));
    linear[k] = vec4<f32>(light * light, before.w);
}
