//! The report about a run, for people and for scripts.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Serialize, Serializer};
use vultus::compute::Compute;
use vultus::emotion::Blend;
use vultus::timing::StageSummary;
use vultus_native::audio::AudioStats;
use vultus_native::media::{AtomicFile, MediaError};
use vultus_native::stream::Rendered;

use crate::console::warn;
use crate::speech::Speech;

/// What `--report` writes.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    vultus: &'static str,
    command: &'static str,
    audio: String,
    output: String,
    avatar: Option<String>,
    size: Option<usize>,
    generator: Option<&'static str>,
    fps: u32,
    emotion: Blend,
    intensity: f32,
    look_ahead: usize,
    seed: u64,
    backend: String,
    adapter: String,
    frames: u64,
    audio_seconds: f64,
    /// From the start of the process to the finished file.
    wall_seconds: f64,
    /// Without loading: from opened parts to the finished file.
    work_seconds: f64,
    /// Seconds of sound per second of work.
    realtime_factor: f64,
    /// From the start of the process to the first frame.
    first_frame_seconds: f64,
    peak_memory_bytes: Option<u64>,
    /// Times per frame (for hearing and motion: per 40 ms of sound), in the order of the data's way.
    #[serde(serialize_with = "in_order")]
    stages: Vec<(&'static str, StageSummary)>,
    sound: AudioStats,
    notes: Vec<String>,
}

/// What the command knows besides the result.
pub(crate) struct Run<'a> {
    pub(crate) command: &'static str,
    pub(crate) speech: &'a Speech,
    pub(crate) emotion: Blend,
    pub(crate) compute: &'a Compute,
    pub(crate) audio: &'a str,
    pub(crate) output: &'a Path,
    pub(crate) avatar: Option<&'a str>,
    pub(crate) size: Option<usize>,
    /// Who drew.
    pub(crate) generator: Option<&'static str>,
    pub(crate) fps: u32,
    /// Start of the process.
    pub(crate) start: Instant,
    /// When everything was loaded.
    pub(crate) loaded: Instant,
}

impl Report {
    pub(crate) fn new(run: &Run<'_>, done: &Rendered) -> Self {
        let work = done.wall.max(Duration::from_nanos(1)).as_secs_f64();
        Self {
            vultus: env!("CARGO_PKG_VERSION"),
            command: run.command,
            audio: run.audio.to_owned(),
            output: run.output.display().to_string(),
            avatar: run.avatar.map(str::to_owned),
            size: run.size,
            generator: run.generator,
            fps: run.fps,
            emotion: run.emotion,
            intensity: run.speech.intensity,
            look_ahead: run.speech.lookahead,
            seed: run.speech.seed,
            backend: run.compute.name(),
            adapter: run.compute.adapter(),
            frames: done.frames,
            audio_seconds: done.audio_seconds,
            wall_seconds: run.start.elapsed().as_secs_f64(),
            work_seconds: work,
            realtime_factor: done.audio_seconds / work,
            first_frame_seconds: (run.loaded - run.start + done.first_frame).as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
            stages: done.stages.iter().map(|(name, times)| (*name, times.summary())).collect(),
            sound: done.audio.clone(),
            notes: done.audio.warnings(),
        }
    }

    /// Tells how the run went, when its output is complete: a report to `file`, notes, and a line on standard output.
    ///
    /// # Errors
    /// Says that the output is complete, and which of these failed.
    pub(crate) fn tell(&self, done: &Rendered, file: Option<&Path>) -> Result<()> {
        done.audio.warnings().iter().for_each(|text| warn(text));
        let complete = || format!("{} is complete, but not what was to be said about it", self.output);
        if let Some(path) = file {
            self.write(path).with_context(complete)?;
        }
        match writeln!(io::stdout(), "{}", self.line()) {
            // A reader that has seen enough is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output").with_context(complete)
            }
            _ => Ok(()),
        }
    }

    /// Writes the report as JSON.
    fn write(&self, path: &Path) -> Result<()> {
        let failed = |cause: io::Error| MediaError::Write { file: path.display().to_string(), cause };
        let mut file = AtomicFile::create(path).map_err(failed)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|e| failed(e.into()))?;
        file.write_all(b"\n").map_err(failed)?;
        Ok(file.commit().map_err(failed)?)
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {} frames, {:.1} s of sound in {:.1} s ({:.2} × real time, {:.1} fps) on {}",
            self.output,
            self.frames,
            self.audio_seconds,
            self.wall_seconds,
            self.realtime_factor,
            self.frames as f64 / self.work_seconds,
            self.backend,
        )
    }
}

/// A map whose keys stay in the order of the pairs.
fn in_order<S: Serializer>(pairs: &[(&'static str, StageSummary)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// The most memory this process has held, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
