//! `vultus eval speech` is in [`speech`]. `vultus eval generator`: how close the ways to draw a face come to true pictures of people that no network has seen.
//!
//! A person is a folder with a portrait, its exact fit, and true pictures of other expressions and turns ([`vultus_truth`]). The portrait is fitted as wrong
//! as noisy landmarks would have it, driven by each picture's true expression and motion, and drawn in every way ([`ways`]); boxes, landmarks and
//! motion are the exact geometry's. [`figures`] holds the means, [`table`] shows them, [`sheet`] shows pictures.

mod arguments;
mod figures;
mod flow;
mod measure;
mod people;
mod sheet;
mod speech;
mod table;
mod ways;
mod wheel;
mod workers;

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use vultus::compute::Compute;
use vultus::face::{FaceModel, Points};
use vultus::motion::MotionNetwork;
use vultus_native::assets::{Assets, EAC, FACE};
use vultus_native::media::{AtomicFile, MediaError};
use vultus_native::stream::Progress;
use vultus_truth::{Folder, folders};

use self::arguments::{GeneratorEval, What};
use self::figures::{About, Mean, Off, Report, Rows};
use self::people::{Known, Person, SIZE, place, turned};
use self::ways::{Fit, Way, Ways};
use self::workers::each;
use crate::cancel::{self, stop_if};
use crate::console::{Bar, warn};
use crate::files::Files;

pub(crate) use self::arguments::Eval;

pub(crate) fn run(weights: Option<&Path>, arguments: &Eval) -> Result<()> {
    match &arguments.what {
        What::Generator(arguments) => generator(weights, arguments),
        What::Speech(arguments) => speech::run(weights, arguments),
    }
}

fn generator(weights: Option<&Path>, arguments: &GeneratorEval) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let assets = Assets::locate(weights)?;
    let held = folders(&place(arguments.truth.as_deref(), "held", "--truth", weights)?)?;
    let gallery = match &arguments.sheet {
        None => Vec::new(),
        Some(_) => folders(&place(arguments.gallery.as_deref(), "gallery", "--gallery", weights)?)?,
    };
    let mut files = Files::of(&assets);
    for person in held.iter().chain(gallery.first()) {
        files = files.reads_folder(person.path());
    }
    files.writes("--json", arguments.json.as_deref()).writes("--sheet", arguments.sheet.as_deref()).check()?;
    let model = FaceModel::read(assets.weights(FACE)?)?;
    let Ways { ways, aligner, missing } = ways::all(&assets, &model)?;
    // Only a network that learnt with σ̂ looks at it; warps can be measured without a motion network.
    let rest = match assets.find(EAC) {
        Ok(_) => MotionNetwork::load(&Compute::Cpu, assets.weights(EAC)?, 0)?.rest_sigma()?,
        Err(_) => 0.0,
    };
    let read = |folder: &Folder| Person::read(folder, &model, rest);
    let people = each(&held, read)?;
    let shown = gallery.first().map(read).transpose()?;
    missing.iter().for_each(|line| warn(line));

    let landmarks = Points::landmarks(&model);
    let fits = arguments.fits;
    let (bar, done) = (Mutex::new(Bar::new()), AtomicU64::new(0));
    let drawing = ways.iter().filter(|way| way.method().is_some()).count();
    let cases: usize = people.iter().map(|person| person.cases.len()).sum();
    let total = (cases * fits.count() * drawing) as u64;
    let tick = || {
        let frames = done.fetch_add(1, Ordering::Relaxed) + 1;
        bar.lock().unwrap_or_else(PoisonError::into_inner).show(Progress { frames, total: Some(total.max(frames)) });
        stop_if(&cancel)
    };
    let known = each(&people, |person| person.known(&model, &cancel))?;
    let jobs: Vec<(&Person, &[Known], usize)> = (people.iter().zip(&known))
        .flat_map(|(person, known)| (0..fits.count()).map(move |fit| (person, known.as_slice(), fit)))
        .collect();
    let measured = each(&jobs, |(person, known, fit)| {
        let fit = Fit::new(&model, person.fitted(&landmarks, fits, *fit), aligner.as_ref())?;
        Ok((fit.off(&landmarks, &person.avatar), measure::fit(&model, person, known, &fit, &ways, &tick)?))
    })?;
    let (off, measured): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    let (mut given, mut corrected) = (Mean::default(), Mean::default());
    for (before, after) in off {
        given.add(Some(before));
        corrected.add(after);
    }
    let sheet = match &shown {
        None => None,
        Some(person) => {
            let fit = Fit::new(&model, person.fitted(&landmarks, fits, 0), aligner.as_ref())?;
            Some(sheet::draw(&model, person, &fit, &ways, &tick)?)
        }
    };
    bar.into_inner().unwrap_or_else(PoisonError::into_inner).end();

    let report = Report {
        about: About {
            people: people.len(),
            names: people.iter().map(|person| person.name.clone()).collect(),
            cases,
            turned: people.iter().flat_map(|person| &person.cases).filter(|case| turned(case)).count(),
            pairs: people.iter().flat_map(|person| &person.cases).filter(|case| case.after.is_some()).count(),
            fits: fits.count(),
            fitted: fits.name(),
            off: Off { given: given.value(), corrected: corrected.value() },
            size: SIZE,
        },
        ways: by_way(&ways, &measured),
        truth: joined(people.iter().zip(&known).map(|(person, known)| measure::truth(person, known))),
    };
    // The figures took minutes: whatever cannot be written, the rest is.
    let shown = write!(io::stdout(), "{report}");
    if let Some(path) = &arguments.json {
        let mut json = serde_json::to_vec_pretty(&report)?;
        json.push(b'\n');
        write(path, &json)?;
    }
    if let (Some(path), Some(png)) = (&arguments.sheet, &sheet) {
        write(path, png).with_context(|| match &arguments.json {
            Some(json) => format!("{} is complete, but not the sheet", json.display()),
            None => "the figures are complete, but not the sheet".into(),
        })?;
    }
    Ok(shown?)
}

fn by_way(ways: &[Way], measured: &[Vec<Rows>]) -> Vec<(&'static str, Rows)> {
    ways.iter().enumerate().map(|(k, way)| (way.name, joined(measured.iter().map(|rows| rows[k])))).collect()
}

fn joined(all: impl Iterator<Item = Rows>) -> Rows {
    all.fold(Rows::default(), |mut sum, rows| {
        sum.join(&rows);
        sum
    })
}

/// Whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let failed = |cause: io::Error| MediaError::Write { file: path.display().to_string(), cause };
    let mut file = AtomicFile::create(path).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    Ok(file.commit().map_err(failed)?)
}
