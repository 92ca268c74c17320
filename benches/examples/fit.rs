//! How far a fit's mesh is from the exact one, in pixels of a picture of 512², and what a fit costs.
//!
//! `cargo run --release -p vultus-native --example track_points -- POINTS.json weights/avatars benches/data/held`, then
//! `cargo run --release -p vultus-benches --example fit -- POINTS.json [--correspondence FILE] [--align] [--each]`
//!
//! *face*, *lips*, *lids*: mean distance of the vertices of these masks, the face's where they face the camera; *head*: all that face it. `--align` gives the
//! figures once more after the network that corrects fits has had its say; `--each` gives every picture's.
#![allow(clippy::print_stdout, reason = "printing tables is what benchmarks are for")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;
use vultus::align::{AlignWeights, Aligner};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::{FaceModel, Mask, Placement};
use vultus::fit::{Fit, Fitter};
use vultus::weights::WeightReader;
use vultus_native::assets::{self, Assets};
use vultus_truth::{Folder, project};

type Error = Box<dyn std::error::Error>;

/// What `track_points` says of a picture.
#[derive(Deserialize)]
struct Seen {
    size: [f64; 2],
    points: Vec<[f64; 2]>,
    mirrored: Vec<[f64; 2]>,
}

/// A picture whose geometry is known.
struct Known {
    avatar: AvatarFile,
    beta: [f32; 64],
    motion: [f32; 6],
    kind: &'static str,
}

const SIDE: usize = 512;

/// Mean distances of face, lips, lids, head.
fn apart(model: &FaceModel, exact: &[[f32; 4]], facing: &[bool], fit: &[[f32; 4]]) -> [f64; 4] {
    let mean = |keep: &dyn Fn(usize) -> bool| {
        let (mut sum, mut count) = (0.0, 0.0);
        for v in (0..exact.len()).filter(|v| keep(*v)) {
            sum += f64::from((exact[v][0] - fit[v][0]).hypot(exact[v][1] - fit[v][1]));
            count += 1.0;
        }
        sum / count
    };
    let on = |mask: Mask, v: usize| model.mask(mask)[v] > 0.5;
    [
        mean(&|v| facing[v] && on(Mask::Face, v)),
        mean(&|v| on(Mask::Lips, v)),
        mean(&|v| on(Mask::Lids, v)),
        mean(&|v| facing[v] && model.head_weight[v] > 0.99),
    ]
}

/// Which vertices of a mesh in a picture face the camera: the sum of the triangles around them does.
fn facing(model: &FaceModel, screen: &[[f32; 4]]) -> Vec<bool> {
    let mut sums = vec![[0.0f32; 2]; screen.len()];
    for [a, b, c, _] in &model.triangles {
        let [a, b, c] = [a, b, c].map(|v| *v as usize);
        let at = |v: usize| [screen[v][0], screen[v][1]];
        let (p, q, r) = (at(a), at(b), at(c));
        let area = (r[0] - p[0]) * (q[1] - p[1]) - (q[0] - p[0]) * (r[1] - p[1]);
        for v in [a, b, c] {
            sums[v][0] += area;
            sums[v][1] += area.abs();
        }
    }
    sums.iter().map(|[area, all]| *area > 0.15 * all).collect()
}

fn known(
    model: &FaceModel,
    path: &Path,
    folders: &mut HashMap<String, Vec<vultus_truth::Case>>,
) -> Result<Known, Error> {
    let folder = Folder::new(path.parent().ok_or("a path without a folder")?.into());
    if path.extension().is_some_and(|e| e == "avatar") {
        let name = path.display().to_string();
        let avatar = AvatarFile::parse(&name, std::fs::read(path)?)?;
        let kind = if folder.avatar().is_ok() { "held-out portraits" } else { "avatars" };
        return Ok(Known { beta: avatar.beta, avatar, motion: [0.0; 6], kind });
    }
    let cases = match folders.entry(folder.path().display().to_string()) {
        std::collections::hash_map::Entry::Occupied(e) => e.into_mut(),
        std::collections::hash_map::Entry::Vacant(e) => e.insert(folder.cases(model, 1.0)?.1),
    };
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let case = cases.iter().find(|c| c.name == stem).ok_or(format!("{}: no such case", path.display()))?;
    let kind = if stem.starts_with("turn_") { "held-out, turned by 15°" } else { "held-out, other pictures" };
    Ok(Known { avatar: folder.avatar()?, beta: case.beta, motion: case.motion, kind })
}

fn main() -> Result<(), Error> {
    let (mut correspondence, mut align, mut each) = (None, false, false);
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        match a.as_str() {
            "--correspondence" => correspondence = args.next(),
            "--align" => align = true,
            "--each" => each = true,
            _ => words.push(a),
        }
    }
    let [points] = &words[..] else { return Err("fit POINTS.json".into()) };
    let seen: BTreeMap<String, Seen> = serde_json::from_slice(&std::fs::read(points)?)?;
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights(assets::FACE)?)?;
    let places = match correspondence {
        Some(file) => WeightReader::new(file.clone(), std::fs::read(file)?)?,
        None => assets.weights(Fitter::FILE)?,
    };
    let fitter = Fitter::new(&model, places)?;
    let aligner = align
        .then(|| -> Result<_, Error> {
            Ok(Aligner::new(AlignWeights::read(assets.weights(assets::ALIGN)?, model.vertices())?))
        })
        .transpose()?;

    let mut folders = HashMap::new();
    let mut rows: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
    let (mut milliseconds, mut following) = (Vec::new(), Vec::new());
    for (name, seen) in &seen {
        let Ok(Known { avatar, beta, motion, kind }) = known(&model, Path::new(name), &mut folders) else { continue };
        let mirror = fitter.mirror();
        let at: Vec<[f64; 2]> = (0..seen.points.len())
            .map(|k| [0, 1].map(|c| 0.5 * (seen.points[k][c] + seen.mirrored[mirror[k]][c]) / seen.size[1]))
            .collect();
        let start = Instant::now();
        let fit = fitter.fit(&at)?;
        milliseconds.push(1e3 * start.elapsed().as_secs_f64());
        let start = Instant::now();
        fitter.follow(&fit, &fit, &at)?;
        following.push(1e3 * start.elapsed().as_secs_f64());

        let exact = project(&model, &avatar, &beta, &motion, SIDE);
        let faces = facing(&model, &exact);
        let fitted =
            AvatarFile { alpha: fit.alpha, beta: fit.beta, pose: fit.pose, camera: fit.camera, ..avatar.clone() };
        let head = Placement::of(&avatar).head(model.pivot, &motion);
        let mut figures = |kind: &str, fitted: &AvatarFile, fit: &Fit| {
            let screen = project(&model, fitted, &fitted.beta, &[0.0; 6], SIDE);
            let far = apart(&model, &exact, &faces, &screen);
            if each {
                println!("{name:60} {:5.2} {:5.2} {:5.2} {:5.2}", far[0], far[1], far[2], far[3]);
            }
            let mut row: Vec<f64> = far.to_vec();
            row.push(100.0 * fit.residual);
            row.extend((0..3).map(|k| f64::from(fitted.pose[k] - head[k]).to_degrees()));
            rows.entry(kind.into()).or_default().push(row);
        };
        figures(kind, &fitted, &fit);
        // It looks at portraits, so at those only whose picture is the avatar's own.
        if let Some(aligner) = aligner.as_ref().filter(|_| motion == [0.0; 6] && name.ends_with(".avatar")) {
            figures(&format!("{kind}, after align"), &aligner.correct(&Compute::Cpu, &model, &fitted)?, &fit);
        }
    }
    println!(
        "{:40} {:>4} {:>6} {:>6} {:>6} {:>6} {:>9}   pitch  yaw  roll, rms °",
        "px of 512", "n", "face", "lips", "lids", "head", "points, %"
    );
    for (kind, rows) in &rows {
        let n = rows.len() as f64;
        let mean = |k: usize| rows.iter().map(|r| r[k]).sum::<f64>() / n;
        let rms = |k: usize| (rows.iter().map(|r| r[k] * r[k]).sum::<f64>() / n).sqrt();
        println!(
            "{kind:40} {:4} {:6.2} {:6.2} {:6.2} {:6.2} {:9.2}   {:5.1} {:4.1} {:5.1}",
            rows.len(),
            mean(0),
            mean(1),
            mean(2),
            mean(3),
            mean(4),
            rms(5),
            rms(6),
            rms(7)
        );
    }
    for (what, times) in [("fit", &mut milliseconds), ("follow", &mut following)] {
        times.sort_by(f64::total_cmp);
        println!("{what}: median {:.1} ms, most {:.1} ms", times[times.len() / 2], times[times.len() - 1]);
    }
    Ok(())
}
