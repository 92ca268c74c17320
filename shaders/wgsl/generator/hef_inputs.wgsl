// What the geometric generator knows of a frame, resampled on HEF's crop: `driven` (16, crop, crop), channels as train/hef/README.md says, all but
// 13; and the need that channel 13 is made from (see hef_need). Colours are taken between pixels, positions and shares from the nearest one.
// Need: how far the warp bends its surroundings, how far it moves them (light and sight change with the place), what is painted, and light that
// changed; whichever is most. Where nothing moves it is 0 exactly.
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

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.crop || id.y >= p.crop) {
        return;
    }
    let at = vec2<f32>(p.left, p.top) + (vec2<f32>(id.xy) + 0.5) * p.step;
    let last = i32(p.size) - 1;
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(f32(last)));
    let i = min(vec2<u32>(q), vec2<u32>(p.size - 2u));
    let t = q - vec2<f32>(i);
    let k = i.y * p.size + i.x;
    let colour = mix(mix(linear[k], linear[k + 1u], t.x), mix(linear[k + p.size], linear[k + p.size + 1u], t.x), t.y);
    let mesh = mix(mix(rendered[k], rendered[k + 1u], t.x), mix(rendered[k + p.size], rendered[k + p.size + 1u], t.x), t.y);
    let half = p.size / 2u;
    let r = clamp(at * 0.5 - 0.5, vec2<f32>(0.0), vec2<f32>(f32(half) - 1.0));
    let j = min(vec2<u32>(r), vec2<u32>(half - 2u));
    let u = r - vec2<f32>(j);
    let h = j.y * half + j.x;
    let inside = mix(mix(mask[h], mask[h + 1u], u.x), mix(mask[h + half], mask[h + half + 1u], u.x), u.y);

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
    let painted = clamp((over.w - 0.004) / 0.996, 0.0, 1.0);

    let plane = p.crop * p.crop;
    let to = id.y * p.crop + id.x;
    let light = sqrt(max(colour.xyz, vec3<f32>(0.0)));
    let shade = sqrt(max(mesh.xyz, vec3<f32>(0.0)));
    for (var c = 0u; c < 3u; c++) {
        driven[c * plane + to] = light[c];
        driven[(3u + c) * plane + to] = shade[c];
    }
    driven[6u * plane + to] = mesh.w;
    driven[7u * plane + to] = over.w;
    driven[8u * plane + to] = inside.x;
    driven[9u * plane + to] = inside.y;
    driven[10u * plane + to] = flow.x;
    driven[11u * plane + to] = flow.y;
    driven[12u * plane + to] = w.z - 1.0;
    driven[14u * plane + to] = min(abs(mean - spread), 2.0);
    driven[15u * plane + to] = w.w;
    need[to] = max(max(smoothstep(0.05, 0.3, off), moved), max(painted, lit));
}
