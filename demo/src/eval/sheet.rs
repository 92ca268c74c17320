//! The picture of a person of the gallery: two cases a line, each of them portrait, lit mesh, flow, geometric generator, network, truth.

use std::io::Cursor;

use anyhow::Result;
use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{ImageFormat, Rgb, RgbImage};
use vultus::avatar::{AvatarFile, POSE};
use vultus::face::FaceModel;
use vultus::generator::Method;
use vultus_truth::{Part, bounds, project};

use super::flow::Seen;
use super::measure::{drawn, portrait};
use super::people::{Person, SIZE};
use super::ways::{Fit, SHOWN, Way};

/// Cases beside each other.
const ACROSS: usize = 2;
/// Side of what is shown over the longer side of the face: room for hair and for a head that turns.
const ROOM: f32 = 1.35;
/// Side of a picture on the sheet, and what lies between cases, pixels.
const TILE: u32 = 192;
const GAP: u32 = 8;

/// The sheet as PNG. Without the network's weights its column is missing.
pub(super) fn draw(
    model: &FaceModel,
    person: &Person,
    fit: &Fit,
    ways: &[Way],
    tick: &dyn Fn() -> Result<()>,
) -> Result<Vec<u8>> {
    let weights = ways.iter().find(|way| way.name == SHOWN).and_then(Way::weights);
    let source = portrait(model, fit.given())?;
    let geometric = drawn(model, fit.given(), &person.cases, Method::Geometric, tick)?;
    // The mesh and the flow are the network's where one draws.
    let avatar = if weights.is_some() { fit.best() } else { fit.given() };
    let learned =
        weights.map(|weights| drawn(model, avatar, &person.cases, Method::Learned(weights), tick)).transpose()?;
    let mut seen = Seen::new(model, avatar, weights)?;
    let [left, top, side] = head(model, &person.avatar);
    let columns = 5 + u32::from(learned.is_some());
    let lines = person.cases.len().div_ceil(ACROSS) as u32;
    let across = ACROSS as u32;
    let (width, height) = (across * (columns * TILE + GAP) - GAP, lines * (TILE + GAP) - GAP);
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    for (k, case) in person.cases.iter().enumerate() {
        let views = seen.case(case)?;
        let network = learned.as_ref().map(|learned| &learned[k]);
        let tiles =
            [Some(&source), Some(&views.lit), Some(&views.flow), Some(&geometric[k]), network, Some(&case.picture)];
        let (line, column) = (k as u32 / across, k as u32 % across);
        for (i, tile) in tiles.into_iter().flatten().enumerate() {
            let whole = RgbImage::from_raw(SIZE as u32, SIZE as u32, tile.clone()).expect("three bytes a pixel");
            let tile = resize(&*crop_imm(&whole, left, top, side, side), TILE, TILE, FilterType::CatmullRom);
            let x = column * (columns * TILE + GAP) + i as u32 * TILE;
            replace(&mut sheet, &tile, x.into(), (line * (TILE + GAP)).into());
        }
        tick()?;
    }
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Left edge, upper edge and side of the square around the head at rest.
fn head(model: &FaceModel, avatar: &AvatarFile) -> [u32; 3] {
    let screen = project(model, avatar, &avatar.beta, &[0.0; POSE], SIZE);
    let [x, y, w, h] = bounds(model.mask(Part::Face.mask()), &[&screen], 0.0, SIZE);
    let side = ((ROOM * w.max(h) as f32) as usize).clamp(1, SIZE);
    let from = |start: usize, length: usize| (start + length / 2).saturating_sub(side / 2).min(SIZE - side) as u32;
    [from(x, w), from(y, h), side as u32]
}
