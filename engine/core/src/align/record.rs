//! Records the network. Tensors are planar, (1, channels, side, side).

use super::weights::{AlignWeights, PICTURE};
use crate::compute::{PlanBuilder, Tensor};
use crate::nn::{Conv, Recorder, SLOPE, Span};

pub use crate::nn::Probes;

/// Records it over `picture` (1, 3, C, C). Gives (1, 2K, C/4, C/4), an output of the plan, and with `probe` every layer's activation.
pub fn record(plan: &mut PlanBuilder, weights: &AlignWeights, picture: Tensor, probe: bool) -> (Tensor, Probes) {
    let crop = weights.config().crop;
    debug_assert_eq!(picture.shape().dims(), [1, PICTURE, crop, crop]);
    let mut r = Recorder::new(plan, 1, probe);
    // What the way up reads at each side: the skip, which the way down writes into its place there, and what comes from below.
    let joined: Vec<Span> =
        weights.up.iter().enumerate().map(|(i, layer)| r.planar("joined", layer.inputs, crop >> (i + 2))).collect();

    let mut x = r.planar("stem", weights.stem.outputs, crop / 2);
    conv(&mut r, "stem", &weights.stem, picture.into(), x, SLOPE);
    for (i, layer) in weights.down.iter().enumerate() {
        let skip = joined.get(i).map(|all| all.part(0, layer.outputs));
        let y = skip.unwrap_or_else(|| r.planar("deepest", layer.outputs, crop >> (i + 2)));
        conv(&mut r, &format!("down.{i}"), layer, x, y, SLOPE);
        x = y;
    }
    let y = r.planar("bottom", weights.bottom.outputs, x.side());
    conv(&mut r, "bottom", &weights.bottom, x, y, SLOPE);
    x = y;
    for (i, layer) in weights.up.iter().enumerate().rev() {
        r.upsample("up", x, joined[i].part(layer.inputs - x.channels, x.channels), false);
        let y = r.planar("up", layer.outputs, joined[i].side());
        conv(&mut r, &format!("up.{i}"), layer, joined[i], y, SLOPE);
        x = y;
    }
    let out = r.planar("seen", weights.head.outputs, x.side());
    conv(&mut r, "head", &weights.head, x, out, 1.0);
    let probes = r.probes();
    plan.output(out.tensor);
    (out.tensor, probes)
}

fn conv(r: &mut Recorder<'_>, name: &str, layer: &Conv, x: Span, y: Span, slope: f32) {
    r.conv(layer, x, y, slope);
    r.probe(name, y);
}
