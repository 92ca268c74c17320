//! Person or background: a matte of 256² (MediaPipe's selfie segmentation, on blocks of MobileNet V3, Howard et al. 2019).

use super::look::{Look, TrackError};
use super::net::{Act, Map, Net, Probes, Taps};
use super::picture::{Edge, Picture, View};
use crate::compute::{Compute, Element::F32, PlanBuilder, PlanError, Tensor};
use crate::weights::{WeightError, WeightReader};

/// Side of the network's picture and of the matte.
pub const MATTE: usize = 256;

/// Records the network over `picture` (3, 256, 256), 0 to 1. Gives the matte (256, 256), 1 is person, an output of the plan.
///
/// # Errors
/// A tensor is missing, mis-shaped, not finite or of no use.
pub fn record(
    plan: &mut PlanBuilder,
    mut weights: WeightReader,
    picture: Tensor,
    probe: bool,
) -> Result<(Tensor, Probes), WeightError> {
    let mut net = Net::new(plan, &mut weights, true, probe);
    net.part("net", 0);
    let matte = network(&mut net, Map { tensor: picture, channels: 3, side: MATTE })?;
    let probes = net.finish();
    weights.finish()?;
    plan.output(matte);
    Ok((matte, probes))
}

fn network(net: &mut Net<'_>, picture: Map) -> Result<Tensor, WeightError> {
    use Act::{HardSwish, Relu};
    let half = net.conv(picture, 16, Taps::same(3, 2), HardSwish)?;
    let quarter = inverted(net, half, 16, Taps::same(3, 2), 8, 16, Relu)?;
    let x = inverted(net, quarter, 72, Taps::same(3, 2), 0, 24, Relu)?;
    let eighth = inverted(net, x, 88, Taps::same(3, 1), 0, 24, Relu)?;
    let mut x = inverted(net, eighth, 96, Taps::same(5, 2), 24, 32, HardSwish)?;
    for (wide, squeezed) in [(128, 32), (128, 32), (96, 24), (96, 24)] {
        x = inverted(net, x, wide, Taps::same(5, 1), squeezed, 32, HardSwish)?;
    }
    // The whole picture's mean says which channels count.
    let mean = net.mean(x);
    let wide = net.conv(x, 128, Taps::ONE, Act::None)?;
    let gate = net.conv(mean, 128, Taps::ONE, Act::None)?;
    let wide = net.act(wide, Relu);
    let gate = net.act(gate, Act::Sigmoid);
    x = net.scale(wide, gate);
    for skip in [eighth, quarter, half] {
        x = decode(net, x, skip)?;
    }
    Ok(net.up(x, Act::Sigmoid)?.tensor)
}

/// An inverted residual block: `wide` channels inside, squeeze and excitation where `squeezed` is not 0; x is added where it has y's shape.
fn inverted(
    net: &mut Net<'_>,
    x: Map,
    wide: usize,
    taps: Taps,
    squeezed: usize,
    outputs: usize,
    act: Act,
) -> Result<Map, WeightError> {
    let mut y = net.conv(x, wide, Taps::ONE, act)?;
    y = net.depthwise(y, taps, act)?;
    if squeezed > 0 {
        y = excite(net, y, y, squeezed)?;
    }
    y = net.conv(y, outputs, Taps::ONE, Act::None)?;
    if taps.stride == 1 && outputs == x.channels { net.add(y, x, Act::None) } else { Ok(y) }
}

/// x · sigmoid(conv(relu(conv(mean of `seen`)))).
fn excite(net: &mut Net<'_>, x: Map, seen: Map, squeezed: usize) -> Result<Map, WeightError> {
    let mean = net.mean(seen);
    let few = net.conv(mean, squeezed, Taps::ONE, Act::Relu)?;
    let gate = net.conv(few, x.channels, Taps::ONE, Act::Sigmoid)?;
    Ok(net.scale(x, gate))
}

/// Twice the side, joined with what the way down had there.
fn decode(net: &mut Net<'_>, x: Map, skip: Map) -> Result<Map, WeightError> {
    let x = net.upsample(x);
    let x = net.conv(x, skip.channels, Taps::ONE, Act::None)?;
    let both = net.add(skip, x, Act::None)?;
    let skip = excite(net, skip, both, skip.channels)?;
    let y = net.add(skip, x, Act::None)?;
    let y = net.conv(y, skip.channels, Taps::ONE, Act::Relu)?;
    let deep = net.depthwise(y, Taps::same(3, 1), Act::Relu)?;
    net.add(y, deep, Act::None)
}

/// The segmenter, ready to look at pictures.
#[derive(Debug)]
pub struct Segmenter {
    look: Look,
    matte: Tensor,
}

impl Segmenter {
    /// The weights file.
    pub const FILE: &'static str = "track_segmenter.safetensors";

    /// Of the weights in [`Self::FILE`].
    ///
    /// # Errors
    /// As [`record`].
    pub fn new(compute: &Compute, weights: WeightReader) -> Result<Self, TrackError> {
        let mut plan = PlanBuilder::new("segmenter");
        let picture = plan.input("picture", [1, 3, MATTE, MATTE], F32);
        let (matte, _) = record(&mut plan, weights, picture, false)?;
        Ok(Self { look: Look::new(compute, plan, picture)?, matte })
    }

    /// Another one of the same weights, which are held once. Nothing is kept from picture to picture.
    ///
    /// # Errors
    /// None, unless [`record`] is wrong.
    pub fn another(&self) -> Result<Self, PlanError> {
        Ok(Self { look: self.look.another()?, matte: self.matte })
    }

    /// The matte (256, 256) of what a view shows: how much of each pixel is person.
    ///
    /// # Errors
    /// The device cannot be waited for.
    pub fn matte(&mut self, picture: &Picture<'_>, view: &View) -> Result<&[f32], TrackError> {
        self.look.at(picture, view, Edge::Repeat, [0.0, 1.0])?;
        Ok(self.look.said(self.matte)?)
    }
}
