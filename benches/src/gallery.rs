//! Contact sheets to look at: how avatars look when they speak, blink, feel and turn. No sound and no network is needed.
//!
//! `gallery [AVATAR]… [--part face|eyes|mouth|whole] [--pose NAME]… [--expressions FILE] [--network FILE] [--size PIXELS] [--zoom N] [--columns N] [--own] [--times]
//! [--background portrait|blur|#RRGGBB|FILE] [--out DIR]`
//!
//! An avatar is a name or a file; without one, all that ship are drawn. Poses are those of [`POSES`], then the cells of the expressions file (emotions, visemes;
//! written by `python -m train.eac.preview --expressions`): `{"cells": [{"name": …, "beta": {name: value}, "motion": [pitch, yaw, roll, x, y, z]}]}`, `motion` may
//! be absent. Their expressions are what is driven: they replace the portrait's, of whose `--own` expression part is kept as in a film. One sheet an avatar, OUT/gallery_NAME_PART.png, row by row in the order that is printed.
//! `--network` lets a learned generator draw over them; fits are taken as they are. `--times` prints what each kernel took, the best of forty frames.

use std::path::PathBuf;
use std::time::Duration;

use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{RgbImage, RgbaImage, buffer::ConvertBuffer};
use serde_json::Value;
use vultus::drive::Drive;
use vultus::face::{FaceModel, Mask};
use vultus::generator::Generator as _;
use vultus::generator::hef::HefWeights;
use vultus::generator::{Background, Method, OutputFormat, PortraitGenerator, Recording};
use vultus::weights::WeightReader;
use vultus_native::assets::Assets;
use vultus_native::backdrop;
use vultus_native::compute::{Backend, clock, open};
use vultus_truth::{bounds, project};

type Error = Box<dyn std::error::Error>;

/// Name, expressions (a name without a side means both), degrees of pitch, yaw and roll.
type Pose = (&'static str, &'static [(&'static str, f32)], [f32; 3]);

const POSES: &[Pose] = &[
    ("rest", &[], [0.0; 3]),
    ("jaw20", &[("jawOpen", 0.2)], [0.0; 3]),
    ("jaw50", &[("jawOpen", 0.5)], [0.0; 3]),
    ("aa", &[("jawOpen", 0.38), ("mouthLowerDown", 0.2)], [0.0; 3]),
    ("ee", &[("jawOpen", 0.12), ("mouthStretch", 0.4), ("mouthUpperUp", 0.25), ("mouthLowerDown", 0.4)], [0.0; 3]),
    ("oo", &[("jawOpen", 0.15), ("mouthPucker", 0.7), ("mouthFunnel", 0.3)], [0.0; 3]),
    ("ff", &[("jawOpen", 0.08), ("mouthRollLower", 0.5), ("mouthUpperUp", 0.3)], [0.0; 3]),
    ("mm", &[("mouthPress", 0.4), ("mouthRollLower", 0.3), ("mouthRollUpper", 0.3)], [0.0; 3]),
    ("smile", &[("mouthSmile", 0.4), ("cheekSquint", 0.4)], [0.0; 3]),
    ("teeth", &[("mouthSmile", 0.4), ("cheekSquint", 0.4), ("mouthUpperUp", 0.3), ("jawOpen", 0.08)], [0.0; 3]),
    ("quarter", &[("eyeBlink", 0.25)], [0.0; 3]),
    ("half", &[("eyeBlink", 0.5)], [0.0; 3]),
    ("most", &[("eyeBlink", 0.75)], [0.0; 3]),
    ("blink", &[("eyeBlink", 1.0)], [0.0; 3]),
    ("brows", &[("browInnerUp", 0.8), ("browOuterUp", 0.7), ("eyeWide", 0.4)], [0.0; 3]),
    ("frown", &[("browDown", 0.9), ("mouthFrown", 0.7)], [0.0; 3]),
    ("aside", &[("eyeLookOutLeft", 0.6), ("eyeLookInRight", 0.6)], [0.0; 3]),
    ("up", &[("eyeLookUp", 0.5)], [0.0; 3]),
    ("down", &[("eyeLookDown", 0.5), ("eyeBlink", 0.25)], [0.0; 3]),
    ("yaw15", &[], [0.0, 15.0, 0.0]),
    ("yaw-15", &[], [0.0, -15.0, 0.0]),
    ("yaw15 aa", &[("jawOpen", 0.3), ("mouthLowerDown", 0.2)], [0.0, 15.0, 0.0]),
    ("yaw-15 aa", &[("jawOpen", 0.3), ("mouthLowerDown", 0.2)], [0.0, -15.0, 0.0]),
    ("yaw15 blink", &[("eyeBlink", 1.0)], [0.0, 15.0, 0.0]),
    ("yaw-15 blink", &[("eyeBlink", 1.0)], [0.0, -15.0, 0.0]),
    ("pitch8", &[], [8.0, 0.0, 0.0]),
    ("pitch-8", &[], [-8.0, 0.0, 0.0]),
];

struct Cell {
    name: String,
    beta: [f32; 64],
    motion: [f32; 6],
}

struct Options {
    avatars: Vec<String>,
    part: String,
    poses: Vec<String>,
    expressions: PathBuf,
    network: Option<PathBuf>,
    size: usize,
    zoom: u32,
    columns: u32,
    own: bool,
    times: bool,
    background: Background,
    out: PathBuf,
}

/// Draws what `arguments` ask for.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let options = read_options(arguments)?;
    std::fs::create_dir_all(&options.out)?;
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights("face.safetensors")?)?;
    let mut cells = poses(&model)?;
    cells.extend(read_cells(&std::fs::read(&options.expressions)?, &model)?);
    if !options.poses.is_empty() {
        if let Some(unknown) = options.poses.iter().find(|name| cells.iter().all(|cell| cell.name != **name)) {
            let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
            return Err(format!("--pose {unknown}: there is no such pose; there are {}", names.join(", ")).into());
        }
        cells.retain(|cell| options.poses.contains(&cell.name));
    }
    let compute = open(Backend::Auto)?;
    let weights = match &options.network {
        Some(file) => Some(HefWeights::read(WeightReader::new(file.display().to_string(), std::fs::read(file)?)?)?),
        None => None,
    };
    let method = weights.as_ref().map_or(Method::Geometric, Method::Learned);
    let recording = Recording::new(&compute, &model, options.size, OutputFormat::Rgba, method)?;
    let avatars = if options.avatars.is_empty() { assets.avatars()? } else { options.avatars.clone() };
    for name in avatars {
        let avatar = assets.avatar(&name)?;
        let mut generator = {
            let prepared = recording.prepare(&model, &avatar)?.before(&options.background)?;
            if options.own { prepared.keeping_expression(&model, &avatar) } else { prepared }.generator()?
        };
        let size = options.size as u32;
        let mask = match options.part.as_str() {
            "face" => Some((Mask::Face, 0.05)),
            "eyes" => Some((Mask::Lids, 0.03)),
            "mouth" => Some((Mask::Lips, 0.05)),
            "whole" => None,
            part => return Err(format!("--part {part}: expected face, eyes, mouth or whole").into()),
        };
        let screen = project(&model, &avatar, &avatar.beta, &[0.0; 6], options.size);
        let [x, y, w, h] = mask.map_or([0, 0, size, size], |(mask, pad)| {
            bounds(model.mask(mask), &[&screen], pad * size as f32, options.size).map(|v| v as u32)
        });
        let [width, height] = [w, h].map(|v| v * options.zoom);
        let rows = cells.len().div_ceil(options.columns as usize) as u32;
        let mut sheet = RgbImage::new(options.columns.min(cells.len() as u32) * width, rows * height);
        for (k, cell) in cells.iter().enumerate() {
            let bytes = generator.frame(&Drive::new(&cell.beta, &cell.motion))?.bytes.to_vec();
            let whole: RgbImage = RgbaImage::from_raw(size, size, bytes).ok_or("size")?.convert();
            let mut tile = crop_imm(&whole, x, y, w, h).to_image();
            if options.zoom > 1 {
                tile = resize(&tile, width, height, FilterType::CatmullRom);
            }
            let (column, row) = (k as u32 % options.columns, k as u32 / options.columns);
            replace(&mut sheet, &tile, i64::from(column * width), i64::from(row * height));
        }
        let file = options.out.join(format!("gallery_{}_{}.png", avatar.name, options.part));
        sheet.save(&file)?;
        println!("{}", file.display());
        if options.times {
            print_times(&mut generator, &avatar.beta)?;
        }
    }
    for (row, cells) in cells.chunks(options.columns as usize).enumerate() {
        println!("row {}: {}", row + 1, cells.iter().map(|cell| cell.name.as_str()).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

fn read_options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Error> {
    let mut options = Options {
        avatars: Vec::new(),
        part: "face".into(),
        poses: Vec::new(),
        expressions: "benches/data/expressions.json".into(),
        network: None,
        size: 512,
        zoom: 1,
        columns: 8,
        own: false,
        times: false,
        background: Background::Portrait,
        out: ".".into(),
    };
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} takes a value"));
        match option.as_str() {
            "--part" => options.part = value()?,
            "--pose" => options.poses.push(value()?),
            "--expressions" => options.expressions = value()?.into(),
            "--network" => options.network = Some(value()?.into()),
            "--size" => options.size = value()?.parse()?,
            "--zoom" => options.zoom = value()?.parse::<u32>()?.clamp(1, 8),
            "--columns" => options.columns = value()?.parse::<u32>()?.max(1),
            "--own" => options.own = true,
            "--times" => options.times = true,
            "--background" => options.background = backdrop::background_or_file(&value()?)?,
            "--out" => options.out = value()?.into(),
            _ if option.starts_with("--") => return Err(format!("unknown option {option}").into()),
            _ => options.avatars.push(option),
        }
    }
    Ok(options)
}

fn poses(model: &FaceModel) -> Result<Vec<Cell>, Error> {
    let mut cells = Vec::new();
    for (name, expressions, angles) in POSES {
        let mut beta = [0.0; 64];
        for (expression, value) in *expressions {
            let names = [(*expression).to_owned(), format!("{expression}Left"), format!("{expression}Right")];
            let places: Vec<usize> = names.iter().filter_map(|name| model.expression_index(name)).collect();
            if places.is_empty() {
                return Err(format!("unknown expression {expression}").into());
            }
            places.iter().for_each(|k| beta[*k] = *value);
        }
        let [pitch, yaw, roll] = angles.map(f32::to_radians);
        cells.push(Cell { name: (*name).into(), beta, motion: [pitch, yaw, roll, 0.0, 0.0, 0.0] });
    }
    Ok(cells)
}

fn read_cells(file: &[u8], model: &FaceModel) -> Result<Vec<Cell>, Error> {
    let spec: Value = serde_json::from_slice(file)?;
    let mut cells = Vec::new();
    for cell in spec["cells"].as_array().ok_or("expressions: cells")? {
        let name = cell["name"].as_str().ok_or("cell: name")?.to_owned();
        let mut made = Cell { name, beta: [0.0; 64], motion: [0.0; 6] };
        for (key, value) in cell["beta"].as_object().ok_or("cell: beta")? {
            let k = model.expression_index(key).ok_or_else(|| format!("unknown expression {key}"))?;
            made.beta[k] = value.as_f64().ok_or("cell: a number")? as f32;
        }
        for (m, v) in made.motion.iter_mut().zip(cell["motion"].as_array().into_iter().flatten()) {
            *m = v.as_f64().ok_or("cell: motion")? as f32;
        }
        cells.push(made);
    }
    Ok(cells)
}

/// The best of forty frames, kernel by kernel: what a frame costs when nothing else runs.
fn print_times(generator: &mut PortraitGenerator, rest: &[f32; 64]) -> Result<(), Error> {
    let mut best: Vec<(&str, Duration)> = Vec::new();
    for i in 0..40 {
        let mut beta = *rest;
        beta[17] = 0.3 * (i % 3) as f32;
        let mut now: Vec<(&str, Duration)> = Vec::new();
        for (name, time) in generator.frame_timed(&Drive::new(&beta, &[0.0, 0.1, 0.0, 0.0, 0.0, 0.0]), clock())? {
            match now.iter_mut().find(|t| t.0 == name) {
                Some(t) => t.1 += time,
                None => now.push((name, time)),
            }
        }
        if best.is_empty() {
            best = now;
        } else {
            best.iter_mut().zip(&now).for_each(|(b, n)| b.1 = b.1.min(n.1));
        }
    }
    for (name, time) in &best {
        println!("{name:>20} {:7.3} ms", time.as_secs_f64() * 1e3);
    }
    println!("{:>20} {:7.3} ms", "sum", best.iter().map(|t| t.1.as_secs_f64()).sum::<f64>() * 1e3);
    Ok(())
}
