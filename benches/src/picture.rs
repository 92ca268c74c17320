//! The geometric generator against path-traced pictures of other expressions.
//!
//! TRUTH/NAME/truth.json names the avatar, and for each case its picture, expression and head motion. Prints PSNR (dB) and SSIM in the boxes of
//! face, mouth and eyes for "copy the portrait", "warp only" and "full"; writes picture.json and a contact sheet a person (truth, warp, full).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Value, json};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::drive::Drive;
use vultus::face::{FaceModel, Mask};
use vultus::generator::{Generator, Method, OutputFormat, PortraitGenerator};
use vultus_native::assets::Assets;
use vultus_native::compute::{Backend, open};
use vultus_truth::{bounds, project, psnr, ssim};

type Error = Box<dyn std::error::Error>;
const WAYS: [&str; 3] = ["copy", "warp", "full"];
const BOXES: [&str; 3] = ["face", "mouth", "eyes"];

/// Case → box → way → figures of each person.
type Table = BTreeMap<String, BTreeMap<&'static str, BTreeMap<&'static str, Vec<[f64; 2]>>>>;

/// `arguments`: `[--truth DIR] [--out DIR]`.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let (mut truth, mut out) = (PathBuf::from("benches/data/truth"), PathBuf::from("."));
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or("every option takes a value")?;
        match option.as_str() {
            "--truth" => truth = value.into(),
            "--out" => out = value.into(),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    std::fs::create_dir_all(&out)?;
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights("face.safetensors")?)?;
    let compute = open(Backend::Auto)?;
    let mut people: Vec<PathBuf> =
        std::fs::read_dir(&truth)?.filter_map(|e| Some(e.ok()?.path().join("truth.json"))).collect();
    people.retain(|p| p.is_file());
    people.sort();
    let mut table = Table::new();
    for file in &people {
        let spec: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let folder = file.parent().ok_or("a file has a folder")?;
        let name = spec["avatar"].as_str().ok_or("truth.json: avatar")?;
        let Ok(avatar) = assets.avatar(name) else {
            println!("{name}: no such avatar, left out");
            continue;
        };
        one_person(folder, &spec, &model, &avatar, &compute, &out, &mut table)?;
    }
    println!("\nmean over people          {}", BOXES.map(|b| format!("{b:^44}")).join(""));
    for (case, boxes) in &table {
        let mean = |b: &str, w: &str, i: usize| {
            let all = &boxes[b][w];
            all.iter().map(|v| v[i]).sum::<f64>() / all.len() as f64
        };
        let cell = |b: &str| WAYS.map(|w| format!("{:6.2}/{:.3}", mean(b, w, 0), mean(b, w, 1))).join(" → ");
        println!(
            "{case:>10} ({})  {}",
            boxes["face"]["full"].len(),
            BOXES.map(|b| format!("{:<44}", cell(b))).join("")
        );
    }
    std::fs::write(out.join("picture.json"), serde_json::to_vec_pretty(&json!(table))?)?;
    Ok(())
}

fn one_person(
    folder: &Path,
    spec: &Value,
    model: &FaceModel,
    avatar: &AvatarFile,
    compute: &Compute,
    out: &Path,
    table: &mut Table,
) -> Result<(), Error> {
    let size = usize::try_from(spec["size"].as_u64().ok_or("truth.json: size")?)?;
    let mut full = PortraitGenerator::new(compute, model, avatar, size, OutputFormat::Rgba, Method::Geometric)?;
    let mut warp = PortraitGenerator::new(compute, model, avatar, size, OutputFormat::Rgba, Method::WarpOnly)?;
    let source = rgb(full.frame(&Drive::new(&avatar.beta, &[0.0; 6]))?.bytes);
    let at_rest = project(model, avatar, &avatar.beta, &[0.0; 6], size);
    let cases = spec["cases"].as_array().ok_or("truth.json: cases")?;
    let mut sheet = RgbImage::new(3 * size as u32, (size * cases.len()) as u32);
    for (row, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().ok_or("case: name")?;
        let mut beta = [0.0f32; 64];
        for (key, value) in case["beta"].as_object().ok_or("case: beta")? {
            let k = model.expression_index(key).ok_or_else(|| format!("unknown expression {key}"))?;
            beta[k] = value.as_f64().unwrap_or(0.0) as f32;
        }
        let mut motion = [0.0f32; 6];
        for (m, v) in motion.iter_mut().zip(case["dpose"].as_array().ok_or("case: dpose")?) {
            *m = v.as_f64().unwrap_or(0.0) as f32;
        }
        let truth = image::open(folder.join(case["image"].as_str().ok_or("case: image")?))?.into_rgb8();
        let truth = image::imageops::resize(&truth, size as u32, size as u32, image::imageops::FilterType::CatmullRom)
            .into_raw();
        let drive = Drive::new(&beta, &motion);
        let made = [source.clone(), rgb(warp.frame(&drive)?.bytes), rgb(full.frame(&drive)?.bytes)];
        let driven = project(model, avatar, &beta, &motion, size);
        let mut line = format!("{:>8} {name:<10}", avatar.name);
        for (b, (mask, pad)) in [(Mask::Face, 4.0), (Mask::Lips, 5.0), (Mask::Lids, 4.0)].into_iter().enumerate() {
            let area = bounds(model.mask(mask), &[&at_rest, &driven], pad, size);
            for (w, picture) in WAYS.into_iter().zip(&made) {
                let figures = [psnr(picture, &truth, area, size), ssim(picture, &truth, area, size)];
                table.entry(name.into()).or_default().entry(BOXES[b]).or_default().entry(w).or_default().push(figures);
                line += &format!(" {:5.2}/{:.3}", figures[0], figures[1]);
            }
            line += "  |";
        }
        println!("{line}");
        for (column, picture) in [&truth, &made[1], &made[2]].into_iter().enumerate() {
            let tile = RgbImage::from_raw(size as u32, size as u32, picture.clone()).ok_or("size")?;
            image::imageops::replace(&mut sheet, &tile, (column * size) as i64, (row * size) as i64);
        }
    }
    sheet.save(out.join(format!("picture_{}.png", avatar.name)))?;
    Ok(())
}

fn rgb(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()
}
