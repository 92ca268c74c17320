// What the geometric generator knows of a frame, resampled on HEF's crop: `driven` (16, crop, crop), channels as
// train/hef/README.md says, all but need; and what need is made from (see hef_need). Colours are taken between pixels, positions and shares from the nearest one.
// Need: how far the warp bends its surroundings, how far it moves them (light and sight change with the place), what is painted, and light that
// changed; whichever is most. Where nothing moves it is 0 exactly. Lids are painted from the portrait's own skin, better than the network that learnt without
// them knows how: they need it less.
#import hef_channels
#import sampling

struct Params {
    size: u32,
    crop: u32,
    left: f32, // of the crop, px of the picture
    top: f32,
    step: f32, // px of the picture for one of the crop
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> linear: array<vec4<f32>>; // (size²): RGB, alpha
@group(0) @binding(2) var<storage, read> rendered: array<vec4<f32>>; // (size²): RGB and mask of the lit mesh
@group(0) @binding(3) var<storage, read> warp: array<vec4<f32>>; // (size²): see surface_paint
@group(0) @binding(4) var<storage, read> paint: array<vec4<f32>>; // (size²): see surface_paint
@group(0) @binding(5) var<storage, read> mask: array<vec2<f32>>; // (size/2)²: blurred mouth, eye
@group(0) @binding(6) var<storage, read_write> driven: array<f32>;
@group(0) @binding(7) var<storage, read_write> need: array<f32>; // (crop²)

fn warp_at(x: i32, y: i32) -> vec2<f32> {
    return warp[u32(y) * p.size + u32(x)].xy;
}

// What moves by less than the first share of the crop's side stays, what moves by more than the second needs all.
const MOVED = vec2<f32>(0.002, 0.012);
// What a painted lid needs less.
const LID = 0.75;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.crop || id.y >= p.crop) {
        return;
    }
    let at = vec2<f32>(p.left, p.top) + (vec2<f32>(id.xy) + 0.5) * p.step;
    let last = i32(p.size) - 1;
    let s = spot(at, p.size);
    let k = s.k;
    let colour = bilinear4(linear[k], linear[k + 1u], linear[k + p.size], linear[k + p.size + 1u], s.t);
    let mesh = bilinear4(rendered[k], rendered[k + 1u], rendered[k + p.size], rendered[k + p.size + 1u], s.t);
    let half = p.size / 2u;
    let m = spot(at * 0.5, half);
    let inside = bilinear2(mask[m.k], mask[m.k + 1u], mask[m.k + half], mask[m.k + half + 1u], m.t);

    let near = clamp(vec2<i32>(floor(at)), vec2<i32>(0), vec2<i32>(last));
    let here = u32(near.y) * p.size + u32(near.x);
    let w = warp[here];
    let over = paint[here];
    let low = max(near - 1, vec2<i32>(0));
    let high = min(near + 1, vec2<i32>(last));
    let dx = (warp_at(high.x, near.y) - warp_at(low.x, near.y)) / f32(high.x - low.x);
    let dy = (warp_at(near.x, high.y) - warp_at(near.x, low.y)) / f32(high.y - low.y);
    // Singular values of the 2 × 2 matrix (dx, dy), the lower one negative where the picture is turned over; how far they are from a turn's.
    let a = vec2<f32>(dx.x + dy.y, dx.y - dy.x);
    let b = vec2<f32>(dx.x - dy.y, dx.y + dy.x);
    let mean = 0.5 * sqrt(dot(a, a));
    let spread = 0.5 * sqrt(dot(b, b));
    let bent = vec2<f32>(mean + spread - 1.0, mean - spread - 1.0);
    let off = sqrt(dot(bent, bent));
    let flow = (w.xy - vec2<f32>(near) - 0.5) / (p.step * f32(p.crop));
    let lit = smoothstep(0.01, 0.1, abs(w.z - 1.0));
    let moved = smoothstep(MOVED.x, MOVED.y, sqrt(dot(flow, flow)));
    // Shares that are nothing but rounding are nothing.
    let painted = clamp((abs(over.w) - 0.004) / 0.996, 0.0, 1.0);

    let plane = p.crop * p.crop;
    let to = id.y * p.crop + id.x;
    let light = sqrt(max(colour.xyz, vec3<f32>(0.0)));
    let shade = sqrt(max(mesh.xyz, vec3<f32>(0.0)));
    for (var c = 0u; c < 3u; c++) {
        driven[(DRIVEN_COMPOSITE + c) * plane + to] = light[c];
        driven[(DRIVEN_RENDER + c) * plane + to] = shade[c];
    }
    driven[DRIVEN_RENDER_MASK * plane + to] = mesh.w;
    driven[DRIVEN_PAINT * plane + to] = abs(over.w);
    driven[DRIVEN_MOUTH * plane + to] = inside.x;
    driven[DRIVEN_EYE * plane + to] = inside.y;
    driven[DRIVEN_PRIOR * plane + to] = flow.x;
    driven[(DRIVEN_PRIOR + 1u) * plane + to] = flow.y;
    driven[DRIVEN_LIGHT * plane + to] = w.z - 1.0;
    driven[DRIVEN_STRETCH * plane + to] = min(abs(mean - spread), 2.0);
    driven[DRIVEN_UNDER * plane + to] = w.w;
    need[to] = max(max(smoothstep(0.05, 0.3, off), moved), max(painted, lit)) * (1.0 - LID * max(-over.w, 0.0));
}
