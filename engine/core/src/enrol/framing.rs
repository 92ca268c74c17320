//! Which square of a photograph becomes the portrait, and its pixels.

use image::imageops::{self, FilterType};
use image::{GenericImageView as _, ImageBuffer, Rgb, RgbImage};

use crate::avatar::{Framing, Portrait};
use crate::track::{Picture, View};

use super::EnrolError;
use super::points::bounds;

/// The square's side by the longer side of the points' box (brows to chin, without hair), in whose middle it lies: as in the portraits that ship.
const ROOM: f64 = 2.2;
/// Hair above that box, by the box: what a square that is smaller than wanted should still hold.
const HAIR: f64 = 0.42;
/// What is looked at to see hair and hats, by the square; what should be free above them; and how far a square goes up for them.
const LOOKED_AT: f64 = 1.4;
const HEAD_ROOM: f64 = 0.05;
const MOST_ROOM: f64 = 0.2;
/// A face needs at least so much of it; where the photograph ends before, its edge goes on.
const LEAST: f64 = 1.15;
/// Smallest square, pixels of the photograph.
const SMALLEST: u32 = 64;
/// Sides of a portrait, pixels, and how much a photograph may be enlarged for the next one.
pub const FRAMES: [u32; 3] = [512, 768, 1024];
const ENLARGED: f64 = 1.25;

/// A square that somebody asks for: pixels of the photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// Its left edge.
    pub left: u32,
    /// Its upper edge.
    pub top: u32,
    /// Its side.
    pub side: u32,
}

impl Square {
    /// Whether the photograph has it.
    pub(super) fn checked(self, photo: &Picture<'_>) -> Result<Self, EnrolError> {
        let [width, height] = [photo.width(), photo.height()].map(|v| v as u64);
        let beyond = |from: u32, length: u64| u64::from(from) + u64::from(self.side) > length;
        if self.side < SMALLEST || beyond(self.left, width) || beyond(self.top, height) {
            return Err(EnrolError::Crop(format!(
                "{},{},{} is no square of this photo, which has {width}×{height} pixels; give its left edge, its top and its side, {SMALLEST} at least",
                self.left, self.top, self.side
            )));
        }
        Ok(self)
    }

    /// Whether a point lies in it.
    pub(super) fn holds(self, [x, y]: [f64; 2]) -> bool {
        let within = |v: f64, from: u32| (f64::from(from)..=f64::from(from) + f64::from(self.side)).contains(&v);
        within(x, self.left) && within(y, self.top)
    }
}

/// Clockwise quarter turns that bring a face upright whose eyes lie on a line that is turned by `angle`.
pub(super) fn turns(angle: f32) -> u8 {
    (-(f64::from(angle) / std::f64::consts::FRAC_PI_2).round() as i64).rem_euclid(4) as u8
}

/// The square for a face: as the shipped portraits are framed, within the photograph where it holds the face, and how much larger it ought to be.
pub(super) fn framing(photo: &Picture<'_>, points: &[[f64; 2]], turns: u8, asked: Option<Square>) -> (Framing, f64) {
    let [left, top, right, bottom] = bounds(points);
    let face = (right - left).max(bottom - top).max(1.0);
    let want = ROOM * face;
    if let Some(Square { left, top, side }) = asked {
        return (Framing { left: left as i32, top: top as i32, side, turns }, want / f64::from(side));
    }
    let (width, height) = (photo.width() as f64, photo.height() as f64);
    let side = want.min(width.min(height)).max(LEAST * face).max(f64::from(SMALLEST)).round();
    // "Down" of the person, in the photograph.
    let down = (0..turns).fold([0.0, 1.0], |[x, y], _| [y, -x]);
    // Where the square is smaller than it should be, hair goes before shoulders.
    let hair = (HAIR * face - (0.5 * side - 0.5 * face)).clamp(0.0, 0.5 * (side - face).max(0.0));
    let middle = [0.5 * (left + right) - hair * down[0], 0.5 * (top + bottom) - hair * down[1]];
    let place = |middle: f64, length: f64| {
        let least = middle - 0.5 * side;
        // Beyond the photograph on both sides alike, where it is smaller than the square.
        if side > length { 0.5 * (length - side) } else { least.clamp(0.0, length - side) }
    };
    let framing = Framing {
        left: place(middle[0], width).round() as i32,
        top: place(middle[1], height).round() as i32,
        side: side as u32,
        turns,
    };
    (framing, want / side)
}

/// The view of `size`² that shows what lies above a square as well.
pub(super) fn above(framing: &Framing, size: usize) -> View {
    let side = LOOKED_AT * f64::from(framing.side);
    let left = f64::from(framing.left) - 0.5 * (side - f64::from(framing.side));
    let scale = side / size as f64;
    View([[scale, 0.0, left], [0.0, scale, f64::from(framing.top) + f64::from(framing.side) - side]])
}

/// The square with room above the head, where the photograph has some. `matte` (size, size) is of what [`above`] shows: how much of each pixel is person.
pub(super) fn with_room(photo: &Picture<'_>, framing: Framing, points: &[[f64; 2]], matte: &[f32]) -> Framing {
    let size = matte.len().isqrt();
    let view = above(&framing, size);
    let [left, _, right, _] = bounds(points);
    let scale = view.0[0][0];
    let column = |x: f64| (((x - view.0[0][2]) / scale).clamp(0.0, size as f64 - 1.0)) as usize;
    let columns = column(left)..column(right) + 1;
    let person = |row: &usize| {
        let line = &matte[row * size..][columns.clone()];
        line.iter().filter(|v| **v > 0.5).count() * 4 >= line.len()
    };
    let Some(top) = (0..size).find(person) else { return framing };
    let (top, side) = (view.0[1][2] + scale * top as f64, f64::from(framing.side));
    let missing = (f64::from(framing.top) - (top - HEAD_ROOM * side)).min(MOST_ROOM * side).min(f64::from(framing.top));
    if missing < 1.0 {
        return framing;
    }
    // Half of it by a larger square, so that the shoulders stay.
    let (width, height) = (photo.width() as f64, photo.height() as f64);
    let larger = (side + 0.5 * missing).min(width.min(height)).max(side).floor();
    let middle = f64::from(framing.left) + 0.5 * side;
    let up = (f64::from(framing.top) - missing).clamp(0.0, (height - larger).max(0.0));
    Framing {
        left: (middle - 0.5 * larger).clamp(0.0, (width - larger).max(0.0)).round() as i32,
        top: up.round() as i32,
        side: larger as u32,
        ..framing
    }
}

/// The largest side of a portrait that such a square fills.
pub(super) fn frame(side: u32) -> u32 {
    let fits = |frame: &&u32| f64::from(**frame) <= ENLARGED * f64::from(side);
    *FRAMES.iter().rev().find(fits).unwrap_or(&FRAMES[0])
}

/// The square's pixels at the size of a portrait, upright. Where it reaches beyond the photograph, that goes on as its edge is, ever softer.
pub(super) fn cut(photo: &Picture<'_>, framing: &Framing, frame: u32) -> Portrait {
    let (width, height) = (photo.width() as u32, photo.height() as u32);
    let whole: ImageBuffer<Rgb<u8>, &[u8]> =
        ImageBuffer::from_raw(width, height, photo.rgb()).expect("a picture has its pixels");
    let scale = f64::from(frame) / f64::from(framing.side);
    // What of the square is photograph, in its pixels and in those of the portrait.
    let part = |from: i32, length: u32| {
        let (low, high) = (from.max(0), (from + framing.side as i32).min(length as i32));
        let to = |v: i32| ((f64::from(v - from) * scale).round() as u32).min(frame);
        let (first, last) = (to(low).min(frame - 1), to(high));
        (low as u32, (high - low).max(1) as u32, first, last.saturating_sub(first).max(1))
    };
    let (left, wide, x, across) = part(framing.left, width);
    let (top, tall, y, down) = part(framing.top, height);
    let part = whole.view(left, top, wide, tall);
    let sized = if (across, down) == (wide, tall) {
        RgbImage::from_fn(wide, tall, |x, y| *whole.get_pixel(left + x, top + y))
    } else {
        imageops::resize(&*part, across, down, FilterType::CatmullRom)
    };
    let square = if (across, down) == (frame, frame) { sized } else { extended(&sized, [x, y], frame) };
    let upright = match framing.turns {
        1 => imageops::rotate90(&square),
        2 => imageops::rotate180(&square),
        3 => imageops::rotate270(&square),
        _ => square,
    };
    Portrait { side: frame as usize, rgb: upright.into_raw() }
}

/// `part` at a place in a square. Each pixel around it is the mean of a piece of the nearest edge that is the longer the farther away it lies.
fn extended(part: &RgbImage, [x, y]: [u32; 2], frame: u32) -> RgbImage {
    let mut out = RgbImage::new(frame, frame);
    imageops::replace(&mut out, part, i64::from(x), i64::from(y));
    let (last_x, last_y) = (x + part.width() - 1, y + part.height() - 1);
    // Sums along an edge, so that a mean costs nothing.
    let sums = |pixels: &mut dyn Iterator<Item = Rgb<u8>>| {
        let mut sums = vec![[0u32; 3]];
        for pixel in pixels {
            let before = sums[sums.len() - 1];
            sums.push([0, 1, 2].map(|c| before[c] + u32::from(pixel.0[c])));
        }
        sums
    };
    let mean = |sums: &[[u32; 3]], at: u32, distance: u32| {
        let reach = 1 + distance / 2;
        let count = sums.len() as u32 - 1;
        let (low, high) = (at.saturating_sub(reach), (at + reach + 1).min(count));
        Rgb([0, 1, 2]
            .map(|c| ((sums[high as usize][c] - sums[low as usize][c] + (high - low) / 2) / (high - low)) as u8))
    };
    for (edge, outside) in [(x, 0..x), (last_x, last_x + 1..frame)] {
        let sums = sums(&mut (y..=last_y).map(|row| out[(edge, row)]));
        for column in outside {
            (y..=last_y).for_each(|row| out[(column, row)] = mean(&sums, row - y, column.abs_diff(edge)));
        }
    }
    for (edge, outside) in [(y, 0..y), (last_y, last_y + 1..frame)] {
        let sums = sums(&mut (0..frame).map(|column| out[(column, edge)]));
        for row in outside {
            (0..frame).for_each(|column| out[(column, row)] = mean(&sums, column, row.abs_diff(edge)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners of a face's box.
    fn face([x, y]: [f64; 2], side: f64) -> Vec<[f64; 2]> {
        vec![[x - side / 2.0, y - side / 2.0], [x + side / 2.0, y + side / 2.0]]
    }

    #[test]
    fn a_square_stays_in_the_photo_as_long_as_the_face_fits() {
        let rgb = vec![0; 3 * 600 * 400];
        let photo = Picture::new(&rgb, 600, 400);
        let (plain, larger) = framing(&photo, &face([300.0, 200.0], 100.0), 0, None);
        assert_eq!((plain.side, plain.left, plain.top), (220, 190, 90));
        assert!((larger - 1.0).abs() < 1e-2);
        let (corner, _) = framing(&photo, &face([60.0, 350.0], 90.0), 0, None);
        assert_eq!((corner.left, corner.top + corner.side as i32), (0, 400));
        let (close, larger) = framing(&photo, &face([300.0, 220.0], 300.0), 0, None);
        assert_eq!((close.side, close.top), (400, 0));
        assert!(larger > 1.6, "{larger}");
        // A strip: the square is larger than the photo is high.
        let (strip, _) = framing(&Picture::new(&rgb, 1200, 200), &face([300.0, 100.0], 200.0), 0, None);
        assert_eq!((strip.side, strip.top), (230, -15));
    }

    #[test]
    fn a_hat_gets_room_where_the_photo_has_it() {
        let rgb = vec![0; 3 * 800 * 800];
        let photo = Picture::new(&rgb, 800, 800);
        let points = face([400.0, 400.0], 200.0);
        let (plain, _) = framing(&photo, &points, 0, None);
        assert_eq!((plain.left, plain.top, plain.side), (180, 180, 440));
        // A person whose hat ends at a row of the photo.
        let roomy = |top: f64| {
            let view = above(&plain, 64);
            let matte: Vec<f32> = (0..64 * 64)
                .map(|k| f32::from(u8::from(f64::from(view.apply([0.0, (k / 64) as f32])[1]) >= top)))
                .collect();
            with_room(&photo, plain, &points, &matte)
        };
        assert_eq!(roomy(250.0), plain);
        let hat = roomy(160.0);
        assert!((120..150).contains(&hat.top) && (455..470).contains(&hat.side), "{hat:?}");
        assert!(roomy(20.0).top >= 180 - 88 && hat.top + hat.side as i32 <= 800);
        // Nobody is seen.
        assert_eq!(with_room(&photo, plain, &points, &[0.0; 64 * 64]), plain);
    }

    #[test]
    fn a_lying_face_is_turned_upright() {
        assert_eq!([0.1, 1.5, -1.4, 3.1, -3.1].map(turns), [0, 3, 1, 2, 2]);
        // The upper half is red; after a turn by 180 degrees the lower one is.
        let rgb: Vec<u8> = (0..100 * 100).flat_map(|k| if k < 5000 { [255, 0, 0] } else { [0, 0, 255] }).collect();
        let photo = Picture::new(&rgb, 100, 100);
        let cut = |turns| cut(&photo, &Framing { left: 0, top: 0, side: 100, turns }, 512);
        let at = |portrait: &Portrait, x: usize, y: usize| portrait.rgb[3 * (512 * y + x)];
        let (plain, turned, right) = (cut(0), cut(2), cut(1));
        assert_eq!((at(&plain, 9, 9), at(&turned, 9, 9), at(&right, 9, 9), at(&right, 500, 9)), (255, 0, 0, 255));
    }

    #[test]
    fn beyond_the_photo_its_edge_goes_on() {
        let rgb: Vec<u8> = (0..64 * 64).flat_map(|k| [if k % 64 < 32 { 200 } else { 100 }, 7, 9]).collect();
        let photo = Picture::new(&rgb, 64, 64);
        let portrait = cut(&photo, &Framing { left: -64, top: -64, side: 192, turns: 0 }, 512);
        let at = |x: usize, y: usize| &portrait.rgb[3 * (512 * y + x)..][..3];
        assert_eq!((at(2, 256), at(509, 256)), (&[200, 7, 9][..], &[100, 7, 9][..]));
        assert_eq!(at(256, 256)[1..], [7, 9]);
        assert!((120..180).contains(&at(256, 2)[0]), "{:?}: the edge is softer far away", at(256, 2));
    }

    #[test]
    fn a_portrait_is_as_large_as_its_photo() {
        assert_eq!([100, 512, 614, 615, 800, 820, 3000].map(frame), [512, 512, 512, 768, 768, 1024, 1024]);
    }

    #[test]
    fn squares_that_are_not_in_the_photo_are_refused() {
        let rgb = vec![0; 3 * 600 * 400];
        let photo = Picture::new(&rgb, 600, 400);
        let asked = |left, top, side| Square { left, top, side }.checked(&photo);
        assert!(asked(0, 0, 400).is_ok());
        for (left, top, side) in [(201, 0, 400), (0, 1, 400), (0, 0, 63), (u32::MAX, 0, u32::MAX)] {
            let text = asked(left, top, side).unwrap_err().to_string();
            assert!(text.contains("600×400 pixels"), "{text}");
        }
    }
}
