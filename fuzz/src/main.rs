//! `vultus-fuzz`: damages inputs and feeds them to what reads them.
//!
//! Every target runs in a child process, so that an abort, a stack overflow, a hang or too much memory is seen as well as a panic, and the
//! input that did it is kept. The child writes each input to a file before it runs it. See README.md.
#![forbid(unsafe_code)]

mod child;
mod damage;
mod ogg;
mod parent;
mod png;
mod rng;
mod seeds;
mod shape;
mod targets;
mod tensors;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Heap that a target may hold, bytes; the child dies beyond it.
const HEAP: usize = 300 << 20;

#[global_allocator]
static HEAP_LIMIT: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// Damages inputs and feeds them to what reads them.
#[derive(Debug, Parser)]
#[command(name = "vultus-fuzz", max_term_width = 100)]
struct Arguments {
    /// Which reader to feed; `all` of them, one after the other; without one, they are listed.
    target: Option<String>,
    /// How long to feed each, seconds.
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u64,
    /// How many inputs to feed each at most.
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    runs: u64,
    /// The same seed gives the same inputs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder with more seeds; inputs with which something new came are added to it.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Folder for inputs that broke something.
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    findings: PathBuf,
    /// Feed this file, or the files of this folder, and nothing else.
    #[arg(long, value_name = "PATH")]
    replay: Option<PathBuf>,
    /// Seconds that one input may take.
    #[arg(long, value_name = "N", default_value_t = 10)]
    patience: u64,
    /// The child's side: the file that takes each input before it is run.
    #[arg(long, hide = true)]
    child: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = if arguments.child.is_some() { child::run(&arguments) } else { parent::run(&arguments) };
    done.unwrap_or_else(|error| {
        eprintln!("vultus-fuzz: {error:#}");
        ExitCode::FAILURE
    })
}
