//! Figures of one fit of one person.

use anyhow::Result;
use vultus::avatar::{AvatarFile, POSE};
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator};
use vultus_truth::{Case, Part, flicker, mean, psnr, ssim};

use super::figures::Rows;
use super::people::{Known, Person, SIZE};
use super::ways::{Fit, Way};

/// The rows of each way, for a portrait that is fitted as `fit`. `tick` is called after each picture and may end it.
pub(super) fn fit(
    model: &FaceModel,
    person: &Person,
    known: &[Known],
    fit: &Fit,
    ways: &[Way],
    tick: &dyn Fn() -> Result<()>,
) -> Result<Vec<Rows>> {
    ways.iter()
        .map(|way| {
            let avatar = way.avatar(fit);
            let pictures = match way.method() {
                None => vec![portrait(model, avatar)?; person.cases.len()],
                Some(method) => drawn(model, avatar, &person.cases, method, tick)?,
            };
            let mut rows = Rows::default();
            for (k, (case, known)) in person.cases.iter().zip(known).enumerate() {
                likeness(&mut rows, &pictures[k], case, known);
                changes(&mut rows, &pictures.iter().map(Vec::as_slice).collect::<Vec<_>>(), k, case, known);
            }
            Ok(rows)
        })
        .collect()
}

/// The flicker of the true pictures.
pub(super) fn truth(person: &Person, known: &[Known]) -> Rows {
    let pictures: Vec<&[u8]> = person.cases.iter().map(|case| case.picture.as_slice()).collect();
    let mut rows = Rows::default();
    for (k, (case, known)) in person.cases.iter().zip(known).enumerate() {
        changes(&mut rows, &pictures, k, case, known);
    }
    rows
}

fn likeness(rows: &mut Rows, picture: &[u8], case: &Case, known: &Known) {
    let distances = known.marks.distances(picture);
    for (part, area) in Part::ALL.into_iter().zip(known.areas) {
        let figures = (psnr(picture, &case.picture, area, SIZE), ssim(picture, &case.picture, area, SIZE));
        let lmd = mean(&distances, part.landmarks());
        for row in rows.of(part, known.turned) {
            row.psnr.add(Some(figures.0));
            row.ssim.add(Some(figures.1));
            row.lmd.add(lmd);
        }
    }
}

fn changes(rows: &mut Rows, pictures: &[&[u8]], at: usize, case: &Case, known: &Known) {
    let Some((before, motion)) = &known.before else { return };
    for (part, area) in Part::ALL.into_iter().zip(known.areas) {
        let figure = flicker(pictures[at], pictures[*before], motion, &case.matte, area, SIZE);
        rows.of(part, known.turned).for_each(|row| row.flicker.add(figure));
    }
}

/// The portrait at the pictures' size: nothing moves in the mesh warp at rest.
pub(super) fn portrait(model: &FaceModel, avatar: &AvatarFile) -> Result<Vec<u8>> {
    let mut at_rest = generator(model, avatar, Method::WarpOnly)?;
    Ok(rgb(at_rest.frame(&Drive::new(&avatar.beta, &[0.0; POSE]))?.bytes))
}

/// A picture of each case.
pub(super) fn drawn(
    model: &FaceModel,
    avatar: &AvatarFile,
    cases: &[Case],
    method: Method<'_>,
    tick: &dyn Fn() -> Result<()>,
) -> Result<Vec<Vec<u8>>> {
    let mut generator = generator(model, avatar, method)?;
    cases
        .iter()
        .map(|case| {
            let picture = rgb(generator.frame(&case.drive())?.bytes);
            tick()?;
            Ok(picture)
        })
        .collect()
}

/// On the CPU executor, so that every machine finds the same figures.
fn generator(model: &FaceModel, avatar: &AvatarFile, method: Method<'_>) -> Result<PortraitGenerator> {
    Ok(PortraitGenerator::new(&Compute::Cpu, model, avatar, SIZE, OutputFormat::Rgba, method)?)
}

fn rgb(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()
}
