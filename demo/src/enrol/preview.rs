//! What an enrolment found, on one sheet: the photo with all faces, points and outline of the one that was taken, the person cut out over two backgrounds; and the
//! face at rest, speaking, blinking and smiling.

use std::io::Cursor;

use anyhow::{Context as _, Result};
use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{ImageFormat, Rgb, RgbImage};
use vultus::avatar::{AvatarFile, EXPRESSION, POSE};
use vultus::drive::Drive;
use vultus::face::FaceModel;
use vultus::generator::Generator;
use vultus_native::enrol::Enrolled;
use vultus_native::photo::Photo;

use super::paint::{dot, line, number};

/// Side of a picture on the sheet, and what lies between them, pixels.
pub(super) const TILE: u32 = 512;
const GAP: u32 = 6;
const PAPER: Rgb<u8> = Rgb([255; 3]);
const POINT: Rgb<u8> = Rgb([255, 224, 64]);
const OUTLINE: Rgb<u8> = Rgb([64, 255, 128]);
const FACE: Rgb<u8> = Rgb([255, 96, 64]);
/// Behind the person: what shows bright fringes, and what shows dark ones.
const BEHIND: [Rgb<u8>; 2] = [Rgb([16, 40, 24]), Rgb([240, 90, 200])];
/// What the face does on the sheet.
const ACTS: [&[(&str, f32)]; 4] = [
    &[],
    &[("jawOpen", 0.55), ("mouthLowerDownLeft", 0.2), ("mouthLowerDownRight", 0.2)],
    &[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)],
    &[("mouthSmileLeft", 0.8), ("mouthSmileRight", 0.8), ("cheekSquintLeft", 0.5), ("cheekSquintRight", 0.5)],
];

/// The sheet as PNG. `generator` draws the avatar as RGBA of [`TILE`]².
pub(super) fn draw(
    model: &FaceModel,
    generator: &mut dyn Generator,
    photo: &Photo,
    enrolled: &Enrolled,
) -> Result<Vec<u8>> {
    let avatar = &enrolled.avatar;
    let [dark, bright] = BEHIND.map(|behind| over(avatar, behind));
    let mut tiles = vec![whole(photo, enrolled), close(enrolled), dark, bright];
    for act in ACTS {
        let mut beta = [0.0; EXPRESSION];
        for (name, value) in act {
            beta[model.expression_index(name).context("the face model has no such expression")?] = *value;
        }
        let frame = generator.frame(&Drive::new(&beta, &[0.0; POSE]))?;
        let rgb = frame.bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        tiles.push(RgbImage::from_raw(TILE, TILE, rgb).context("a frame of another size")?);
    }
    let across = ACTS.len() as u32;
    let place = |k: u32| i64::from(k * (TILE + GAP));
    let mut sheet = RgbImage::from_pixel(across * (TILE + GAP) - GAP, 2 * TILE + GAP, PAPER);
    for (k, tile) in (0..).zip(&tiles) {
        replace(&mut sheet, tile, place(k % across), place(k / across));
    }
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, ImageFormat::Png).context("cannot write the preview as PNG")?;
    Ok(png.into_inner())
}

/// The photo as it is, all faces numbered.
fn whole(photo: &Photo, enrolled: &Enrolled) -> RgbImage {
    let picture = photo.picture();
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let scale = f64::from(TILE) / f64::from(width.max(height));
    let sized = |v: u32| ((f64::from(v) * scale).round() as u32).clamp(1, TILE);
    // Places are the file's; the photo in memory may be smaller.
    let scale = scale / f64::from(photo.shrunk());
    let whole: image::ImageBuffer<Rgb<u8>, &[u8]> =
        image::ImageBuffer::from_raw(width, height, picture.rgb()).expect("a photo has its pixels");
    let mut small = resize(&whole, sized(width), sized(height), FilterType::Triangle);
    let framing = enrolled.avatar.origin.framing;
    if let Some(framing) = framing {
        let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]];
        let corners = corners.map(|at| framing.to_photo(at).map(|v| v * scale));
        line(&mut small, &corners, 0.8, PAPER);
    }
    for (k, face) in enrolled.faces.iter().enumerate() {
        let [left, top, right, bottom] = face.bounds.map(|v| f64::from(v) * scale);
        let colour = if enrolled.taken == Some(k) { OUTLINE } else { FACE };
        if enrolled.faces.len() > 1 {
            line(&mut small, &[[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], 0.8, colour);
            number(&mut small, [left, top], k + 1, 3, colour);
        }
    }
    let mut tile = RgbImage::from_pixel(TILE, TILE, PAPER);
    let middle = |v: u32| i64::from((TILE - v) / 2);
    replace(&mut tile, &small, middle(small.width()), middle(small.height()));
    tile
}

/// The portrait with points and outline.
fn close(enrolled: &Enrolled) -> RgbImage {
    let avatar = &enrolled.avatar;
    let mut tile = sized(&portrait(avatar), FilterType::CatmullRom);
    if let Some(framing) = avatar.origin.framing {
        let at = |p: &[f64; 2]| framing.to_portrait(*p).map(|v| v * f64::from(TILE));
        for chain in &enrolled.outline {
            line(&mut tile, &chain.iter().map(at).collect::<Vec<_>>(), 0.7, OUTLINE);
        }
        enrolled.points.iter().for_each(|p| dot(&mut tile, at(p), 0.8, POINT));
    }
    tile
}

/// The person before one colour.
fn over(avatar: &AvatarFile, behind: Rgb<u8>) -> RgbImage {
    let mut picture = portrait(avatar);
    for (pixel, alpha) in picture.pixels_mut().zip(&avatar.matte.alpha) {
        let alpha = u32::from(*alpha);
        for (v, b) in pixel.0.iter_mut().zip(behind.0) {
            *v = ((u32::from(*v) * alpha + u32::from(b) * (255 - alpha) + 127) / 255) as u8;
        }
    }
    sized(&picture, FilterType::CatmullRom)
}

fn portrait(avatar: &AvatarFile) -> RgbImage {
    let side = avatar.portrait.side as u32;
    RgbImage::from_raw(side, side, avatar.portrait.rgb.clone()).expect("a portrait has its pixels")
}

fn sized(picture: &RgbImage, filter: FilterType) -> RgbImage {
    resize(&*crop_imm(picture, 0, 0, picture.width(), picture.height()), TILE, TILE, filter)
}
