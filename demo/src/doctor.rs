//! `vultus doctor`: what this machine and this installation can do, what is missing, and how to get it.

use std::io::{self, Read as _, Write};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use cpal::traits::{DeviceTrait as _, HostTrait as _};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::FaceModel;
use vultus::motion::MotionNetwork;
use vultus_native::assets::{Assets, EAC, FACE, Source};
use vultus_native::compute::{Backend, open, wanted};
use vultus_native::graphics::{ADVICE, look};
use vultus_native::registry::Registry;

use crate::graphics::trial;

/// Instructions that this build was compiled to use, as Linux names them.
const NEEDED: [&str; 7] = ["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"];

/// Fails on a machine that lacks instructions which this build uses: better one sentence now than a crash later.
pub(crate) fn require_cpu() -> Result<()> {
    match missing_instructions() {
        Some(missing) if !missing.is_empty() => Err(anyhow!(
            "this processor lacks {}; build vultus on this machine with RUSTFLAGS=\"-C target-cpu=native\"",
            missing.join(", ")
        )),
        _ => Ok(()),
    }
}

/// `None` where the system does not tell. The compiler's own detection is of no use here: it takes for granted what the build
/// was told to use.
fn missing_instructions() -> Option<Vec<&'static str>> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", target_feature = "avx2")) {
        return None;
    }
    let mut start = String::new();
    std::fs::File::open("/proc/cpuinfo").ok()?.take(8192).read_to_string(&mut start).ok()?;
    let flags = start.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'))?.1;
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    Some(NEEDED.into_iter().filter(|name| !has(name)).collect())
}

pub(crate) fn run(weights: Option<&Path>) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut problems = Vec::new();
    writeln!(out, "vultus {}", env!("CARGO_PKG_VERSION"))?;
    processor(&mut out)?;
    graphics(&mut out, &mut problems)?;
    sound(&mut out)?;
    files(&mut out, weights, &mut problems)?;
    writeln!(out)?;
    if problems.is_empty() {
        writeln!(out, "All is well.")?;
        return Ok(());
    }
    drop(out);
    bail!("{}", problems.join("; "))
}

fn processor(out: &mut impl Write) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "\nProcessor")?;
    writeln!(out, "  {threads} threads, {}", std::env::consts::ARCH)?;
    match missing_instructions() {
        Some(missing) if missing.is_empty() => writeln!(out, "  has every instruction this build uses (x86-64-v3)"),
        Some(missing) => writeln!(out, "  lacks {}", missing.join(", ")),
        None => Ok(()),
    }
}

fn graphics(out: &mut impl Write, problems: &mut Vec<String>) -> io::Result<()> {
    writeln!(out, "\nGraphics")?;
    let found = match look(&trial()) {
        Ok(found) => found,
        Err(error) => {
            problems.push(error.to_string());
            return writeln!(out, "  {error:#}");
        }
    };
    for adapter in &found.adapters {
        let kind = if adapter.software { "software, counts as no GPU" } else { "hardware" };
        writeln!(out, "  {} ({}): tier {}, {kind}", adapter.name, adapter.driver, adapter.tier)?;
    }
    if let Err(why) = &found.usable {
        writeln!(out, "  {why}: {}", ADVICE)?;
        problems.push(why.clone());
    } else if found.adapters.is_empty() {
        writeln!(out, "  no adapter: networks and pictures run on the CPU, which is fine")?;
        writeln!(out, "  for a GPU install its Vulkan driver; for a software one: apt install mesa-vulkan-drivers")?;
    }
    // Not opened where it does not work: that could end this process.
    let opened = match found.usable {
        Ok(_) => open(Backend::Auto).map_err(|error| error.to_string()),
        Err(why) if wanted(Backend::Auto).is_ok_and(|(backend, _)| backend == Backend::Gpu) => Err(why),
        Err(_) => Ok(Compute::Cpu),
    };
    match opened {
        Ok(compute) => writeln!(out, "  --backend auto chooses {} ({})", compute.name(), compute.adapter()),
        Err(error) => {
            writeln!(out, "  --backend auto fails: {error}")?;
            problems.push(error);
            Ok(())
        }
    }
}

fn sound(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nSound (only live use needs it; as the sound system lists it, with plug-ins that need a device behind them)"
    )?;
    let host = cpal::default_host();
    let name = |device: cpal::Device| device.description().map_or_else(|e| e.to_string(), |d| d.name().to_owned());
    let show = |out: &mut dyn Write, what: &str, devices: Vec<String>, default: Option<String>| {
        if devices.is_empty() {
            writeln!(out, "  no {what}; connect one, or install its driver")?;
        }
        for device in devices {
            let note = if default.as_ref() == Some(&device) { " (default)" } else { "" };
            writeln!(out, "  {what}: {device}{note}")?;
        }
        io::Result::Ok(())
    };
    let inputs = host.input_devices().map(|devices| devices.map(name).collect()).unwrap_or_default();
    show(out, "microphone", inputs, host.default_input_device().map(name))?;
    let outputs = host.output_devices().map(|devices| devices.map(name).collect()).unwrap_or_default();
    show(out, "loudspeaker", outputs, host.default_output_device().map(name))
}

/// The names whose weights are there, and the others with what they lack.
fn usable<'a>(assets: &Assets, entries: impl Iterator<Item = (&'a str, &'a [&'a str])>) -> String {
    let say = |(name, files): (&str, &[&str])| match files.iter().find(|file| assets.find(file).is_err()) {
        Some(file) => format!("{name} (no {file})"),
        None => name.to_owned(),
    };
    entries.map(say).collect::<Vec<_>>().join(", ")
}

fn files(out: &mut impl Write, weights: Option<&Path>, problems: &mut Vec<String>) -> io::Result<()> {
    writeln!(out, "\nWeights and avatars")?;
    let assets = match Assets::locate(weights) {
        Ok(assets) => assets,
        Err(error) => {
            problems.push(error.to_string());
            return writeln!(out, "  {error}");
        }
    };
    let checks = match assets.verify() {
        Ok(checks) => checks,
        Err(error) => {
            problems.push(error.to_string());
            return writeln!(out, "  {error}");
        }
    };
    for needed in [FACE, EAC] {
        if !checks.iter().any(|check| check.path == needed) {
            let text =
                format!("{needed} is missing: give a folder that has it by --weights, or build from a full checkout");
            writeln!(out, "  {text}")?;
            problems.push(text);
        }
    }
    let registry = Registry::default();
    let (generators, motions) = (registry.generators(), registry.motions());
    writeln!(out, "  --generator {}", usable(&assets, generators.iter().map(|it| (it.name, it.files))))?;
    writeln!(out, "  --motion {}", usable(&assets, motions.iter().map(|it| (it.name, it.files))))?;
    for check in checks {
        let sound = check.result.and_then(|source| {
            // A file can be the one that the manifest means and still be no good: look inside too.
            let bytes = assets.read(&check.path)?;
            if check.path.ends_with(".avatar") {
                AvatarFile::parse(&check.path, bytes)?;
            } else if check.path == FACE {
                FaceModel::read(assets.weights(FACE)?)?;
            } else if check.path == EAC {
                MotionNetwork::load(&Compute::Cpu, assets.weights(EAC)?, 0)?;
            } else if check.path.ends_with(".safetensors") {
                assets.weights(&check.path)?;
            }
            Ok(source)
        });
        match sound {
            Ok(source) => {
                let place =
                    if let Source::File(file) = &source { file.display().to_string() } else { "built in".into() };
                let sum = match &check.entry {
                    Some(entry) => format!("{} bytes, SHA-256 {} as in the manifest", entry.bytes, entry.sha256),
                    None => "not in the manifest: your own".into(),
                };
                writeln!(out, "  {}: {place}, {sum}", check.path)?;
            }
            Err(error) => {
                writeln!(out, "  {}: {error}", check.path)?;
                problems.push(error.to_string());
            }
        }
    }
    Ok(())
}
