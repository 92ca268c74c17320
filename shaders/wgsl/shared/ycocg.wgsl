// Luma and two chromas of square roots of light: (Y, Co, Cg) of (R, G, B) and back.
fn luma(c: vec3<f32>) -> f32 {
    return 0.5 * c.y + 0.25 * (c.x + c.z);
}

fn ycocg(c: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(luma(c), 0.5 * (c.x - c.z), 0.5 * c.y - 0.25 * (c.x + c.z));
}

fn rgb(c: vec3<f32>) -> vec3<f32> {
    return vec3<f32>(c.x - c.z + c.y, c.x + c.z, c.x - c.z - c.y);
}
