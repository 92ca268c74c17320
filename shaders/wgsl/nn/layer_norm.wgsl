// y = (x − mean) / sqrt(var + eps) · weight + bias over the last axis. x, y (rows, width). One workgroup a row, reduced through shared memory.
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

const SIZE = 32u;
var<workgroup> partial: array<f32, 32>;

fn sum(value: f32, lane: u32) -> f32 {
    partial[lane] = value;
    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            partial[lane] += partial[lane + half];
        }
    }
    workgroupBarrier();
    let total = partial[0];
    workgroupBarrier();
    return total;
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let base = group.x * p.width;
    var s = 0.0;
    for (var i = lane; i < p.width; i += SIZE) {
        s += x[base + i];
    }
    let mean = sum(s, lane) / f32(p.width);
    var q = 0.0;
    for (var i = lane; i < p.width; i += SIZE) {
        let d = x[base + i] - mean;
        q += d * d;
    }
    let scale = inverseSqrt(sum(q, lane) / f32(p.width) + p.eps);
    for (var i = lane; i < p.width; i += SIZE) {
        y[base + i] = (x[base + i] - mean) * scale * weight[i] + bias[i];
    }
}
