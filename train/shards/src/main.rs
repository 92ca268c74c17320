//! `vultus-shards --people DIR --out DIR`: see the library's text, and train/hef/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a line a person is what it has to say")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use vultus::align::{AlignWeights, Aligner};
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::motion::MotionNetwork;
use vultus_native::assets::Assets;
use vultus_shards::{Done, Task, View};
use vultus_truth::folders;

/// Writes HEF's training data from folders of people.
#[derive(Parser)]
#[command(name = "vultus-shards", version)]
struct Arguments {
    /// Folder of people: NAME/NAME.avatar, NAME/truth.json and pictures, as train/crowd makes them.
    #[arg(long)]
    people: PathBuf,
    /// Folder that gets NAME.safetensors; who is there already is left out.
    #[arg(long)]
    out: PathBuf,
    /// Fits of each portrait: the first exact, the others as landmarks that are 2 to 4 pixels off would have them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    fits: u32,
    /// What of the picture the network sees.
    #[arg(long, value_enum, default_value_t = View::Whole)]
    crop: View,
    /// The crop's side in pixels.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(64..=1024))]
    side: u32,
    /// Corrects them with weights/align.safetensors, as the generator does, all but the exact one and the last.
    #[arg(long)]
    correct: bool,
    /// Of the disturbances; the same seed gives the same shards.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// People at a time; 0: as many as there are cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} people could not be written; the others are");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many people failed.
fn run(arguments: &Arguments) -> Result<usize> {
    let assets = Assets::locate(None)?;
    let model = FaceModel::read(assets.weights("face.safetensors")?)?;
    let folders = folders(&arguments.people)?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("{} cannot be made", arguments.out.display()))?;
    let rest = MotionNetwork::load(&Compute::Cpu, assets.weights("eac.safetensors")?, 0)?.rest_sigma()?;
    let Arguments { fits, crop, side, seed, correct, .. } = *arguments;
    ensure!(
        !correct || fits >= 3,
        "--correct corrects all fits but the first, which is exact, and the last; of {fits} that leaves none, say --fits 3 or more"
    );
    let aligner = match correct {
        true => Some(Aligner::new(AlignWeights::read(assets.weights("align.safetensors")?, model.vertices())?)),
        false => None,
    };
    let aligner = aligner.as_ref();
    let task = Task { model: &model, fits: fits as usize, view: crop, side: side as usize, seed, rest, aligner };
    let threads = match arguments.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            match task.person(folder, &arguments.out) {
                Ok(Done::There) => {}
                Ok(Done::Written { name, rows, bytes }) => {
                    let seconds = start.elapsed().as_secs_f64();
                    println!("{name}: {rows} rows, {:.1} MB, {seconds:.1} s", bytes as f64 * 1e-6);
                }
                Err(error) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    eprintln!("{error:#}");
                }
            }
        }
    };
    // A person is one thread's work from beginning to end: the kernels' own pool has one thread each.
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..threads.min(folders.len()) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
            scope.spawn(move || pool.install(work));
        }
        Ok(())
    })?;
    Ok(failed.into_inner())
}
