// Second step of the rasteriser: for every tile, one bit a triangle that touches it. A bitmap needs no atomics and no capacity: it cannot
// overflow, and walking it visits triangles in ascending order, which makes ties deterministic. 72 kB a thousand triangles at 512².
// bounds (groups·1024) from `raster_bounds` · masks (tiles², groups·32): bit b of word w is triangle 32w + b · summary (tiles², groups):
// bit w of group g says that masks word 32g + w is not zero. One invocation a tile (x) and group of 1,024 triangles (y).
struct Params {
    tiles: u32, // along one side
    groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> bounds: array<u32>;
@group(0) @binding(2) var<storage, read_write> masks: array<u32>;
@group(0) @binding(3) var<storage, read_write> summary: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.x;
    let group = id.y;
    if (tile >= p.tiles * p.tiles || group >= p.groups) {
        return;
    }
    let x = tile % p.tiles;
    let y = tile / p.tiles;
    let at = (tile * p.groups + group) * 32u;
    var filled = 0u;
    for (var w = 0u; w < 32u; w++) {
        var mask = 0u;
        for (var b = 0u; b < 32u; b++) {
            let r = bounds[(group * 32u + w) * 32u + b];
            let inside = x >= (r & 255u) && y >= ((r >> 8u) & 255u) && x <= ((r >> 16u) & 255u) && y <= (r >> 24u);
            mask |= select(0u, 1u, inside) << b;
        }
        masks[at + w] = mask;
        filled |= select(0u, 1u, mask != 0u) << w;
    }
    summary[tile * p.groups + group] = filled;
}
