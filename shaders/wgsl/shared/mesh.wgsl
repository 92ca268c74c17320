// What the raster says of a pixel, and what a triangle of the mesh is part of. The face model's file has the same numbers (train/face/albedo.py).
const NO_TRIANGLE = 0xffffffffu;

// Last word of a triangle.
const REGION_SKIN = 0u;
const REGION_MOUTH_LINING = 1u;
const REGION_LEFT_EYE = 2u;
const REGION_RIGHT_EYE = 3u;
const REGION_TEETH = 4u;
const REGION_GUM = 5u;
const REGION_TONGUE = 6u;
const REGION_LASHES = 7u;

fn is_eye(region: u32) -> bool {
    return region == REGION_LEFT_EYE || region == REGION_RIGHT_EYE;
}

// Weights of a triangle's three corners from those of the first two.
fn corners(barycentric: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(barycentric, 1.0 - barycentric.x - barycentric.y);
}
