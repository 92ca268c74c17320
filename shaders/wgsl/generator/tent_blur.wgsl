// A tent of `radius` cells along one axis (dx, dy) of a field of pairs; the edge repeats.
struct Params {
    width: u32,
    height: u32,
    dx: u32, // 1 along rows, 0 along columns
    radius: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> from_field: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> to_field: array<vec2<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.width || id.y >= p.height) {
        return;
    }
    let r = i32(p.radius);
    let at = vec2<i32>(id.xy);
    let last = vec2<i32>(i32(p.width) - 1, i32(p.height) - 1);
    let along = select(vec2<i32>(0, 1), vec2<i32>(1, 0), p.dx == 1u);
    var sum = vec2<f32>(0.0);
    for (var i = -r; i <= r; i++) {
        let q = clamp(at + along * i, vec2<i32>(0), last);
        sum += from_field[u32(q.y) * p.width + u32(q.x)] * f32(r + 1 - abs(i));
    }
    to_field[id.y * p.width + id.x] = sum / f32((r + 1) * (r + 1));
}
