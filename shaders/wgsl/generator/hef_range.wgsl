// Which colours there are around each cell of 4 × 4 pixels of the composite: lowest and highest luma (Y of YCoCg, of square roots of light) of the cell and
// the eight around it, and chroma as a share of it, (Co, Cg) / (Y + DARK). hef_bound holds HEF's colours to them.
#import hef_range
#import ycocg

struct Params {
    crop: u32, // a multiple of 4
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> driven: array<f32>; // (16, crop, crop): see hef_inputs
@group(0) @binding(2) var<storage, read_write> range: array<f32>; // (6, crop / 4, crop / 4): the lowest three, then the highest

// Half a level of 256: what is within rounding is no other colour.
const SLACK = 0.002;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let cells = p.crop / CELL;
    if (id.x >= cells || id.y >= cells) {
        return;
    }
    let first = (max(id.xy, vec2<u32>(1u)) - 1u) * CELL;
    let last = min((id.xy + 2u) * CELL, vec2<u32>(p.crop));
    let plane = p.crop * p.crop;
    var low = vec3<f32>(1e9);
    var high = vec3<f32>(-1e9);
    for (var y = first.y; y < last.y; y++) {
        for (var x = first.x; x < last.x; x++) {
            let k = y * p.crop + x;
            let c = ycocg(vec3<f32>(driven[k], driven[k + plane], driven[k + 2u * plane]));
            let colour = vec3<f32>(c.x, c.yz / (max(c.x, 0.0) + DARK));
            low = min(low, colour);
            high = max(high, colour);
        }
    }
    for (var c = 0u; c < 3u; c++) {
        range[(c * cells + id.y) * cells + id.x] = low[c] - SLACK;
        range[((c + 3u) * cells + id.y) * cells + id.x] = high[c] + SLACK;
    }
}
