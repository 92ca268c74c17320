// Head motion, placement and camera: model vertices to camera space and to pixels.
//   X' = R(w·Δrot)·(X − pivot) + pivot + w·Δt,   R = Ry(yaw)·Rx(pitch)·Rz(roll),   X_cam = R_s·X' + t_s
// model (3, stride) metres, head space · head_weight (V), w · motion (8): pitch, yaw, roll in radians (|w·angle| is held to π/2), x, y, z in
// metres, two unused · positions (V) camera space, metres, w = 1 · screen (V): x, y in pixels, depth = −z in metres, 1/depth.
// A vertex that is nearer than `near`, far outside every picture or not a number gets screen.w = 0, and its triangles are not drawn.
struct Params {
    vertices: u32,
    stride: u32,
    size: f32,  // pixels
    focal: f32, // in picture heights, as the centre
    center: vec2<f32>,
    near: f32,
    pivot: vec3<f32>,
    to_camera_x: vec4<f32>, // a row of R_s and the same row of t_s
    to_camera_y: vec4<f32>,
    to_camera_z: vec4<f32>,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> model: array<f32>;
@group(0) @binding(2) var<storage, read> head_weight: array<f32>;
@group(0) @binding(3) var<storage, read> motion: array<f32>;
@group(0) @binding(4) var<storage, read_write> positions: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> screen: array<vec4<f32>>;

// Sine and cosine by their series up to a¹¹ and a¹²: below 1e-7 on ±π/2, where a GPU's own may be off by 5e-4.
fn sin_cos(angle: f32) -> vec2<f32> {
    let a = clamp(angle, -1.5707963, 1.5707963);
    let q = a * a;
    let s = 1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0 - q * (1.0 / 39916800.0)))));
    let c = -0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 + q * (-1.0 / 3628800.0 + q * (1.0 / 479001600.0)))));
    return vec2(a * s, 1.0 + q * c);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if (i >= p.vertices) {
        return;
    }
    let w = head_weight[i];
    let pitch = sin_cos(w * motion[0]);
    let yaw = sin_cos(w * motion[1]);
    let roll = sin_cos(w * motion[2]);
    let v = vec3(model[i], model[p.stride + i], model[2u * p.stride + i]) - p.pivot;
    let a = vec3(roll.y * v.x - roll.x * v.y, roll.x * v.x + roll.y * v.y, v.z);
    let b = vec3(a.x, pitch.y * a.y - pitch.x * a.z, pitch.x * a.y + pitch.y * a.z);
    let c = vec3(yaw.y * b.x + yaw.x * b.z, b.y, yaw.y * b.z - yaw.x * b.x);
    let x = c.x + p.pivot.x + w * motion[3];
    let y = c.y + p.pivot.y + w * motion[4];
    let z = c.z + p.pivot.z + w * motion[5];

    let cx = p.to_camera_x.x * x + p.to_camera_x.y * y + p.to_camera_x.z * z + p.to_camera_x.w;
    let cy = p.to_camera_y.x * x + p.to_camera_y.y * y + p.to_camera_y.z * z + p.to_camera_y.w;
    let cz = p.to_camera_z.x * x + p.to_camera_z.y * y + p.to_camera_z.z * z + p.to_camera_z.w;
    positions[i] = vec4(cx, cy, cz, 1.0);
    let depth = -cz;
    let inverse = 1.0 / depth;
    let u = (p.center.x + p.focal * cx * inverse) * p.size;
    let s = (p.center.y - p.focal * cy * inverse) * p.size;
    let drawn = depth > p.near && depth < 1e4 && abs(u) < 1e5 && abs(s) < 1e5;
    screen[i] = select(vec4(0.0, 0.0, 0.0, 0.0), vec4(u, s, depth, inverse), drawn);
}
