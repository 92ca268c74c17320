// Lets need reach two pixels further, fading: need in `driven` (16, crop, crop) = the most of need (crop²) times a weight of the distance.
#import hef_channels

struct Params {
    crop: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> need: array<f32>;
@group(0) @binding(2) var<storage, read_write> driven: array<f32>;

const REACH = array<f32, 3>(1.0, 0.75, 0.35);

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.crop || id.y >= p.crop) {
        return;
    }
    let last = i32(p.crop) - 1;
    var weights = REACH;
    var most = 0.0;
    for (var dy = -2; dy <= 2; dy++) {
        let y = i32(id.y) + dy;
        if (y < 0 || y > last) {
            continue;
        }
        var row = 0.0;
        for (var dx = -2; dx <= 2; dx++) {
            let x = i32(id.x) + dx;
            if (x >= 0 && x <= last) {
                row = max(row, need[u32(y) * p.crop + u32(x)] * weights[abs(dx)]);
            }
        }
        most = max(most, row * weights[abs(dy)]);
    }
    driven[DRIVEN_NEED * p.crop * p.crop + id.y * p.crop + id.x] = most;
}
