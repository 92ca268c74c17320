//! What users and clients may ask for behind a face.

use std::path::Path;

use vultus::generator::{Backdrop, Background};

use crate::names;
use crate::photo::Photo;

/// What has a name, for pictures without alpha; the last only where there is a picture.
const NAMES: [&str; 3] = ["portrait", "blur", "picture"];
const COLOUR: &str = "a colour such as #00ff00";
/// What those hear who want a cut-out where there is no alpha.
const NO_ALPHA: &str = "the background none needs pictures with alpha, and H.264 has none; give one colour instead, such as #00ff00, and key it out in your program";

/// The background that a client names: `portrait`, `blur`, a colour, `#rrggbb` with or without its `#`, or `picture`, the one that the program was started with.
///
/// # Errors
/// There is none of this name, or H.264 cannot show it: one sentence that says what there is.
pub fn background(text: &str, picture: Option<&Backdrop>) -> Result<Background, String> {
    named(text, picture, COLOUR)
}

/// As [`background`], or a picture's file: its middle square stands behind the face.
///
/// # Errors
/// The same, or the file is no picture.
pub fn background_or_file(text: &str) -> Result<Background, String> {
    let path = Path::new(text);
    // A name with a typing error has neither a folder nor an ending.
    if text.parse::<Background>().is_ok() || !(path.exists() || path.extension().is_some()) {
        return named(text, None, &format!("{COLOUR}, or a picture (PNG, JPEG)"));
    }
    let photo = Photo::open(path).map_err(|error| error.to_string())?;
    Ok(Background::Picture(Backdrop::cover(photo.rgb(), photo.width(), photo.height())))
}

fn named(text: &str, picture: Option<&Backdrop>, also: &str) -> Result<Background, String> {
    match (text.parse(), picture) {
        (Ok(Background::None), _) => Err(NO_ALPHA.to_owned()),
        (Ok(background), _) => Ok(background),
        (Err(_), Some(picture)) if text == NAMES[2] => Ok(Background::Picture(picture.clone())),
        (Err(_), picture) => {
            let known = if picture.is_some() { &NAMES[..] } else { &NAMES[..2] };
            Err(names::unknown("background", text, known, also))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_background_is_told_what_there_is() {
        let beach = Backdrop::cover(&[9; 12], 2, 2);
        let background = |text: &str| background(text, None);
        assert_eq!(background("blur"), Ok(Background::Blur));
        assert_eq!(background("00ff00"), background("#00FF00"));
        assert_eq!(super::background("picture", Some(&beach)), Ok(Background::Picture(beach.clone())));
        assert!(super::background("pitcure", Some(&beach)).unwrap_err().contains("did you mean picture?"));
        for (text, words) in [
            ("none", "key it out"),
            ("blurr", "did you mean blur? All of them: portrait, blur, or give a colour such as #00ff00"),
            ("#0f0", "choose one of portrait, blur, or give a colour such as #00ff00"),
            ("beach.png", "choose one of portrait, blur"),
            ("picture", "portrait, blur, or give a colour"),
        ] {
            let error = background(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        for (text, words) in [
            ("none", "key it out"),
            ("green", "or a picture (PNG, JPEG)"),
            ("beach.png", "there is no such file"),
            ("no/such/folder/beach.png", "there is no such file"),
        ] {
            let error = background_or_file(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_is_a_picture_behind_the_face_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let file = folder.path().join(name);
            image::RgbImage::from_pixel(64, 40, image::Rgb([1, 2, 3])).save(&file).unwrap();
            file
        };
        let Ok(Background::Picture(_)) = background_or_file(write("a.png").to_str().unwrap()) else {
            panic!("a PNG is a picture")
        };
        let letter = folder.path().join("letter.png");
        std::fs::write(&letter, "Dear Sir or Madam").unwrap();
        let error = background_or_file(letter.to_str().unwrap()).unwrap_err();
        assert!(error.contains("letter.png"), "{error}");
    }
}
