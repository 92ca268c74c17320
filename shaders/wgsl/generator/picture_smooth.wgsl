// Smooths the edges between parts of the mesh (lip on lip, lip on teeth, lid on eyeball).
// Inside the mouth teeth and gaps are a pixel wide: what is painted there is blurred a little instead, in square roots of light, which keeps gaps
// dark; lips count less, so that the teeth fade into them.
// The raster says only which part owns each pixel's centre, so an edge is a staircase. A pixel at a step walks along the edge to both ends of its
// tread; the line through the middles of the risers then tells how much of the pixel the part across the edge covers. Where both sides show
// neighbouring points of the portrait, unpainted, its own soft edge is there already and nothing is done.
#import mesh

struct Params {
    size: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> linear: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(3) var<storage, read> parts: array<u32>; // (F) number of the part of each triangle
@group(0) @binding(4) var<storage, read> warp: array<vec4<f32>>; // see surface_paint
@group(0) @binding(5) var<storage, read> paint: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> smoothed: array<vec4<f32>>; // (size²)

const REACH = 10;
const INSIDE = 1u; // number of the mouth's parts
const LIPS = 0.3; // weight of what is beside the mouth in its blur

fn part_at(at: vec2<i32>) -> u32 {
    let q = clamp(at, vec2<i32>(0), vec2<i32>(i32(p.size) - 1));
    let f = triangle_id[u32(q.y) * p.size + u32(q.x)];
    if (f == NO_TRIANGLE) {
        return 0u;
    }
    return parts[f];
}

// Steps along the tread from `at` in direction `along` until it ends; w is 1 if it ends because the line comes to this side.
fn tread(at: vec2<i32>, along: vec2<i32>, across: vec2<i32>, mine: u32) -> vec2<f32> {
    for (var i = 1; i <= REACH; i++) {
        let q = at + along * i;
        if (part_at(q) != mine) {
            return vec2<f32>(f32(i) - 0.5, 1.0);
        }
        if (part_at(q + across) == mine) {
            return vec2<f32>(f32(i) - 0.5, 0.0);
        }
    }
    return vec2<f32>(f32(REACH) + 0.5, 0.0);
}

// Colour of a pixel of the picture, softened inside the mouth.
fn colour_at(at: vec2<i32>) -> vec4<f32> {
    let k = u32(at.y) * p.size + u32(at.x);
    let own = linear[k];
    let painted = paint[k].w;
    if (part_at(at) != INSIDE || painted <= 0.0) {
        return own;
    }
    var sum = vec3<f32>(0.0);
    var all = 0.0;
    for (var i = 0; i < 9; i++) {
        let d = vec2<i32>(i % 3 - 1, i / 3 - 1);
        let q = clamp(at + d, vec2<i32>(0), vec2<i32>(i32(p.size) - 1));
        let w = f32((2 - abs(d.x)) * (2 - abs(d.y))) * select(LIPS, 1.0, part_at(q) == INSIDE);
        sum += sqrt(max(linear[u32(q.y) * p.size + u32(q.x)].xyz, vec3<f32>(0.0))) * w;
        all += w;
    }
    let soft = sum / all;
    return vec4<f32>(mix(own.xyz, soft * soft, painted), own.w);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let k = id.y * p.size + id.x;
    let at = vec2<i32>(id.xy);
    var colour = colour_at(at);
    let mine = part_at(at);
    let up = part_at(at - vec2<i32>(0, 1)) != mine;
    let down = part_at(at + vec2<i32>(0, 1)) != mine;
    let left = part_at(at - vec2<i32>(1, 0)) != mine;
    let right = part_at(at + vec2<i32>(1, 0)) != mine;
    if (up || down || left || right) {
        // Of the edge's two directions the one with the longer tread is nearer to the line's.
        var best = 0.0;
        var share = 0.0;
        var from_there = at;
        for (var axis = 0; axis < 2; axis++) {
            let flat = axis == 0;
            if (!select(left || right, up || down, flat)) {
                continue;
            }
            let along = select(vec2<i32>(0, 1), vec2<i32>(1, 0), flat);
            let sign = select(select(1, -1, left), select(1, -1, up), flat);
            let across = select(vec2<i32>(sign, 0), vec2<i32>(0, sign), flat);
            let a = tread(at, -along, across, mine);
            let b = tread(at, along, across, mine);
            let whole = a.x + b.x;
            let near = select(b, a, a.x < b.x);
            if (whole > best) {
                best = whole;
                share = near.y * max(0.5 - near.x / whole, 0.0);
                from_there = at + across;
            }
        }
        let q = clamp(from_there, vec2<i32>(0), vec2<i32>(i32(p.size) - 1));
        let n = u32(q.y) * p.size + u32(q.x);
        let jump = max(smoothstep(1.5, 2.5, distance(warp[k].xy, warp[n].xy)), max(abs(paint[k].w), abs(paint[n].w)));
        colour = mix(colour, colour_at(q), share * jump);
    }
    smoothed[k] = colour;
}
