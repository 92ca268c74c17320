//! The generators that ship: the geometric one, and the learned ones over it.

use std::sync::Arc;

use vultus::align::{AlignWeights, Aligner};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::generator::hef::{HefConfig, HefWeights};
use vultus::generator::{Method, Prepared, Recording};

use super::{Drawer, Easel, GENERATOR, GeneratorEntry, OpenError, is_there};
use crate::assets::{ALIGN, AssetError, Assets};
use crate::compute::clock;

/// Seed of the weights that no training made.
const SEED: u64 = 1;
const NANO: &str = "hef_nano.safetensors";
const BASE: &str = "hef_base.safetensors";

pub(super) const ENTRIES: [GeneratorEntry; 4] = [
    GeneratorEntry {
        name: "warp",
        about: "The portrait, warped by the mesh, with painted mouth and eyes: needs no network",
        files: &[],
        open: |easel| portraits(easel, None),
    },
    GeneratorEntry {
        name: GENERATOR,
        about: "The small network over it: for processors; live it wants four threads if the browser is on the same machine",
        files: &[NANO],
        open: |easel| portraits(easel, Some(trained(easel.assets, NANO)?)),
    },
    GeneratorEntry {
        name: "base",
        about: "The larger one: for a GPU",
        files: &[BASE],
        open: |easel| portraits(easel, Some(trained(easel.assets, BASE)?)),
    },
    GeneratorEntry {
        name: "paper",
        about: "The size of the paper with random weights: for measurements, the picture is noise",
        files: &[],
        open: |easel| {
            let config = HefConfig::named("paper512").map_err(OpenError::Config)?;
            portraits(easel, Some(HefWeights::random(config, SEED)))
        },
    },
];

fn trained(assets: &Assets, file: &str) -> Result<HefWeights, OpenError> {
    match assets.weights(file) {
        Ok(reader) => Ok(HefWeights::read(reader)?),
        Err(AssetError::NotEmbedded(_)) => Err(OpenError::NotBuiltIn(file.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// A frame, recorded once for everybody whom it draws.
struct Portraits {
    recording: Recording,
    compute: Compute,
    face: Arc<FaceModel>,
    /// What the network learnt from is portraits that are fitted well.
    aligner: Option<Aligner>,
}

/// A network without the one that corrects fits draws all the same, and the notices hear of it.
fn portraits(easel: &Easel<'_>, network: Option<HefWeights>) -> Result<Box<dyn Drawer>, OpenError> {
    let Easel { assets, face, compute, size, format, notices } = *easel;
    let aligner = if network.is_some() { aligner(assets, face)? } else { None };
    if network.is_some() && aligner.is_none() {
        notices.tell(&format!("there is no {ALIGN} among the weights: the avatar's fit is used as it is"));
    }
    let method = network.as_ref().map_or(Method::Geometric, Method::Learned);
    let recording = Recording::new(compute, face, size, format, method)?;
    Ok(Box::new(Portraits { recording, compute: compute.clone(), face: Arc::clone(face), aligner }))
}

impl Drawer for Portraits {
    fn prepare(&self, avatar: AvatarFile) -> Result<Arc<dyn Prepared>, OpenError> {
        let avatar = match &self.aligner {
            // What corrects fits has learnt the errors of others: it undoes smiles that the tracker's mesh has found.
            Some(aligner) if !avatar.origin.mesh_fit => aligner.correct(&self.compute, &self.face, &avatar)?,
            _ => avatar,
        };
        let prepared = self.recording.prepare(&self.face, &avatar)?;
        Ok(Arc::new(prepared.keeping_expression(&self.face, &avatar).timed_by(clock())))
    }
}

/// What corrects fits, where its weights are there.
///
/// # Errors
/// They are there, and no good.
pub fn aligner(assets: &Assets, face: &FaceModel) -> Result<Option<Aligner>, AssetError> {
    if !is_there(assets, ALIGN)? {
        return Ok(None);
    }
    Ok(Some(Aligner::new(AlignWeights::read(assets.weights(ALIGN)?, face.vertices())?)))
}
