// Where the parts of a face lie on a feature map, as matrices for `crop_by_matrix`. Landmarks (B, stride) are triples x, y, z; times `factor` they are in
// cells of the map. A part (first, count, left, right) is so many landmarks of the list `subset`, and the two landmarks whose line shall lie level.
// With R the turn that makes it level: the box around the turned subset, `scale` times as large, is what `cells` × `cells` pixels show.
// y (B, parts, 6): M = T(centre) · R⁻¹ · diag(scale · box / cells) · T(−cells / 2), two rows of three.
struct Params {
    batch: u32,
    parts: u32,
    stride: u32,
    cells: u32,
    factor: f32,
    scale: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> landmarks: array<f32>;
@group(0) @binding(2) var<storage, read> parts: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> subset: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.batch * p.parts) {
        return;
    }
    let part = parts[id.x % p.parts];
    let base = id.x / p.parts * p.stride;
    let left = base + 3u * part.z;
    let right = base + 3u * part.w;
    let line = vec2<f32>(landmarks[right] - landmarks[left], landmarks[right + 1u] - landmarks[left + 1u]) * p.factor;
    let size = sqrt(dot(line, line));
    // Cosine and sine of the line's angle, which R takes away.
    var turn = vec2<f32>(1.0, 0.0);
    if (size > 0.0) {
        turn = line / size;
    }
    var low = vec2<f32>(1e30);
    var high = vec2<f32>(-1e30);
    for (var i = 0u; i < part.y; i++) {
        let k = base + 3u * subset[part.x + i];
        let at = vec2<f32>(landmarks[k], landmarks[k + 1u]) * p.factor;
        let turned = vec2<f32>(turn.x * at.x + turn.y * at.y, turn.x * at.y - turn.y * at.x);
        low = min(low, turned);
        high = max(high, turned);
    }
    let step = p.scale * (high - low) / f32(p.cells);
    let mid = 0.5 * (low + high);
    let centre = vec2<f32>(turn.x * mid.x - turn.y * mid.y, turn.y * mid.x + turn.x * mid.y);
    let middle = 0.5 * f32(p.cells);
    let a = turn.x * step.x;
    let b = -turn.y * step.y;
    let c = turn.y * step.x;
    let d = turn.x * step.y;
    let to = 6u * id.x;
    y[to] = a;
    y[to + 1u] = b;
    y[to + 2u] = centre.x - (a + b) * middle;
    y[to + 3u] = c;
    y[to + 4u] = d;
    y[to + 5u] = centre.y - (c + d) * middle;
}
