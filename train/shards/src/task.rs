//! From a person's folder to their shard.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use vultus::align::Aligner;
use vultus::avatar::{AvatarFile, POSE};
use vultus::compute::Compute;
use vultus::face::{FaceModel, Points};
use vultus::generator::hef::{Crop, Observer, Style};
use vultus_truth::{Case, Folder, Moment, Part, disturbed, motion, noise};

use crate::View;
use crate::shard::{Row, Shard};
use crate::sight::Sight;

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The face.
    pub model: &'a FaceModel,
    /// Fits of each portrait; the first is exact.
    pub fits: usize,
    /// What of the picture the network sees.
    pub view: View,
    /// C.
    pub side: usize,
    /// Of the disturbances.
    pub seed: u64,
    /// σ̂ of pictures whose truth does not have it: that of a face at rest, [`vultus::motion::MotionNetwork::rest_sigma`].
    pub rest: f32,
    /// What corrects fits, if there is one: all disturbed fits but the last are corrected, as those that the network will meet.
    pub aligner: Option<&'a Aligner>,
}

/// What became of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The shard was there already.
    There,
    /// The shard is there now.
    Written {
        /// The person.
        name: String,
        /// K.
        rows: usize,
        /// Of the file.
        bytes: usize,
    },
}

impl Task<'_> {
    /// Writes `out`/NAME.safetensors, where it is not there yet.
    ///
    /// # Errors
    /// One sentence that names the file and what is wrong with it; nothing is written then.
    pub fn person(&self, folder: &Folder, out: &Path) -> Result<Done> {
        let name = folder.name();
        let file = out.join(format!("{name}.safetensors"));
        if file.exists() {
            return Ok(Done::There);
        }
        let avatar = folder.avatar()?;
        let (size, cases) = folder.cases(self.model, self.rest)?;
        let landmarks = Points::landmarks(self.model);
        let mut shard = Shard::new(self.side);
        let exact = self.moments(&avatar, size, &cases)?;
        for fit in 0..self.fits {
            let avatar = match fit {
                0 => avatar.clone(),
                _ => self.corrected(disturbed(&avatar, &landmarks, &mut noise(&name, fit, self.seed)), fit)?,
            };
            self.fit(&avatar, size, &cases, &exact, &mut shard).with_context(|| format!("{name}, fit {fit}"))?;
        }
        let names: Vec<&str> = cases.iter().map(|c| c.name.as_str()).collect();
        let crop = format!("{:?}", self.view).to_lowercase();
        let about = json!({"name": name, "cases": names, "fits": self.fits, "seed": self.seed, "crop": crop});
        let bytes = shard.write(&file, about.to_string())?;
        Ok(Done::Written { name, rows: shard.rows(), bytes })
    }

    fn corrected(&self, avatar: AvatarFile, fit: usize) -> Result<AvatarFile> {
        match self.aligner {
            Some(aligner) if fit + 1 < self.fits => Ok(aligner.correct(&Compute::Cpu, self.model, &avatar)?),
            _ => Ok(avatar),
        }
    }

    fn sight(&self, avatar: &AvatarFile, size: usize) -> Sight {
        let crop = match self.view {
            View::Whole => Crop::whole(size),
            View::Head => Crop::of(self.model, avatar, size),
        };
        Sight { size, crop, side: self.side }
    }

    fn observer(&self, avatar: &AvatarFile, sight: &Sight) -> Result<Observer> {
        Ok(Observer::new(&Compute::Cpu, self.model, avatar, sight.size, sight.crop, sight.side)?)
    }

    /// The exact fit at rest, then in every case: what boxes and motion are measured on, for the pictures know nothing of a fit's errors.
    fn moments(&self, avatar: &AvatarFile, size: usize, cases: &[Case]) -> Result<Vec<Moment>> {
        let mut observer = self.observer(avatar, &self.sight(avatar, size))?;
        let rest = Moment::of(&observer.observe(&avatar.beta, &[0.0; POSE])?);
        let mut all = vec![rest];
        for case in cases {
            all.push(Moment::of(&observer.observe(&case.beta, &case.motion)?));
        }
        Ok(all)
    }

    fn fit(&self, avatar: &AvatarFile, size: usize, cases: &[Case], exact: &[Moment], shard: &mut Shard) -> Result<()> {
        let style = Style::of(self.model, avatar);
        let sight = self.sight(avatar, size);
        let mut observer = self.observer(avatar, &sight)?;
        let (rest, exact) = (&exact[0], &exact[1..]);
        shard.fit(&observer.source()?)?;
        let first = shard.rows();
        for (case, moment) in cases.iter().zip(exact) {
            let moved = case
                .after
                .map(|i| (first + i, sight.flow(&motion(&exact[i], moment, &case.matte, &self.model.triangles, size))));
            let boxes = [Part::Mouth, Part::Eyes].map(|part| {
                let mask = self.model.mask(part.mask());
                sight.bounds(mask, &[&rest.screen, &moment.screen], part.pad(self.side))
            });
            let seen = observer.observe(&case.beta, &case.motion)?;
            shard
                .row(&Row {
                    driven: seen.driven,
                    style: &style.words(&case.drive()),
                    truth: &sight.planes::<3>(&case.picture),
                    matte: &sight.planes::<1>(&case.matte),
                    boxes,
                    then: moved.as_ref().map(|(k, flow)| (*k, flow.as_slice())),
                })
                .with_context(|| case.name.clone())?;
        }
        Ok(())
    }
}
