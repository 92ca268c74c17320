//! The ways to draw that are compared.

use anyhow::Result;
use vultus::assets::{AssetError, Assets};
use vultus::generator::Method;
use vultus::generator::hef::HefWeights;

/// What differences are told against.
pub(super) const BASELINE: &str = "warp";
/// The way that the sheet shows.
pub(super) const SHOWN: &str = "nano";
/// Names and weights files of the learned ways.
const LEARNED: [(&str, &str); 5] = [
    (SHOWN, "hef_nano.safetensors"),
    ("base", "hef_base.safetensors"),
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
    Learned(Box<HefWeights>),
}

impl Way {
    /// How to draw; none where the portrait itself is the picture.
    pub(super) fn method(&self) -> Option<Method<'_>> {
        match &self.draws {
            Draws::Copy => None,
            Draws::Mesh => Some(Method::WarpOnly),
            Draws::Geometric => Some(Method::Geometric),
            Draws::Learned(weights) => Some(Method::Learned(weights)),
        }
    }

    /// The network, where one draws.
    pub(super) fn weights(&self) -> Option<&HefWeights> {
        match &self.draws {
            Draws::Learned(weights) => Some(weights),
            Draws::Copy | Draws::Mesh | Draws::Geometric => None,
        }
    }
}

/// Every way whose weights are there, and a sentence for each whose are not. Weights that are there and no good are an error.
pub(super) fn all(assets: &Assets) -> Result<(Vec<Way>, Vec<String>)> {
    let plain = [("copy", Draws::Copy), ("mesh", Draws::Mesh), (BASELINE, Draws::Geometric)];
    let mut ways: Vec<Way> = plain.into_iter().map(|(name, draws)| Way { name, draws }).collect();
    let mut missing = Vec::new();
    for (name, file) in LEARNED {
        match assets.find(file) {
            Err(AssetError::Missing { .. } | AssetError::NotEmbedded(_)) => {
                missing.push(format!("{name} is left out: there is no {file}"));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let weights = HefWeights::read(assets.weights(file)?)?;
                ways.push(Way { name, draws: Draws::Learned(Box::new(weights)) });
            }
        }
    }
    Ok((ways, missing))
}
