//! Benchmarks of Vultus: `cargo run --release -p vultus-benches -- WHAT`. They measure and print; nothing here passes or fails.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "printing tables is what benchmarks are for")]

mod emotions;
mod gallery;
mod hef;
mod kernels;
mod motion;
mod picture;
mod stats;
mod track;

const USAGE: &str = "\
benches WHAT
  eac          one frame of the motion network on each executor
  emotions     how far each emotion moves its action units on a held-out voice
  picture      PSNR and SSIM against path-traced pictures, and contact sheets; [--truth DIR] [--out DIR]
  gallery      contact sheets to look at: speech, blinks, emotions, turns; [AVATAR]… [--part face|eyes|mouth|whole] [--pose NAME]… [--network FILE] [--zoom N] [--out DIR]
  hef          the learned generator with random weights, layer by layer; [--size nano|base|paper] [--frames N]
  track        how well a face in films of known coefficients is followed, and how fast; [AVATAR]… [--size PIXELS]
  kernels      each kernel of the motion plan on the CPU executor
";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    println!("{}", stats::machine());
    match what.as_str() {
        "eac" => motion::run(),
        "emotions" => or_exit(emotions::run()),
        "picture" => or_exit(picture::run(arguments)),
        "gallery" => or_exit(gallery::run(arguments)),
        "hef" => or_exit(hef::run(arguments)),
        "kernels" => kernels::run(),
        "track" => or_exit(track::run(arguments)),
        _ => {
            eprint!("{USAGE}");
            std::process::exit(2);
        }
    }
}

fn or_exit(result: Result<(), Box<dyn std::error::Error>>) {
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
