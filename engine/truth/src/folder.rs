//! The folder of a person, as train/crowd/dataset.py describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use vultus::avatar::{AvatarFile, EXPRESSION, POSE, Png, SIDE_MAX};
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus_native::assets::{AVATAR_BYTES, read_file};

/// Longest truth.json and longest picture that are read, bytes.
const TRUTH_BYTES: u64 = 16 << 20;
const PICTURE_BYTES: u64 = 32 << 20;

/// Where a person lies.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// One picture, and what it shows.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Expression β.
    pub beta: [f32; EXPRESSION],
    /// The head's motion against the bust.
    pub motion: [f32; POSE],
    /// How strongly it is meant: [`Drive::sigma`].
    pub sigma: f32,
    /// (S², 3) sRGB.
    pub picture: Vec<u8>,
    /// (S²) 255 is person.
    pub matte: Vec<u8>,
    /// The case that shows the same person 40 ms before.
    pub after: Option<usize>,
}

#[derive(Deserialize)]
struct Truth {
    size: usize,
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    beta: BTreeMap<String, f32>,
    dpose: [f32; POSE],
    sigma: Option<f32>,
    image: String,
    matte: String,
    after: Option<String>,
}

impl Case {
    /// What the face does.
    pub fn drive(&self) -> Drive {
        Drive { beta: self.beta, pose: self.motion, sigma: self.sigma }
    }
}

impl Folder {
    /// A folder; nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The person's name.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }

    /// The avatar.
    ///
    /// # Errors
    /// It is missing or wrong.
    pub fn avatar(&self) -> Result<AvatarFile> {
        let file = self.path.join(format!("{}.avatar", self.name()));
        Ok(AvatarFile::parse(&file.display().to_string(), read_file(&file, AVATAR_BYTES)?)?)
    }

    /// S, and the pictures in the order of truth.json. Those of which it does not say how strongly they are meant have the σ̂ `rest`.
    ///
    /// # Errors
    /// One sentence that names the file: it is missing, of another size, an expression is unknown, a number is not finite, …
    pub fn cases(&self, model: &FaceModel, rest: f32) -> Result<(usize, Vec<Case>)> {
        let file = self.path.join("truth.json");
        let say = |what: String| format!("{}: {what}", file.display());
        let bytes = read_file(&file, TRUTH_BYTES)?;
        let truth: Truth =
            serde_json::from_slice(&bytes).with_context(|| say("is not what train/crowd writes".into()))?;
        let size = truth.size;
        ensure!(
            (64..=2048).contains(&size) && size.is_multiple_of(8),
            say(format!("size is {size}; a multiple of 8 from 64 to 2048"))
        );
        ensure!(!truth.cases.is_empty(), say("there are no cases".into()));
        let mut cases: Vec<Case> = Vec::new();
        for entry in truth.cases {
            let name = &entry.name;
            let mut beta = [0.0; EXPRESSION];
            for (key, value) in &entry.beta {
                let Some(k) = model.expression_index(key) else {
                    bail!(say(format!("{name}: unknown expression {key}")))
                };
                beta[k] = *value;
            }
            let wild = beta.iter().chain(&entry.dpose).any(|v| !v.is_finite() || v.abs() > 4.0);
            ensure!(!wild, say(format!("{name}: beta or dpose holds a number that is not finite or beyond ±4")));
            let sigma = entry.sigma.unwrap_or(rest);
            ensure!(sigma.is_finite(), say(format!("{name}: sigma is not finite")));
            let after = match &entry.after {
                None => None,
                Some(before) => match cases.iter().position(|c| c.name == *before) {
                    None => bail!(say(format!("{name} is after {before}, but no case before it is called that"))),
                    found => found,
                },
            };
            cases.push(Case {
                name: entry.name,
                beta,
                motion: entry.dpose,
                sigma,
                picture: picture(&self.path.join(&entry.image), size, |png| png.rgb())?,
                matte: picture(&self.path.join(&entry.matte), size, |png| png.grey())?,
                after,
            });
        }
        Ok((size, cases))
    }
}

/// Every folder of people in `people` that is complete, by name.
///
/// # Errors
/// There is none, or the folder cannot be read.
pub fn folders(people: &Path) -> Result<Vec<Folder>> {
    let list = std::fs::read_dir(people).with_context(|| format!("{} cannot be read", people.display()))?;
    let mut paths = list.map(|e| Ok(e?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|p| p.join("truth.json").is_file());
    paths.sort();
    ensure!(
        !paths.is_empty(),
        "{}: no folder in it holds a truth.json; make people with train/crowd",
        people.display()
    );
    Ok(paths.into_iter().map(Folder::new).collect())
}

fn picture(file: &Path, size: usize, read: impl Fn(Png<'_>) -> Result<Vec<u8>, String>) -> Result<Vec<u8>> {
    let bytes = read_file(file, PICTURE_BYTES)?;
    let say = |what: String| anyhow!("{} {what}", file.display());
    let png = Png::open(&bytes, 1..=SIDE_MAX).map_err(say)?;
    let side = png.side();
    ensure!(side == size, "{} is {side}×{side}, but truth.json says {size}×{size}", file.display());
    read(png).map_err(say)
}
