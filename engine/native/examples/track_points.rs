//! Where the tracker sees the face in pictures: `track_points OUT.json [--looks 8] PICTURE|AVATAR|FOLDER …`, for `train/track/correspond.py` and
//! `benches/examples/fit.rs`.
//!
//! Of each picture with a face, by its path: `size` (width, height), `presence`, `points` (478, 2) in pixels, centres at +½, the median of half of the looks, at
//! slightly other squares each, and `mirrored` (478, 2), the median of the other half: those of the mirror image, turned back, numbered as it has them there.
#![allow(clippy::print_stdout, reason = "a tool that reports to its user")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Value, json};
use vultus::compute::Compute;
use vultus::track::{Detector, Mesh, Picture, Range, Roi, Tracker};
use vultus_native::assets::Assets;

type Error = Box<dyn std::error::Error>;

struct Looker {
    tracker: Tracker,
    mesh: Mesh,
    looks: usize,
}

impl Looker {
    fn look(&mut self, picture: &RgbImage) -> Result<Option<Value>, Error> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let seen = Picture::new(picture.as_raw(), width, height);
        self.tracker.reset();
        let Some(face) = self.tracker.next(&seen)? else { return Ok(None) };
        let middle = Roi::of_points(&face.points);
        let flipped = image::imageops::flip_horizontal(picture);
        let mirrored = Picture::new(flipped.as_raw(), width, height);
        let (mut plain, mut other) = (Vec::new(), Vec::new());
        for k in 0..self.looks {
            // Steps of an additive sequence fill the ranges evenly.
            let part = |ratio: f64| 2.0 * ((k as f64 + 0.5) * ratio).fract() as f32 - 1.0;
            let [dx, dy] = [part(0.754_877), part(0.569_84)].map(|v| 0.025 * v * middle.side);
            let [x, y] = [middle.centre[0] + dx, middle.centre[1] + dy];
            let side = middle.side * (1.0 + 0.06 * part(0.671_1));
            let angle = middle.angle + 0.06 * part(0.819_2);
            if k % 2 == 0 {
                let roi = Roi { centre: [x, y], side, angle };
                plain.push(self.mesh.look(&seen, roi)?.points);
            } else {
                let roi = Roi { centre: [width as f32 - x, y], side, angle: -angle };
                let mut points = self.mesh.look(&mirrored, roi)?.points;
                points.iter_mut().for_each(|p| p[0] = width as f32 - p[0]);
                other.push(points);
            }
        }
        Ok(Some(json!({
            "size": [width, height],
            "presence": face.presence,
            "points": medians(&plain),
            "mirrored": medians(&other),
        })))
    }
}

/// (478, 2), to a thousandth.
fn medians(all: &[Vec<[f32; 3]>]) -> Vec<[f64; 2]> {
    let median = |k: usize, c: usize| {
        let mut values: Vec<f32> = all.iter().map(|points| points[k][c]).collect();
        values.sort_by(f32::total_cmp);
        let n = values.len();
        (500.0 * f64::from(values[(n - 1) / 2] + values[n / 2])).round() / 1e3
    };
    (0..all[0].len()).map(|k| [median(k, 0), median(k, 1)]).collect()
}

fn pictures(path: &Path, into: &mut Vec<PathBuf>) -> Result<(), Error> {
    if !path.is_dir() {
        into.push(path.into());
        return Ok(());
    }
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|e| Ok(e?.path())).collect::<Result<_, std::io::Error>>()?;
    all.sort();
    for path in all {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        // Mattes lie beside what they belong to.
        let matte = path.to_string_lossy().contains(".matte.");
        if path.is_dir() || (["png", "jpg", "jpeg", "avatar"].contains(&ending) && !matte) {
            pictures(&path, into)?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let mut looks = 8;
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        match a.as_str() {
            "--looks" => looks = args.next().ok_or("--looks N")?.parse::<usize>()?.max(2),
            _ => words.push(a),
        }
    }
    let [out, paths @ ..] = &words[..] else { return Err("track_points OUT.json PICTURE|AVATAR|FOLDER …".into()) };
    let assets = Assets::locate(None)?;
    let compute = Compute::Cpu;
    let detector = |range: Range| -> Result<Detector, Error> {
        Ok(Detector::new(&compute, range, assets.weights(range.file())?)?)
    };
    let mesh = Mesh::new(&compute, assets.weights(Mesh::FILE)?)?;
    let tracker = Tracker::new(vec![detector(Range::Short)?, detector(Range::Full)?], mesh.another()?);
    let mut looker = Looker { tracker, mesh, looks };
    let mut files = Vec::new();
    for path in paths {
        pictures(Path::new(path), &mut files)?;
    }
    let mut all = BTreeMap::new();
    for (k, file) in files.iter().enumerate() {
        let name = file.display().to_string();
        let picture = if file.extension().is_some_and(|e| e == "avatar") {
            let portrait = assets.avatar(&name)?.portrait;
            RgbImage::from_raw(portrait.side as u32, portrait.side as u32, portrait.rgb).ok_or("not square")?
        } else {
            image::open(file)?.into_rgb8()
        };
        match looker.look(&picture)? {
            Some(said) => drop(all.insert(name, said)),
            None => println!("{name}: no face"),
        }
        if k % 100 == 99 {
            println!("{} of {}", k + 1, files.len());
        }
    }
    std::fs::write(out, serde_json::to_vec(&all)?)?;
    println!("{out}: {} of {} pictures", all.len(), files.len());
    Ok(())
}
