// What may follow a layer, by number.
const ACTIVATION_NONE = 0u;
const ACTIVATION_RELU = 1u;
const ACTIVATION_PRELU = 2u;
const ACTIVATION_HARD_SWISH = 3u;
const ACTIVATION_SIGMOID = 4u;

// `slope` is PReLU's, below zero. Beyond ±80 a sigmoid is 0 or 1 to the last bit.
fn activate(v: f32, kind: u32, slope: f32) -> f32 {
    if (kind == ACTIVATION_RELU) {
        return max(v, 0.0);
    }
    if (kind == ACTIVATION_PRELU) {
        return select(v * slope, v, v > 0.0);
    }
    if (kind == ACTIVATION_HARD_SWISH) {
        return v * clamp(v + 3.0, 0.0, 6.0) / 6.0;
    }
    if (kind == ACTIVATION_SIGMOID) {
        return 1.0 / (1.0 + exp(-clamp(v, -80.0, 80.0)));
    }
    return v;
}
