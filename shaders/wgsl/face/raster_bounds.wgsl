// First step of the rasteriser: which tiles (32 × 32 pixels) a triangle touches, as bytes x0, y0, x1, y1 from the lowest (inclusive).
// 0x0000ffff, an empty range, marks what is not drawn: a corner with screen.w ≤ 0 (too near, not a number), the back of a surface, no
// area, or a box without a pixel centre. triangles (F): three vertices and the region · screen (V) as `pose_project` leaves it ·
// bounds (groups·1024), padded by empty ranges.
struct Params {
    triangles: u32,
    padded: u32, // groups·1024
    size: u32,   // pixels, at most 8160
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> screen: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> bounds: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.padded) {
        return;
    }
    var packed = 0xffffu;
    if (id.x < p.triangles) {
        let t = triangles[id.x];
        let a = screen[t.x];
        let b = screen[t.y];
        let c = screen[t.z];
        // Counter-clockwise from outside, seen with y downwards.
        let area = (b.y - a.y) * (c.x - a.x) - (b.x - a.x) * (c.y - a.y);
        if (a.w > 0.0 && b.w > 0.0 && c.w > 0.0 && area > 0.0) {
            let last = f32(p.size) - 1.0;
            let x0 = max(ceil(min(a.x, min(b.x, c.x)) - 0.5), 0.0);
            let y0 = max(ceil(min(a.y, min(b.y, c.y)) - 0.5), 0.0);
            let x1 = min(floor(max(a.x, max(b.x, c.x)) - 0.5), last);
            let y1 = min(floor(max(a.y, max(b.y, c.y)) - 0.5), last);
            if (x0 <= x1 && y0 <= y1) {
                packed = (u32(x0) >> 5u) | ((u32(y0) >> 5u) << 8u) | ((u32(x1) >> 5u) << 16u) | ((u32(y1) >> 5u) << 24u);
            }
        }
    }
    bounds[id.x] = packed;
}
