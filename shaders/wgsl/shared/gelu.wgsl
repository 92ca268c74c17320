// GELU in its tanh form (Hendrycks and Gimpel 2016), written as v · sigmoid(2u): a tanh of large arguments may overflow.
fn gelu(v: f32) -> f32 {
    let u = 0.7978845608 * (v + 0.044715 * v * v * v);
    return v / (1.0 + exp(-2.0 * u));
}
