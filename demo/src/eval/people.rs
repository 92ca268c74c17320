//! Held-out people, and what their exact geometry says of their pictures.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail, ensure};
use vultus::avatar::{AvatarFile, POSE};
use vultus::compute::Compute;
use vultus::face::{FaceModel, Points};
use vultus::generator::hef::{Crop, Observer};
use vultus_native::assets::WEIGHTS_VARIABLE;
use vultus_truth::{Area, Case, Folder, Marks, Moment, Part, bounds, disturbed, landmarks, motion, noise};

use super::arguments::Fits;
use crate::cancel::stop_if;

/// Side of all pictures: landmarks' distances are in pixels of it.
pub(super) const SIZE: usize = 256;
/// Heads that turn by so much against the portrait's have a row of their own, radians.
const TURNED: f32 = 10.0 * std::f32::consts::PI / 180.0;
/// Of the fits' noise.
const SEED: u64 = 2023;

/// Somebody, and true pictures of them.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) avatar: AvatarFile,
    pub(super) cases: Vec<Case>,
}

/// What is known of a case's true picture.
#[derive(Debug)]
pub(super) struct Known {
    /// By [`Part::ALL`].
    pub(super) areas: [Area; 3],
    pub(super) marks: Marks,
    /// The case 40 ms before, and where everything lay there.
    pub(super) before: Option<(usize, Vec<[f32; 2]>)>,
    pub(super) turned: bool,
}

impl Person {
    pub(super) fn read(folder: &Folder, model: &FaceModel, rest: f32) -> Result<Self> {
        let (size, cases) = folder.cases(model, rest)?;
        let name = folder.name();
        ensure!(size == SIZE, "{name}: truth.json says that its pictures have {size}² pixels, not {SIZE}²");
        Ok(Self { avatar: folder.avatar()?, name, cases })
    }

    /// Works out what the exact fit says.
    pub(super) fn known(&self, model: &FaceModel, cancel: &AtomicBool) -> Result<Vec<Known>> {
        let mut exact = Observer::new(&Compute::Cpu, model, &self.avatar, SIZE, Crop::whole(SIZE), SIZE)?;
        let rest = Moment::of(&exact.observe(&self.avatar.beta, &[0.0; POSE])?);
        let mut moments: Vec<Moment> = Vec::new();
        let mut all = Vec::new();
        for case in &self.cases {
            stop_if(cancel)?;
            let moment = Moment::of(&exact.observe(&case.beta, &case.motion)?);
            let screens = [rest.screen.as_slice(), &moment.screen];
            let areas = Part::ALL.map(|part| bounds(model.mask(part.mask()), &screens, part.pad(SIZE), SIZE));
            ensure!(areas.iter().all(|a| a[2] > 0), "{}, {}: the face lies outside the picture", self.name, case.name);
            all.push(Known {
                areas,
                marks: Marks::new(&case.picture, &case.matte, &landmarks(model, &moment.screen), SIZE),
                before: case.after.map(|i| (i, motion(&moments[i], &moment, &case.matte, &model.triangles, SIZE))),
                turned: turned(case),
            });
            moments.push(moment);
        }
        Ok(all)
    }

    /// The portrait as its fit number `fit` has it.
    pub(super) fn fitted(&self, landmarks: &Points, fits: Fits, fit: usize) -> AvatarFile {
        match fits {
            Fits::Exact => self.avatar.clone(),
            Fits::Noisy => disturbed(&self.avatar, landmarks, &mut noise(&self.name, fit + 1, SEED)),
        }
    }
}

/// The head is turned against the portrait's.
pub(super) fn turned(case: &Case) -> bool {
    case.motion[1].abs() >= TURNED
}

/// The folder `given`, else benches/data/`name` above the current folder, the weights or the program.
pub(super) fn place(given: Option<&Path>, name: &str, option: &str, weights: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        ensure!(given.is_dir(), "there is no folder {}; check {option}", given.display());
        return Ok(given.into());
    }
    let weights = weights.map(PathBuf::from).or_else(|| std::env::var_os(WEIGHTS_VARIABLE).map(PathBuf::from));
    let from = [std::env::current_dir().ok(), weights, std::env::current_exe().ok()];
    for start in from.iter().flatten().filter_map(|path| path.canonicalize().ok()) {
        let place = start.ancestors().map(|above| above.join("benches/data").join(name)).find(|place| place.is_dir());
        if let Some(place) = place {
            return Ok(place);
        }
    }
    bail!(
        "there is no benches/data/{name} above the current folder, the weights or the program; give a folder by {option}"
    );
}
