//! The picture of a person of the gallery: two cases a line, each of them portrait, lit mesh, flow, geometric generator, network, truth.

use std::io::Cursor;

use anyhow::Result;
use image::imageops::{FilterType, replace, resize};
use image::{ImageFormat, Rgb, RgbImage};
use vultus::avatar::AvatarFile;
use vultus::face::FaceModel;
use vultus::generator::Method;

use super::flow::Seen;
use super::measure::{drawn, portrait};
use super::people::{Person, SIZE};
use super::ways::{SHOWN, Way};

/// Cases beside each other.
const ACROSS: usize = 2;
/// Side of a picture on the sheet, and what lies between cases, pixels.
const TILE: u32 = 192;
const GAP: u32 = 8;

/// The sheet as PNG. Without the network's weights its column is missing.
pub(super) fn draw(
    model: &FaceModel,
    person: &Person,
    avatar: &AvatarFile,
    ways: &[Way],
    tick: &dyn Fn() -> Result<()>,
) -> Result<Vec<u8>> {
    let weights = ways.iter().find(|way| way.name == SHOWN).and_then(Way::weights);
    let source = portrait(model, avatar)?;
    let geometric = drawn(model, avatar, &person.cases, Method::Geometric, tick)?;
    let learned =
        weights.map(|weights| drawn(model, avatar, &person.cases, Method::Learned(weights), tick)).transpose()?;
    let mut seen = Seen::new(model, avatar, weights)?;
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
            let side = SIZE as u32;
            let tile = RgbImage::from_raw(side, side, tile.clone()).expect("pictures have three bytes a pixel");
            let tile = resize(&tile, TILE, TILE, FilterType::CatmullRom);
            let x = column * (columns * TILE + GAP) + i as u32 * TILE;
            replace(&mut sheet, &tile, x.into(), (line * (TILE + GAP)).into());
        }
        tick()?;
    }
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}
