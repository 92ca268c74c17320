// Holds HEF's colours to those that the composite has nearby, as temporal anti-aliasing holds its history (neighbourhood clamp in YCoCg; Karis 2014):
// what the network makes of people unlike those it has seen can then be blurred or misplaced, but no colour that nobody has there. Inside the mouth, where
// held-out people look best as the geometric generator paints them, it may change a little light.
#import hef_channels
#import hef_range
#import sampling
#import ycocg

struct Params {
    crop: u32, // a multiple of 4
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> driven: array<f32>; // (16, crop, crop): see hef_inputs
@group(0) @binding(2) var<storage, read> range: array<f32>; // (6, crop / 4, crop / 4): see hef_range
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (6, crop, crop): see hef_finish; 0–2 change

// How far luma and chroma may go inside the mouth; beyond it what is nearby is the only bound.
const PAINTED = vec3<f32>(0.03, 0.015, 0.015);

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.crop || id.y >= p.crop) {
        return;
    }
    let plane = p.crop * p.crop;
    let k = id.y * p.crop + id.x;
    let change = vec3<f32>(result[k], result[k + plane], result[k + 2u * plane]);
    if (all(change == vec3<f32>(0.0))) {
        return;
    }
    let before = vec3<f32>(driven[k], driven[k + plane], driven[k + 2u * plane]);
    let c = before + change;
    let cells = p.crop / CELL;
    let s = spot((vec2<f32>(id.xy) + 0.5) / f32(CELL), cells);
    var bounds: array<f32, 6>;
    for (var n = 0u; n < 6u; n++) {
        let at = n * cells * cells + s.k;
        bounds[n] = bilinear(range[at], range[at + 1u], range[at + cells], range[at + cells + 1u], s.t);
    }
    let made = ycocg(c);
    let was = ycocg(before);
    let share = made.yz / (max(made.x, 0.0) + DARK);
    let y = clamp(made.x, bounds[0], bounds[3]);
    let held_share = clamp(share, vec2<f32>(bounds[1], bounds[2]), vec2<f32>(bounds[4], bounds[5]));
    let same = y == made.x && all(held_share == share);
    let chroma = select(held_share * (max(y, 0.0) + DARK), made.yz, same);
    let limit = mix(vec3<f32>(1.0), PAINTED, driven[DRIVEN_MOUTH * plane + k]);
    let held = clamp(vec3<f32>(y, chroma), was - limit, was + limit);
    if (all(held == made)) {
        return;
    }
    let kept = rgb(held) - before;
    result[k] = kept.x;
    result[k + plane] = kept.y;
    result[k + 2u * plane] = kept.z;
}
