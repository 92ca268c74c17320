//! `vultus enrol`: a photograph to an avatar.

mod paint;
mod preview;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Error, Result, bail};
use clap::{Args, ValueEnum};
use vultus::generator::OutputFormat;
use vultus_native::assets::{Assets, read_file};
use vultus_native::enrol::{Doubt, Enrolled, Enroller, Landmarks, Options, Square, name_of};
use vultus_native::graphics::Graphics;
use vultus_native::media::{AtomicFile, MediaError};
use vultus_native::photo::Photo;
use vultus_native::registry::{Easel, GENERATOR, Registry};

use crate::console::{self, warn};
use crate::files::Files;
use crate::graphics::trial;
use crate::options::{BackendName, generators};

/// Longest file of landmarks that is read, bytes.
const LANDMARKS_BYTES: u64 = 1 << 20;
/// Characters of a name or a title.
const TEXT: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// A photo of a face: JPEG, PNG, WebP, GIF, BMP or TIFF. From the front, in even light, with hair and shoulders, it looks best.
    photo: PathBuf,
    /// The avatar to write; `render` and `serve` take it by --avatar.
    #[arg(short, long, value_name = "OUT.avatar")]
    output: PathBuf,
    /// You may use this picture of this person for an avatar. Without it you are asked. The file keeps the answer.
    #[arg(long)]
    i_have_consent: bool,
    /// Which face, counted from the left; else the largest.
    #[arg(long, value_name = "N", value_parser = face)]
    face: Option<usize>,
    /// Points to put right, as JSON: {"nose": [812, 640], …}, in pixels of the photo as it is seen. Points are left_eye, right_eye (the person's own left and
    /// right), nose, mouth_left, mouth_right, chin, and the mesh's own, 0 to 477.
    #[arg(long, value_name = "FILE.json")]
    landmarks: Option<PathBuf>,
    /// Draw what was found to this PNG: photo with points and outline, the person cut out, and the face at rest, speaking, blinking and smiling.
    #[arg(long, value_name = "OUT.png")]
    preview: Option<PathBuf>,
    /// The square of the photo that becomes the portrait: its left edge, its top and its side, in pixels; else one around the head.
    #[arg(long, value_name = "X,Y,SIDE", allow_hyphen_values = true, value_parser = square)]
    crop: Option<Square>,
    /// Width and height of the portrait; else as many pixels as the photo has there.
    #[arg(long, value_enum)]
    frame: Option<Frame>,
    /// Name of the avatar; else that of the output.
    #[arg(long)]
    name: Option<String>,
    /// One line about who is shown; else the photo's name.
    #[arg(long)]
    title: Option<String>,
    /// Licence of the photo, for instance CC0-1.0.
    #[arg(long, value_name = "SPDX", default_value = "not stated")]
    licence: String,
    /// Who draws the preview.
    #[arg(long, value_parser = generators(), default_value = GENERATOR)]
    generator: String,
    /// Where networks are computed.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    backend: BackendName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Frame {
    #[value(name = "512")]
    Small = 512,
    #[value(name = "768")]
    Middle = 768,
    #[value(name = "1024")]
    Large = 1024,
}

fn face(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "give a whole number; 1 is the leftmost face".into())
}

fn square(text: &str) -> Result<Square, String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([left, top, side]) => Ok(Square { left: *left, top: *top, side: *side }),
        _ => Err("give left edge, top and side in whole pixels: 340,120,900".into()),
    }
}

pub(crate) fn run(weights: Option<&Path>, arguments: &Enrol) -> Result<()> {
    let start = Instant::now();
    let output = arguments.output.as_path();
    if !output.extension().is_some_and(|e| e.eq_ignore_ascii_case("avatar")) {
        bail!("{} does not end in .avatar, by which --avatar knows a file", output.display());
    }
    if let Some(preview) =
        arguments.preview.as_deref().filter(|p| !p.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")))
    {
        bail!("{} does not end in .png; previews are written as PNG only", preview.display());
    }
    let name = text(arguments.name.clone().unwrap_or_else(|| name_of(output)), "--name")?;
    let title = text(arguments.title.clone().unwrap_or_else(|| name_of(&arguments.photo)), "--title")?;
    let licence = text(arguments.licence.clone(), "--licence")?;
    let assets = Assets::locate(weights)?;
    let mut files = Files::of(&assets).reads("the photo", &arguments.photo);
    if let Some(landmarks) = &arguments.landmarks {
        files = files.reads("the landmarks", landmarks);
    }
    files.writes("--output", Some(output)).writes("--preview", arguments.preview.as_deref()).check()?;
    let landmarks = arguments.landmarks.as_deref().map(landmarks).transpose()?.unwrap_or_default();
    let graphics = Graphics::ask(arguments.backend.into(), Some(&trial()))?;
    let photo = Photo::open(&arguments.photo)?;
    photo.notes().iter().for_each(|note| warn(&format!("{}: {note}", arguments.photo.display())));
    if !arguments.i_have_consent && !asked(&arguments.photo)? {
        bail!(
            "nothing was made of {}: that takes the consent of whoever is shown, or another right to the picture",
            arguments.photo.display()
        );
    }

    let compute = graphics.open(&console::notices())?;
    let mut enroller = Enroller::new(&compute, &assets)?;
    let options = Options {
        face: arguments.face,
        landmarks,
        crop: arguments.crop,
        frame: arguments.frame.map(|frame| frame as u32),
        name,
        title,
        licence,
        made_by: concat!("vultus ", env!("CARGO_PKG_VERSION")).into(),
        consent: true,
    };
    let enrolled = enroller.enrol(&photo, &options).with_context(|| arguments.photo.display().to_string())?;
    let bytes = enrolled.avatar.to_bytes()?;
    let seconds = start.elapsed().as_secs_f64();
    let preview = match &arguments.preview {
        Some(file) => {
            let registry = Registry::default();
            let drawer = (registry.generator(&arguments.generator).map_err(Error::msg)?.open)(&Easel {
                assets: &assets,
                face: enroller.model(),
                compute: &compute,
                size: preview::TILE as usize,
                format: OutputFormat::Rgba,
                notices: &console::notices(),
            })?;
            let mut generator = drawer.prepare(enrolled.avatar.clone())?.open()?;
            Some((file, preview::draw(enroller.model(), &mut *generator, &photo, &enrolled)?))
        }
        None => None,
    };
    // All is there before anything is written.
    write(output, &bytes)?;
    if let Some((file, png)) = &preview {
        write(file, png)?;
    }
    for doubt in &enrolled.doubts {
        warn(&said(doubt));
    }
    let line = line(output, &enrolled, seconds);
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error)
            .context("cannot write to standard output")
            .with_context(|| format!("{} is complete, but not what was to be said about it", output.display())),
        _ => Ok(()),
    }
}

/// The doubt, with the option that helps.
fn said(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Several { .. } => format!("{doubt} (--face N takes another, --preview shows their numbers)"),
        Doubt::Scattered | Doubt::Misfit => format!("{doubt} (--preview; --landmarks puts points right)"),
        _ => doubt.to_string(),
    }
}

/// One line for people.
fn line(output: &Path, enrolled: &Enrolled, seconds: f64) -> String {
    let side = enrolled.avatar.portrait.side;
    let sure = match enrolled.doubts.len() {
        0 => "nothing to be said against it".into(),
        1 => "1 note".into(),
        n => format!("{n} notes"),
    };
    format!(
        "{}: {side}×{side} pixels in {seconds:.1} s, {sure}; next: vultus render SPEECH.wav --avatar {0} -o film.mp4",
        output.display()
    )
}

fn text(text: String, option: &str) -> Result<String> {
    if text.trim().is_empty() || text.chars().count() > TEXT || text.chars().any(char::is_control) {
        bail!("{option} is no line of text; give 1 to {TEXT} characters");
    }
    Ok(text)
}

fn landmarks(file: &Path) -> Result<Landmarks> {
    let bytes = read_file(file, LANDMARKS_BYTES)?;
    let text = str::from_utf8(&bytes).map_err(|_| Error::msg(format!("{} is no text in UTF-8", file.display())))?;
    Landmarks::parse(text).with_context(|| file.display().to_string())
}

/// Asks whoever sits there. Where nobody does, the option is needed.
fn asked(photo: &Path) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        bail!(
            "a face needs the consent of whoever it is, or another right to the picture: say --i-have-consent if you have that for {}",
            photo.display()
        );
    }
    eprint!(
        "Do you have the consent of the person in {}, or another right to make this picture speak? [y/N] ",
        photo.display()
    );
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer; say --i-have-consent")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |cause: io::Error| MediaError::Write { file: path.display().to_string(), cause };
    let mut file = AtomicFile::create(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    Ok(file.commit().map_err(failed)?)
}
