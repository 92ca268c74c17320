// layer_norm with subgroup reductions: one barrier pair a sum, whatever the subgroup's size.
struct Params {
    rows: u32,
    width: u32,
    eps: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const SIZE = 64u;
// Room for one value a subgroup, down to subgroups of a single lane.
var<workgroup> partial: array<f32, 64>;

fn sum(value: f32, first: bool, subgroup: u32, subgroups: u32) -> f32 {
    let part = subgroupAdd(value);
    if (first) {
        partial[subgroup] = part;
    }
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < subgroups; i++) {
        total += partial[i];
    }
    workgroupBarrier();
    return total;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) within: u32,
) {
    let base = group.x * p.width;
    var s = 0.0;
    for (var i = lane; i < p.width; i += SIZE) {
        s += x[base + i];
    }
    let mean = sum(s, within == 0u, subgroup, subgroups) / f32(p.width);
    var q = 0.0;
    for (var i = lane; i < p.width; i += SIZE) {
        let d = x[base + i] - mean;
        q += d * d;
    }
    let scale = inverseSqrt(sum(q, within == 0u, subgroup, subgroups) / f32(p.width) + p.eps);
    for (var i = lane; i < p.width; i += SIZE) {
        y[base + i] = (x[base + i] - mean) * scale * weight[i] + bias[i];
    }
}
