//! What the network sees of a frame and how it moves the portrait, on the pixels of the picture.

use anyhow::Result;
use vultus::avatar::AvatarFile;
use vultus::compute::{Compute, Element::F32, Executor, PlanBuilder, Tensor};
use vultus::face::FaceModel;
use vultus::generator::hef::{self, Crop, DRIVEN, HefInputs, HefWeights, Observer, SOURCE, STYLE_WORDS, Style};
use vultus_truth::Case;

use super::people::SIZE;
use super::wheel;

/// Channels of `driven`: the lit mesh, its mask, the prior flow.
const LIT: usize = 3;
const MASK: usize = 6;
const PRIOR: usize = 10;
/// Channels of the result: the residual flow.
const RESIDUAL: usize = 4;
/// Level of what lies outside: the mesh's mask or the network's crop.
const OUTSIDE: u8 = 32;

/// A portrait, and the network where there is one.
pub(super) struct Seen {
    observer: Observer,
    network: Option<Network>,
    style: Style,
}

struct Network {
    executor: Executor,
    driven: Tensor,
    style: Tensor,
    result: Tensor,
    prior: bool,
}

/// (SIZE², 3) sRGB each.
pub(super) struct Views {
    /// I^rd.
    pub(super) lit: Vec<u8>,
    /// Prior and residual flow as colours.
    pub(super) flow: Vec<u8>,
}

impl Seen {
    pub(super) fn new(model: &FaceModel, avatar: &AvatarFile, weights: Option<&HefWeights>) -> Result<Self> {
        let side = weights.map_or(SIZE, |weights| weights.config().crop);
        let crop = Crop::of(model, avatar, SIZE);
        let mut observer = Observer::new(&Compute::Cpu, model, avatar, SIZE, crop, side)?;
        let network = weights.map(|weights| Network::new(weights, &observer.source()?)).transpose()?;
        let style = Style::of(model, avatar);
        let style = if let Some(weights) = weights { style.for_network(weights) } else { style };
        Ok(Self { observer, network, style })
    }

    pub(super) fn case(&mut self, case: &Case) -> Result<Views> {
        let (_, side, crop) = self.observer.place();
        let driven = self.observer.observe(&case.beta, &case.motion)?.driven;
        let plane = side * side;
        let mut flow = driven[PRIOR * plane..][..2 * plane].to_vec();
        if let Some(network) = &mut self.network {
            if !network.prior {
                flow.fill(0.0);
            }
            let residual = network.run(driven, &self.style.words(&case.drive()))?;
            flow.iter_mut().zip(&residual[RESIDUAL * plane..]).for_each(|(sum, more)| *sum += more);
        }
        let mut views = Views { lit: Vec::with_capacity(3 * SIZE * SIZE), flow: Vec::with_capacity(3 * SIZE * SIZE) };
        for k in 0..SIZE * SIZE {
            let at = place(crop, side, k);
            let value = |planes: &[f32], channel: usize| at.map(|at| bilinear(&planes[channel * plane..], side, at));
            let share = value(driven, MASK).unwrap_or(0.0);
            for c in 0..3 {
                let light = value(driven, LIT + c).unwrap_or(0.0).powi(2);
                views.lit.push((share * 255.0 * srgb(light) + (1.0 - share) * f32::from(OUTSIDE)) as u8);
            }
            let pixels = [0, 1].map(|c| value(&flow, c).map(|v| v * crop.side));
            views.flow.extend(match pixels {
                [Some(x), Some(y)] => wheel::colour([x, y]),
                _ => [OUTSIDE; 3],
            });
        }
        Ok(views)
    }
}

impl Network {
    fn new(weights: &HefWeights, source: &[f32]) -> Result<Self> {
        let config = weights.config();
        let mut plan = PlanBuilder::new("E_src");
        let side = config.crop;
        let input = plan.input("source", [1, SOURCE, side, side], F32);
        let levels = hef::record_source(&mut plan, weights, input, 1);
        let mut once = Compute::Cpu.executor(plan.finish()?)?;
        once.write(input, source)?;
        once.run()?;
        let mut plan = PlanBuilder::new("HEF");
        let inputs = HefInputs {
            driven: plan.input("driven", [1, DRIVEN, side, side], F32),
            portrait: plan.constant("portrait", [1, side, side, 4], &hef::portrait(source, side)),
            style: plan.input("style", [1, STYLE_WORDS], F32),
            pyramid: (levels.iter())
                .map(|level| Ok(plan.constant("F^s", level.shape(), once.read::<f32>(*level)?)))
                .collect::<Result<_>>()?,
        };
        let result = hef::record(&mut plan, weights, &inputs, 1, false).result;
        let (driven, style, prior) = (inputs.driven, inputs.style, config.prior);
        Ok(Self { executor: Compute::Cpu.executor(plan.finish()?)?, driven, style, result, prior })
    }

    fn run(&mut self, driven: &[f32], style: &[f32]) -> Result<&[f32]> {
        self.executor.write(self.driven, driven)?;
        self.executor.write(self.style, style)?;
        self.executor.run()?;
        Ok(self.executor.read(self.result)?)
    }
}

/// Where pixel `k` of the picture lies in the crop, whose pixels' centres are whole numbers; none outside.
fn place(crop: Crop, side: usize, k: usize) -> Option<[f32; 2]> {
    let step = crop.side / side as f32;
    let at = [((k % SIZE) as f32 + 0.5 - crop.left) / step - 0.5, ((k / SIZE) as f32 + 0.5 - crop.top) / step - 0.5];
    at.iter().all(|v| (0.0..=(side - 1) as f32).contains(v)).then_some(at)
}

fn bilinear(plane: &[f32], side: usize, at: [f32; 2]) -> f32 {
    let i = at.map(|v| (v as usize).min(side - 2));
    let t = [at[0] - i[0] as f32, at[1] - i[1] as f32];
    let row = |k: usize| plane[k] * (1.0 - t[0]) + plane[k + 1] * t[0];
    let k = i[1] * side + i[0];
    row(k) * (1.0 - t[1]) + row(k + side) * t[1]
}

fn srgb(light: f32) -> f32 {
    let light = light.clamp(0.0, 1.0);
    if light <= 0.0031308 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}
