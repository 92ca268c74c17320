// Bilinear look-ups in a square plane, row by row. Pixel centres lie at +.5 and the edge repeats.
// WGSL hands no storage array to a function, so a kernel fetches the four values itself: k, k + 1, k + side, k + side + 1.
struct Spot {
    k: u32, // the upper left of the four
    t: vec2<f32>, // how far from it to the right and down
}

// Where `at`, in pixels of the plane, lies. `side` is 2 at least.
fn spot(at: vec2<f32>, side: u32) -> Spot {
    let q = clamp(at - 0.5, vec2<f32>(0.0), vec2<f32>(f32(side) - 1.0));
    let i = min(vec2<u32>(q), vec2<u32>(side - 2u));
    return Spot(i.y * side + i.x, q - vec2<f32>(i));
}

// The four values mixed: above left, above right, below left, below right.
fn bilinear(a: f32, b: f32, c: f32, d: f32, t: vec2<f32>) -> f32 {
    return mix(mix(a, b, t.x), mix(c, d, t.x), t.y);
}

fn bilinear2(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>, t: vec2<f32>) -> vec2<f32> {
    return mix(mix(a, b, t.x), mix(c, d, t.x), t.y);
}

fn bilinear4(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, t: vec2<f32>) -> vec4<f32> {
    return mix(mix(a, b, t.x), mix(c, d, t.x), t.y);
}
