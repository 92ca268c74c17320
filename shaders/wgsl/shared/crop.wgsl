// Where a pixel of the picture lies in HEF's crop, px of the crop.
fn crop_position(pixel: vec2<u32>, start: vec2<f32>, step: f32) -> vec2<f32> {
    return (vec2<f32>(pixel) + 0.5 - start) / step;
}

// How far it is from the crop's nearest edge; 0 or less outside.
fn crop_margin(at: vec2<f32>, side: f32) -> f32 {
    return min(min(at.x, at.y), min(side - at.x, side - at.y));
}
