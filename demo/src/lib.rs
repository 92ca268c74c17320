//! The command line `vultus`, as a library: the program is [`main`] and nothing else.
//!
//! Nothing in here is an interface to build on: programs use the crates `vultus`, `vultus-native` and `vultus-server`.
#![forbid(unsafe_code)]

mod args;
mod avatar;
mod avatars;
mod cancel;
mod coeffs;
mod console;
mod desktop;
mod doctor;
mod enrol;
mod errors;
mod eval;
mod files;
mod frames;
mod graphics;
mod latency;
mod live;
mod options;
mod page;
mod render;
mod report;
mod serve;
mod setup;
mod speech;
mod track;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use crate::args::{Arguments, Command};

/// Does what the command line asks for, and tells what went wrong.
pub fn main() -> ExitCode {
    desktop::leave_out_device_choice();
    let start = Instant::now();
    if let Err(missing) = doctor::require_cpu() {
        return errors::tell(&missing);
    }
    let arguments = Arguments::parse();
    cancel::outlive_file_limit();
    let weights = arguments.weights.as_deref();
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(weights, &arguments),
        Command::Render(arguments) => render::run(weights, &arguments, start),
        Command::Enrol(arguments) => enrol::run(weights, &arguments),
        Command::Coeffs(arguments) => coeffs::run(weights, &arguments, start),
        Command::Track(arguments) => track::run(weights, &arguments),
        Command::Latency(arguments) => latency::run(weights, &arguments),
        Command::Eval(arguments) => eval::run(weights, &arguments),
        Command::Avatars => avatars::run(weights),
        Command::Avatar(arguments) => avatar::run(&arguments),
        Command::Doctor => doctor::run(weights),
        Command::TryGraphics { software } => graphics::run(software),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => errors::tell(&error),
    }
}
