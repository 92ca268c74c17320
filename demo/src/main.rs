//! The command line `vultus`.

mod args;
mod avatars;
mod cancel;
mod coeffs;
mod console;
mod desktop;
mod doctor;
mod errors;
mod eval;
mod generator;
mod latency;
mod render;
mod report;
mod serve;
mod setup;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use crate::args::{Arguments, Command};

fn main() -> ExitCode {
    desktop::leave_out_device_choice();
    let start = Instant::now();
    if let Err(missing) = doctor::require_cpu() {
        return errors::tell(&missing);
    }
    let arguments = Arguments::parse();
    let weights = arguments.weights.as_deref();
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(weights, &arguments),
        Command::Render(arguments) => render::run(weights, &arguments, start),
        Command::Coeffs(arguments) => coeffs::run(weights, &arguments, start),
        Command::Latency(arguments) => latency::run(weights, &arguments),
        Command::Eval(arguments) => eval::run(weights, &arguments),
        Command::Avatars => avatars::run(weights),
        Command::Doctor => doctor::run(weights),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => errors::tell(&error),
    }
}
