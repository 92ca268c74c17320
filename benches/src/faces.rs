//! Stills of every avatar from written-down coefficients: no sound, no network.
//!
//! The file of expressions (written by `python -m train.eac.preview --expressions`) is `{"columns": n, "cells": [{"name": …, "beta": {name: value},
//! "motion": [pitch, yaw, roll, x, y, z]}]}`; `motion` may be absent. One contact sheet an avatar, cells in the file's order, cut to the face.

use std::path::PathBuf;

use image::imageops::{FilterType, crop_imm, replace, resize};
use image::{RgbImage, RgbaImage, buffer::ConvertBuffer};
use serde_json::Value;
use vultus::drive::Drive;
use vultus::face::{FaceModel, Mask};
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator};
use vultus_native::assets::Assets;
use vultus_native::compute::{Backend, open};
use vultus_truth::{bounds, project};

type Error = Box<dyn std::error::Error>;

struct Cell {
    beta: [f32; 64],
    motion: [f32; 6],
}

/// `arguments`: `[--avatar NAME]… [--expressions FILE] [--size PIXELS] [--tile PIXELS] [--out DIR]`.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let (mut names, mut size, mut tile) = (Vec::new(), 512usize, 256u32);
    let (mut expressions, mut out) = (PathBuf::from("benches/data/expressions.json"), PathBuf::from("."));
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or("every option takes a value")?;
        match option.as_str() {
            "--avatar" => names.push(value),
            "--expressions" => expressions = value.into(),
            "--size" => size = value.parse()?,
            "--tile" => tile = value.parse()?,
            "--out" => out = value.into(),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    std::fs::create_dir_all(&out)?;
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights("face.safetensors")?)?;
    let (columns, cells) = read(&std::fs::read(&expressions)?, &model)?;
    let compute = open(Backend::Auto)?;
    if names.is_empty() {
        names = assets.avatars()?;
    }
    for name in names {
        let avatar = assets.avatar(&name)?;
        let mut generator =
            PortraitGenerator::new(&compute, &model, &avatar, size, OutputFormat::Rgba, Method::Geometric)?;
        let screen = project(&model, &avatar, &avatar.beta, &[0.0; 6], size);
        let [x, y, w, h] = bounds(model.mask(Mask::Face), &[&screen], 0.06 * size as f32, size).map(|v| v as u32);
        let side = w.max(h).min(size as u32);
        let left = (x + w / 2).saturating_sub(side / 2).min(size as u32 - side);
        let top = (y + h / 2).saturating_sub(side / 2).min(size as u32 - side);
        let mut sheet = RgbImage::new(columns * tile, cells.len().div_ceil(columns as usize) as u32 * tile);
        for (k, cell) in cells.iter().enumerate() {
            let bytes = generator.frame(&Drive::new(&cell.beta, &cell.motion))?.bytes.to_vec();
            let whole: RgbImage = RgbaImage::from_raw(size as u32, size as u32, bytes).ok_or("size")?.convert();
            let face = crop_imm(&whole, left, top, side, side).to_image();
            let face = if side == tile { face } else { resize(&face, tile, tile, FilterType::CatmullRom) };
            let (column, row) = (k as u32 % columns, k as u32 / columns);
            replace(&mut sheet, &face, i64::from(column * tile), i64::from(row * tile));
        }
        let stem = PathBuf::from(&name).file_stem().map_or(name.clone(), |s| s.to_string_lossy().into_owned());
        let file = out.join(format!("faces_{stem}.png"));
        sheet.save(&file)?;
        println!("{}: {} faces", file.display(), cells.len());
    }
    Ok(())
}

fn read(file: &[u8], model: &FaceModel) -> Result<(u32, Vec<Cell>), Error> {
    let spec: Value = serde_json::from_slice(file)?;
    let columns = u32::try_from(spec["columns"].as_u64().unwrap_or(8).max(1))?;
    let mut cells = Vec::new();
    for cell in spec["cells"].as_array().ok_or("expressions: cells")? {
        let mut made = Cell { beta: [0.0; 64], motion: [0.0; 6] };
        for (key, value) in cell["beta"].as_object().ok_or("cell: beta")? {
            let k = model.expression_index(key).ok_or_else(|| format!("unknown expression {key}"))?;
            made.beta[k] = value.as_f64().ok_or("cell: a number")? as f32;
        }
        for (m, v) in made.motion.iter_mut().zip(cell["motion"].as_array().into_iter().flatten()) {
            *m = v.as_f64().ok_or("cell: motion")? as f32;
        }
        cells.push(made);
    }
    Ok((columns, cells))
}
