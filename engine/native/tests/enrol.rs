//! From photographs to avatars: portraits whose geometry and matte are known, put into larger pictures in the ways in which photographs come.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::enrol::EnrolError as FaceError;
use vultus::face::{Placement, Points};
use vultus_native::assets::Assets;
use vultus_native::enrol::{Doubt, EnrolError, Enrolled, Enroller, Landmarks, Options, Square};
use vultus_native::photo::Photo;

fn enroller() -> Enroller {
    Enroller::new(&Compute::Cpu, &Assets::embedded()).unwrap()
}

fn avatar(name: &str) -> AvatarFile {
    Assets::embedded().avatar(name).unwrap()
}

fn portrait(name: &str) -> RgbImage {
    let portrait = avatar(name).portrait;
    RgbImage::from_raw(portrait.side as u32, portrait.side as u32, portrait.rgb).unwrap()
}

fn photo(picture: &RgbImage) -> Photo {
    Photo::from_rgb(picture.as_raw().clone(), picture.width() as usize, picture.height() as usize)
}

fn options() -> Options {
    Options { name: "me".into(), title: "Me".into(), licence: "CC0-1.0".into(), consent: true, ..Options::default() }
}

/// A portrait of `side` pixels at a place in a wider picture that goes on as its edge is.
fn within(name: &str, side: u32, [x, y]: [u32; 2], [width, height]: [u32; 2]) -> RgbImage {
    let small = imageops::resize(&portrait(name), side, side, FilterType::CatmullRom);
    RgbImage::from_fn(width, height, |u, v| {
        *small.get_pixel(u.saturating_sub(x).min(side - 1), v.saturating_sub(y).min(side - 1))
    })
}

/// Mean distance between the outline that was found and the avatar's own, in pixels of 512 of its portrait. `to` brings places in that portrait, in units of its
/// side, to places in the photo; `unit` is what a pixel of 512 is there.
fn apart(enroller: &Enroller, name: &str, enrolled: &Enrolled, to: impl Fn([f64; 2]) -> [f64; 2], unit: f64) -> f64 {
    let truth = Points::landmarks(enroller.model()).project(&Placement::of(&avatar(name)));
    let mut found: Vec<[f64; 2]> = enrolled.outline.iter().flatten().copied().collect();
    // Closed lines come back to where they began.
    let closed = [42, 49, 62, 71];
    for k in closed.into_iter().rev() {
        found.remove(k);
    }
    assert_eq!(found.len(), truth.len());
    let errors = found.iter().zip(&truth).map(|(f, t)| {
        let t = to(*t);
        (f[0] - t[0]).hypot(f[1] - t[1]) / unit
    });
    errors.sum::<f64>() / truth.len() as f64
}

#[test]
fn a_portrait_in_a_larger_picture_is_found_fitted_and_cut_out() {
    let mut enroller = enroller();
    for name in ["amara", "jonas", "priya"] {
        let picture = within(name, 512, [400, 100], [1400, 700]);
        let enrolled = enroller.enrol(&photo(&picture), &options()).unwrap();
        let to = |[x, y]: [f64; 2]| [400.0 + 512.0 * x, 100.0 + 512.0 * y];
        let off = apart(&enroller, name, &enrolled, to, 1.0);
        assert!(off < 4.0, "{name}: {off} px of 512");
        let made = &enrolled.avatar;
        assert!(made.origin.mesh_fit && made.origin.consent && made.portrait.side == 512);
        assert!(!enrolled.doubts.iter().any(Doubt::is_grave), "{name}: {:?}", enrolled.doubts);
        assert_eq!((enrolled.faces.len(), enrolled.taken), (1, Some(0)), "{name}");
        // The matte, where the portrait has one.
        let (truth, framing) = (avatar(name).matte, made.origin.framing.unwrap());
        let (mut both, mut either) = (0, 0);
        for y in 0..512 {
            for x in 0..512 {
                let [u, v] = framing.to_portrait([400.5 + x as f64, 100.5 + y as f64]);
                let at = |v: f64| (v * 512.0) as usize;
                if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                    let (a, b) = (truth.alpha[512 * y + x] > 127, made.matte.alpha[512 * at(v) + at(u)] > 127);
                    both += usize::from(a && b);
                    either += usize::from(a || b);
                }
            }
        }
        let iou = both as f64 / either as f64;
        assert!(iou > 0.975, "{name}: {iou}");
        // What is written can be read, and comes out the same again.
        let bytes = made.to_bytes().unwrap();
        assert!(&AvatarFile::parse("me.avatar", bytes).unwrap() == made, "{name}");
        let again = enroller.enrol(&photo(&picture), &options()).unwrap();
        assert!(&again.avatar == made, "{name}: chance has a part in it");
    }
}

#[test]
fn a_face_that_lies_or_stands_on_its_head_is_turned() {
    let mut enroller = enroller();
    let upright = within("jonas", 400, [150, 60], [700, 500]);
    for (turns, degrees) in [(2, 180), (1, 270), (3, 90)] {
        // Clockwise by so many quarters; the face has to go on to a whole turn.
        let turned = (0..turns).fold(upright.clone(), |picture, _| imageops::rotate90(&picture));
        let (width, height) = (700.0, 500.0);
        let turn = |[x, y]: [f64; 2]| match turns {
            1 => [height - y, x],
            2 => [width - x, height - y],
            _ => [y, width - x],
        };
        let enrolled = enroller.enrol(&photo(&turned), &options()).unwrap();
        assert!(enrolled.doubts.contains(&Doubt::Upright { degrees }), "{degrees}: {:?}", enrolled.doubts);
        let to = |[x, y]: [f64; 2]| turn([150.0 + 400.0 * x, 60.0 + 400.0 * y]);
        let off = apart(&enroller, "jonas", &enrolled, to, 400.0 / 512.0);
        assert!(off < 4.5, "{degrees}: {off} px of 512");
    }
}

#[test]
fn exif_says_how_a_photo_stands() {
    let mut enroller = enroller();
    let upright = within("priya", 400, [150, 60], [700, 500]);
    let mut jpeg = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(imageops::rotate270(&upright)).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let plain = jpeg.into_inner();
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let bytes = [&plain[..2], &[0xff, 0xe1, 0, exif.len() as u8 + 2], exif, &plain[2..]].concat();
    let photo = Photo::decode("me.jpg", &bytes).unwrap();
    assert_eq!((photo.width(), photo.height()), (700, 500));
    let enrolled = enroller.enrol(&photo, &options()).unwrap();
    let to = |[x, y]: [f64; 2]| [150.0 + 400.0 * x, 60.0 + 400.0 * y];
    let off = apart(&enroller, "priya", &enrolled, to, 400.0 / 512.0);
    assert!(off < 4.5 && enrolled.avatar.origin.framing.unwrap().turns == 0, "{off}");
}

#[test]
fn of_several_faces_the_largest_or_the_one_that_is_asked_for() {
    let mut enroller = enroller();
    let mut picture = within("kenji", 400, [40, 100], [1200, 600]);
    imageops::replace(&mut picture, &imageops::resize(&portrait("lea"), 520, 520, FilterType::CatmullRom), 600, 40);
    let photo = photo(&picture);
    let middle = |enrolled: &Enrolled| enrolled.points[1][0];
    let largest = enroller.enrol(&photo, &options()).unwrap();
    assert!(largest.doubts.contains(&Doubt::Several { faces: 2, taken: 2 }), "{:?}", largest.doubts);
    assert!((700.0..1050.0).contains(&middle(&largest)));
    let asked = enroller.enrol(&photo, &Options { face: Some(1), ..options() }).unwrap();
    assert!((100.0..400.0).contains(&middle(&asked)) && asked.taken == Some(0));
    let cropped = Square { left: 0, top: 60, side: 500 };
    let cropped = enroller.enrol(&photo, &Options { crop: Some(cropped), ..options() }).unwrap();
    assert_eq!((cropped.taken, cropped.avatar.origin.framing.unwrap().side), (Some(0), 500));
    let error = enroller.enrol(&photo, &Options { face: Some(3), ..options() }).unwrap_err().to_string();
    assert!(error.contains("no face number 3") && error.contains("the photo has 2"), "{error}");
    let nowhere = Square { left: 500, top: 0, side: 64 };
    let error = enroller.enrol(&photo, &Options { crop: Some(nowhere), ..options() }).unwrap_err().to_string();
    assert!(error.contains("holds none of the faces"), "{error}");
}

#[test]
fn what_shows_no_face_is_refused_or_doubted() {
    let mut enroller = enroller();
    let waves =
        |x: u32, y: u32| (128.0 + 60.0 * (f64::from(x) / 23.0).sin() + 50.0 * (f64::from(y) / 31.0).cos()) as u8;
    let walls = [
        RgbImage::from_pixel(640, 480, Rgb([120; 3])),
        RgbImage::from_fn(640, 480, |x, y| Rgb([(x / 3) as u8, (y / 2) as u8, 90])),
        RgbImage::from_fn(640, 480, |x, y| Rgb([waves(x, y), waves(y, x), 70])),
        RgbImage::from_fn(64, 64, |x, y| Rgb([((x * 7919 + y * 104_729) % 251) as u8; 3])),
    ];
    for (k, wall) in walls.iter().enumerate() {
        match enroller.enrol(&photo(wall), &options()) {
            Err(EnrolError::Face(FaceError::NoFace | FaceError::Tiny(_))) => {}
            Err(error) => panic!("{k}: {error}"),
            Ok(enrolled) => assert!(enrolled.doubts.iter().any(Doubt::is_grave), "{k}: {:?}", enrolled.doubts),
        }
    }
}

#[test]
fn small_faces_are_doubted_and_tiny_ones_refused() {
    let mut enroller = enroller();
    let small = enroller.enrol(&photo(&within("amara", 200, [300, 100], [800, 500])), &options()).unwrap();
    assert!(small.doubts.iter().any(|doubt| matches!(doubt, Doubt::Small { eyes: 20..45 })), "{:?}", small.doubts);
    let tiny = enroller.enrol(&photo(&within("amara", 44, [60, 30], [200, 120])), &options());
    assert!(matches!(tiny, Err(EnrolError::Face(FaceError::Tiny(_) | FaceError::NoFace))), "{tiny:?}");
}

#[test]
fn a_large_photo_keeps_its_pixels_and_a_small_one_gets_none() {
    let mut enroller = enroller();
    for (side, frame) in [(300, 512), (640, 768), (1100, 1024)] {
        let picture = within("priya", side, [side / 2, side / 4], [2 * side, 3 * side / 2]);
        let made = enroller.enrol(&photo(&picture), &options()).unwrap().avatar;
        assert_eq!((made.portrait.side, made.matte.side), (frame, frame), "{side}");
    }
    let picture = photo(&within("priya", 300, [100, 50], [600, 400]));
    let asked = enroller.enrol(&picture, &Options { frame: Some(1024), ..options() }).unwrap();
    assert_eq!(asked.avatar.portrait.side, 1024);
    let error = enroller.enrol(&picture, &Options { frame: Some(600), ..options() }).unwrap_err().to_string();
    assert!(error.contains("give 512, 768 or 1024"), "{error}");
}

#[test]
fn points_that_are_put_right_are_where_they_were_put() {
    let mut enroller = enroller();
    let photo = photo(&within("jonas", 512, [100, 50], [800, 600]));
    let before = enroller.enrol(&photo, &options()).unwrap();
    let [x, y] = before.points[152];
    let landmarks = Landmarks::parse(&format!("{{\"chin\": [{x}, {}]}}", y + 14.0)).unwrap();
    let after = enroller.enrol(&photo, &Options { landmarks, ..options() }).unwrap();
    assert!((after.points[152][1] - y - 14.0).abs() < 1e-3);
    let chin = |enrolled: &Enrolled| enrolled.outline[0][8][1];
    assert!(chin(&after) > chin(&before) + 4.0, "{} {}", chin(&before), chin(&after));
    assert!((after.points[468][1] - before.points[468][1]).abs() < 0.5, "the eyes stay");
}

#[test]
fn a_covered_mouth_is_doubted() {
    let mut enroller = enroller();
    for name in ["priya", "jonas", "amara"] {
        let mut picture = within(name, 512, [100, 50], [800, 600]);
        let plain = enroller.enrol(&photo(&picture), &options()).unwrap();
        let eyes = (plain.points[473][0] - plain.points[468][0]).abs();
        let [x, y] = plain.points[13];
        for (u, v, pixel) in picture.enumerate_pixels_mut() {
            let [du, dv] = [(f64::from(u) - x) / (0.9 * eyes), (f64::from(v) - y - 0.1 * eyes) / (0.55 * eyes)];
            if du.abs().max(dv.abs()) < 1.0 {
                *pixel = Rgb([150, 170, 190]);
            }
        }
        let masked = enroller.enrol(&photo(&picture), &options()).unwrap();
        let told = |d: &Doubt| d.is_grave() || matches!(d, Doubt::Covered(_));
        assert!(!plain.doubts.iter().any(told), "{name}: {:?}", plain.doubts);
        assert!(masked.doubts.iter().any(told), "{name}: {:?}, {}", masked.doubts, masked.spread);
    }
}
