//! Records the network. Tensors are planar, (1, channels, side, side).

use super::weights::{AlignWeights, PICTURE};
use crate::compute::{PlanBuilder, Tensor};
use crate::layers::{Recorder, SLOPE, Span};

/// Activations by the names of the layers that make them.
pub type Probes = Vec<(String, Tensor)>;

/// Records it over `picture` (1, 3, C, C). Gives (1, 2K, C/4, C/4), an output of the plan, and with `probe` every layer's activation.
pub fn record(plan: &mut PlanBuilder, weights: &AlignWeights, picture: Tensor, probe: bool) -> (Tensor, Probes) {
    let crop = weights.config().crop;
    let mut r = Recorder::new(plan, 1, probe);
    // What the way up reads at each side: the skip, which the way down writes into its place there, and what comes from below.
    let joined: Vec<Span> =
        weights.up.iter().enumerate().map(|(i, layer)| r.temp("joined", layer.inputs, crop >> (i + 2))).collect();

    let mut x = r.temp("stem", weights.stem.outputs, crop / 2);
    conv(&mut r, "stem", &weights.stem, Span::whole(picture, PICTURE, crop), x, SLOPE);
    for (i, layer) in weights.down.iter().enumerate() {
        let y = joined.get(i).copied();
        let y = y.unwrap_or_else(|| r.temp("deepest", layer.outputs, crop >> (i + 2)));
        conv(&mut r, &format!("down.{i}"), layer, x, y, SLOPE);
        x = y;
    }
    let y = r.temp("bottom", weights.bottom.outputs, x.side);
    conv(&mut r, "bottom", &weights.bottom, x, y, SLOPE);
    x = y;
    for (i, layer) in weights.up.iter().enumerate().rev() {
        let below = x.total;
        r.upsample("up", x, joined[i].from(layer.inputs - below), below, false);
        let y = r.temp("up", layer.outputs, joined[i].side);
        conv(&mut r, &format!("up.{i}"), layer, joined[i], y, SLOPE);
        x = y;
    }
    let out = r.temp("seen", weights.head.outputs, x.side);
    conv(&mut r, "head", &weights.head, x, out, 1.0);
    r.plan.output(out.tensor);
    (out.tensor, r.probes.unwrap_or_default())
}

fn conv(r: &mut Recorder<'_>, name: &str, layer: &crate::layers::Conv, x: Span, y: Span, slope: f32) {
    r.conv(name, layer, x, y, None, slope);
    r.probe(|| name.to_owned(), y, layer.outputs);
}
