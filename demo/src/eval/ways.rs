//! The ways to draw that are compared.

use anyhow::Result;
use vultus::align::Aligner;
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::{FaceModel, Placement, Points};
use vultus::generator::Method;
use vultus::generator::hef::HefWeights;
use vultus_native::assets::{ALIGN, AssetError, Assets};
use vultus_native::registry::aligner;

use super::people::SIZE;

/// What differences are told against.
pub(super) const BASELINE: &str = "warp";
/// The same on the corrected fit.
const ALIGNED: &str = "warp_aligned";
/// The way that the sheet shows.
pub(super) const SHOWN: &str = "nano";
/// Names and weights files of the learned ways.
const LEARNED: [(&str, &str); 6] = [
    (SHOWN, "hef_nano.safetensors"),
    ("base", "hef_base.safetensors"),
    // As many steps of training as the ablations had.
    ("nano_short", "hef_nano_short.safetensors"),
    ("no_residual", "hef_nano_no_residual.safetensors"),
    ("no_hierarchy", "hef_nano_no_hierarchy.safetensors"),
    ("no_prior", "hef_nano_no_prior.safetensors"),
];

/// One of them.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    draws: Draws,
}

#[derive(Debug)]
enum Draws {
    Copy,
    Mesh,
    Geometric,
    Aligned,
    Learned(Box<HefWeights>),
}

/// A portrait's fit.
pub(super) struct Fit {
    given: AvatarFile,
    /// As the learned ways have it, where the network for that is there.
    corrected: Option<AvatarFile>,
}

impl Fit {
    pub(super) fn new(model: &FaceModel, given: AvatarFile, aligner: Option<&Aligner>) -> Result<Self> {
        let corrected = aligner.map(|aligner| aligner.correct(&Compute::Cpu, model, &given)).transpose()?;
        Ok(Self { given, corrected })
    }

    /// As it was before any correction.
    pub(super) fn given(&self) -> &AvatarFile {
        &self.given
    }

    /// How far the landmarks of both are from those of `exact`.
    pub(super) fn off(&self, landmarks: &Points, exact: &AvatarFile) -> (f64, Option<f64>) {
        let of = |avatar: &AvatarFile| landmarks.project(&Placement::of(avatar));
        let truth = of(exact);
        let rms = |avatar: &AvatarFile| {
            let square = of(avatar).into_iter().zip(&truth).map(|(a, b)| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2));
            SIZE as f64 * (square.sum::<f64>() / truth.len() as f64).sqrt()
        };
        (rms(&self.given), self.corrected.as_ref().map(rms))
    }

    /// The best that there is.
    pub(super) fn best(&self) -> &AvatarFile {
        self.corrected.as_ref().unwrap_or(&self.given)
    }
}

impl Way {
    /// How to draw; none where the portrait itself is the picture.
    pub(super) fn method(&self) -> Option<Method<'_>> {
        match &self.draws {
            Draws::Copy => None,
            Draws::Mesh => Some(Method::WarpOnly),
            Draws::Geometric | Draws::Aligned => Some(Method::Geometric),
            Draws::Learned(weights) => Some(Method::Learned(weights)),
        }
    }

    /// The network, where one draws.
    pub(super) fn weights(&self) -> Option<&HefWeights> {
        match &self.draws {
            Draws::Learned(weights) => Some(weights),
            Draws::Copy | Draws::Mesh | Draws::Geometric | Draws::Aligned => None,
        }
    }

    /// Whose fit it draws.
    pub(super) fn avatar<'a>(&self, fit: &'a Fit) -> &'a AvatarFile {
        match &self.draws {
            Draws::Copy | Draws::Mesh | Draws::Geometric => fit.given(),
            Draws::Aligned | Draws::Learned(_) => fit.best(),
        }
    }
}

/// All of them, and what they need.
pub(super) struct Ways {
    pub(super) ways: Vec<Way>,
    pub(super) aligner: Option<Aligner>,
    /// A sentence for each whose weights are not there.
    pub(super) missing: Vec<String>,
}

/// Every way whose weights are there. Weights that are there and no good are an error.
pub(super) fn all(assets: &Assets, face: &FaceModel) -> Result<Ways> {
    let plain = [("copy", Draws::Copy), ("mesh", Draws::Mesh), (BASELINE, Draws::Geometric)];
    let mut ways: Vec<Way> = plain.into_iter().map(|(name, draws)| Way { name, draws }).collect();
    let mut missing = Vec::new();
    let mut lacks = |name: &str, file: &str| missing.push(format!("{name} is left out: there is no {file}"));
    let aligner = aligner(assets, face)?;
    match &aligner {
        Some(_) => ways.push(Way { name: ALIGNED, draws: Draws::Aligned }),
        None => lacks(ALIGNED, ALIGN),
    }
    for (name, file) in LEARNED {
        match assets.find(file) {
            Err(AssetError::Missing { .. } | AssetError::NotEmbedded(_)) => lacks(name, file),
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let weights = HefWeights::read(assets.weights(file)?)?;
                ways.push(Way { name, draws: Draws::Learned(Box::new(weights)) });
            }
        }
    }
    Ok(Ways { ways, aligner, missing })
}
