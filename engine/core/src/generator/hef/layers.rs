//! The layers that only this network has. Tensors are planar, (B, channels, side, side).

use vultus_shaders::kernels::WarpFeaturesParams;

use super::weights::Encoder;
use crate::compute::{Grid, Tensor};
use crate::nn::{Recorder, SLOPE, Span};

impl Recorder<'_> {
    /// Each level of a pyramid, written where `to` says.
    pub(super) fn encode(&mut self, encoder: &Encoder, x: Span, to: &[Span]) {
        self.conv(&encoder.stem, x, to[to.len() - 1], SLOPE);
        for (level, layer) in encoder.down.iter().enumerate().rev() {
            self.conv(layer, to[level + 1], to[level], SLOPE);
        }
    }

    /// T(φ, F^s) with φ = prior + upsampled flow, written to `y`.
    pub(super) fn warp(&mut self, name: &str, features: Tensor, prior: Tensor, flow: Option<Span>, y: Span) {
        debug_assert_eq!(features.shape()[1], y.channels, "{name}");
        let params = WarpFeaturesParams {
            size: y.side() as u32,
            batch: self.batch as u32,
            channels: y.channels as u32,
            coarse_channels: flow.map_or(0, |f| f.total() as u32),
            coarse_first: flow.map_or(0, |f| f.first as u32),
            y_channels: y.total() as u32,
            y_first: y.first as u32,
        };
        let flow = flow.map_or_else(|| self.nothing()[0], |f| f.tensor);
        let grid = Grid::Threads([y.side() as u32, y.side() as u32, self.batch as u32]);
        self.plan.dispatch(params, &[features, prior, flow, y.tensor], grid);
        self.step(name, 0);
    }
}
