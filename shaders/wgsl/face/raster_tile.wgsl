// Third step of the rasteriser: every pixel walks its tile's bits and keeps the nearest triangle.
//
// Rule: a pixel belongs to a triangle if its centre is inside or on an edge (inclusive); among triangles the nearest wins, among equally near
// ones the lowest index. An edge function is always computed from the same end of the edge (the upper, then left one) and from the tile's
// left side, and gets its sign last: two triangles that share an edge get exactly opposite values, so no pixel between them is missed.
// triangles (F), screen (V), masks, summary: see the steps before · triangle_id (S, S), 0xffffffff = none · barycentric (S, S) perspective-
// correct weights of the triangle's first two vertices · depth (S, S) metres, 1e9 = none
#import mesh

struct Params {
    size: u32,
    tiles: u32,
    groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> triangles: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> screen: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> masks: array<u32>;
@group(0) @binding(4) var<storage, read> summary: array<u32>;
@group(0) @binding(5) var<storage, read_write> triangle_id: array<u32>;
@group(0) @binding(6) var<storage, read_write> barycentric: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> depth: array<f32>;

// Twice the signed area between edge a → b and the pixel (left + column, y), positive inside.
fn edge(a: vec2<f32>, b: vec2<f32>, left: f32, column: f32, y: f32) -> f32 {
    let flipped = b.y < a.y || (b.y == a.y && b.x < a.x);
    let start = select(a, b, flipped);
    let d = select(b, a, flipped) - start;
    let value = d.y * (left - start.x) - d.x * (y - start.y) + d.y * column;
    return select(value, -value, flipped);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.size || id.y >= p.size) {
        return;
    }
    let tile = (id.y / 32u) * p.tiles + id.x / 32u;
    let left = f32(id.x & ~31u) + 0.5;
    let column = f32(id.x & 31u);
    let y = f32(id.y) + 0.5;
    var best = NO_TRIANGLE;
    var best_inverse = 0.0; // 1 / depth
    var weights = vec2(0.0, 0.0);
    for (var g = 0u; g < p.groups; g++) {
        let row = tile * p.groups + g;
        var filled = summary[row];
        while (filled != 0u) {
            let w = firstTrailingBit(filled);
            filled &= filled - 1u;
            var mask = masks[row * 32u + w];
            while (mask != 0u) {
                let index = (g * 32u + w) * 32u + firstTrailingBit(mask);
                mask &= mask - 1u;
                let t = triangles[index];
                let a = screen[t.x];
                let b = screen[t.y];
                let c = screen[t.z];
                let e = vec3(edge(b.xy, c.xy, left, column, y), edge(c.xy, a.xy, left, column, y), edge(a.xy, b.xy, left, column, y));
                if (e.x >= 0.0 && e.y >= 0.0 && e.z >= 0.0) {
                    let n0 = e.x * a.w;
                    let n1 = e.y * b.w;
                    let sum = n0 + n1 + e.z * c.w;
                    let inverse = sum / (e.x + e.y + e.z);
                    if (inverse > best_inverse) {
                        best_inverse = inverse;
                        best = index;
                        weights = vec2(n0, n1) * (1.0 / sum);
                    }
                }
            }
        }
    }
    let at = id.y * p.size + id.x;
    triangle_id[at] = best;
    barycentric[at] = weights;
    depth[at] = select(1e9, 1.0 / best_inverse, best != NO_TRIANGLE);
}
