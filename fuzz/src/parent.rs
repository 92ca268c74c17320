//! The parent: starts a child for each target, keeps the inputs that broke it, and tells how it went.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::child::{HUNG, PANICKED};
use crate::{Arguments, HEAP, targets};

/// Inputs that break a target before it is given up for this time.
const FINDINGS: usize = 10;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let all = targets::names();
    let chosen: Vec<&str> = match arguments.target.as_deref() {
        None => {
            all.iter().for_each(|name| eprintln!("{name}"));
            return Ok(ExitCode::SUCCESS);
        }
        Some("all") => all.into_iter().collect(),
        Some(name) => vec![name],
    };
    let mut well = true;
    for target in chosen {
        well &= one(arguments, target)?;
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether nothing broke.
fn one(arguments: &Arguments, target: &str) -> Result<bool> {
    let start = Instant::now();
    let folder = tempfile::tempdir().context("a folder for the input")?;
    let current = folder.path().join("input");
    let mut found = 0;
    for round in 0..FINDINGS {
        let left = Duration::from_secs(arguments.seconds).saturating_sub(start.elapsed());
        if round > 0 && left.is_zero() {
            break;
        }
        let output = child(arguments, target, &current, left, round as u64)?;
        if output.status.success() {
            tell(target, &String::from_utf8_lossy(&output.stdout), start.elapsed());
            break;
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let how = match output.status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(PANICKED) => "panicked".to_owned(),
            Some(HUNG) => "hung".to_owned(),
            // Its seeds could not be made.
            Some(1) => anyhow::bail!("{target}: {}", words.trim()),
            _ => format!("died ({})", output.status),
        };
        found += 1;
        let kept = keep(arguments, target, &current)?;
        eprintln!("{target}: {how}: {}\n  the input: {kept}", words.trim());
        if arguments.replay.is_some() || target.starts_with("trap-") {
            break;
        }
    }
    Ok(found == 0)
}

fn child(arguments: &Arguments, target: &str, current: &Path, left: Duration, round: u64) -> Result<Output> {
    let mut child = Command::new(std::env::current_exe().context("where this program is")?);
    child.arg(target).arg("--child").arg(current);
    child.args(["--seconds", &left.as_secs().to_string(), "--runs", &arguments.runs.to_string()]);
    child.args(["--seed", &(arguments.seed + round * 1_000_003).to_string()]);
    child.args(["--patience", &arguments.patience.to_string()]);
    for (option, path) in [("--corpus", &arguments.corpus), ("--replay", &arguments.replay)] {
        if let Some(path) = path {
            // One folder for each target.
            let of_target = path.join(target);
            child.arg(option).arg(if option == "--corpus" || of_target.is_dir() { &of_target } else { path });
        }
    }
    child.output().context("cannot start the child")
}

/// Keeps the input that was being fed, and gives its place.
fn keep(arguments: &Arguments, target: &str, current: &Path) -> Result<String> {
    let bytes = fs::read(current).context("the input")?;
    let length = bytes.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length) as usize);
    let input = bytes.get(8..).map(|rest| &rest[..length.min(rest.len())]).unwrap_or_default();
    fs::create_dir_all(&arguments.findings).context("the folder for findings")?;
    let file = arguments.findings.join(format!("{target}-{:08x}", crc32fast::hash(input)));
    fs::write(&file, input).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.display().to_string())
}

fn tell(target: &str, stats: &str, took: Duration) {
    let numbers: Vec<&str> = stats.split_whitespace().collect();
    let [fed, kinds, slowest, heap, resident] = numbers[..] else { return };
    eprintln!(
        "{target}: {fed} inputs in {} s, {kinds} outcomes, slowest {slowest} ms, heap at most {heap} MB (of {}), resident {resident} MB",
        took.as_secs(),
        HEAP >> 20
    );
}
