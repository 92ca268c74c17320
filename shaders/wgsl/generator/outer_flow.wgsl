// The flow for everything that is not face: hair, ears, clothes. One invocation a cell of `step`² pixels.
// rigid: where the head's motion alone puts the cell's source, minus the cell, in pixels: found by fixed point through a plate of depths and
// head weights that lies over the portrait. residual: what the mesh says beyond that, with its weight; 0 with a small weight
// where it says nothing, 0 with a large one where ear or scalp shows.
#import mesh
#import sampling

struct Params {
    row0: vec4<f32>, // camera space from head space: rotation and translation
    row1: vec4<f32>,
    row2: vec4<f32>,
    pivot: vec3<f32>,
    focal: f32, // px
    centre: vec2<f32>, // px
    size: u32, // side of the picture
    cells: u32, // side of the grid of cells
    step: u32,
    anchor: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangle_id: array<u32>;
@group(0) @binding(2) var<storage, read> barycentric: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> look: array<vec4<f32>>; // (V · 3), see vertex_look
@group(0) @binding(5) var<storage, read> plate: array<vec2<f32>>; // (cells²): depth in metres, head weight
@group(0) @binding(6) var<storage, read> motion: array<f32>; // (8): pitch, yaw, roll, x, y, z of the head
@group(0) @binding(7) var<storage, read_write> rigid: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> residual: array<vec4<f32>>;

// Sine and cosine by series: head angles are small, and both executors then agree to the last bits.
fn turn(a: f32) -> vec2<f32> {
    let q = a * a;
    return vec2<f32>(
        a * (1.0 - q * (1.0 / 6.0 - q * (1.0 / 120.0 - q / 5040.0))),
        1.0 - q * (0.5 - q * (1.0 / 24.0 - q * (1.0 / 720.0 - q / 40320.0))),
    );
}

fn plate_at(at: vec2<f32>) -> vec2<f32> {
    let s = spot(at / f32(p.step), p.cells);
    return bilinear2(plate[s.k], plate[s.k + 1u], plate[s.k + p.cells], plate[s.k + p.cells + 1u], s.t);
}

// Where the point of the portrait at `at` goes.
fn forward(at: vec2<f32>) -> vec2<f32> {
    let known = plate_at(at);
    let z = known.x;
    let w = known.y;
    let c = vec3<f32>((at.x - p.centre.x) / p.focal * z, (p.centre.y - at.y) / p.focal * z, -z);
    let d = c - vec3<f32>(p.row0.w, p.row1.w, p.row2.w);
    let h = p.row0.xyz * d.x + p.row1.xyz * d.y + p.row2.xyz * d.z - p.pivot;
    let a = turn(w * motion[0]);
    let b = turn(w * motion[1]);
    let g = turn(w * motion[2]);
    let r = vec3<f32>(g.y * h.x - g.x * h.y, g.x * h.x + g.y * h.y, h.z);
    let x = vec3<f32>(r.x, a.y * r.y - a.x * r.z, a.x * r.y + a.y * r.z);
    let y = vec3<f32>(b.y * x.x + b.x * x.z, x.y, b.y * x.z - b.x * x.x);
    let n = y + p.pivot + w * vec3<f32>(motion[3], motion[4], motion[5]);
    let o = vec3<f32>(dot(p.row0.xyz, n) + p.row0.w, dot(p.row1.xyz, n) + p.row1.w, dot(p.row2.xyz, n) + p.row2.w);
    return p.centre + vec2<f32>(o.x, -o.y) * (p.focal / max(-o.z, 0.05));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.cells || id.y >= p.cells) {
        return;
    }
    let cell = (vec2<f32>(id.xy) + 0.5) * f32(p.step);
    var at = cell;
    for (var i = 0; i < 3; i++) {
        at += cell - forward(at);
    }
    let moved = at - cell;

    // Four pixels of the cell, in a rotated square about its middle.
    var offsets = array<vec2<u32>, 4>(vec2<u32>(0u, 1u), vec2<u32>(2u, 0u), vec2<u32>(3u, 2u), vec2<u32>(1u, 3u));
    var sum = vec3<f32>(0.0);
    var still = 0.0;
    for (var i = 0u; i < 4u; i++) {
        let x = min(id.x * p.step + offsets[i].x * p.step / 4u, p.size - 1u);
        let y = min(id.y * p.step + offsets[i].y * p.step / 4u, p.size - 1u);
        let k = y * p.size + x;
        let f = triangle_id[k];
        if (f != NO_TRIANGLE) {
            let t = triangles[f];
            if (t.w == REGION_SKIN) {
                let b = corners(barycentric[k]);
                let l = look[t.x * 3u].xy * b.x + look[t.y * 3u].xy * b.y + look[t.z * 3u].xy * b.z;
                let steer = look[t.x * 3u + 2u].w * b.x + look[t.y * 3u + 2u].w * b.y + look[t.z * 3u + 2u].w * b.z;
                let weight = 0.25 * smoothstep(0.6, 0.95, steer);
                still += 0.25 * clamp(-steer, 0.0, 1.0);
                sum += vec3<f32>(l.x - f32(x) - 0.5, l.y - f32(y) - 0.5, 1.0) * weight;
            }
        }
    }
    let all = sum.z + p.anchor + still;
    let k = id.y * p.cells + id.x;
    rigid[k] = moved;
    residual[k] = vec4<f32>((sum.xy - moved * sum.z) / all, min(all, 1.0), 0.0);
}
