//! `vultus coeffs`: a sound file to the face's coefficients, frame by frame.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use vultus::drive::{Drive, MotionFrame};
use vultus::face::FaceModel;
use vultus::pipeline::MOTION_FPS;
use vultus_native::media::{AtomicFile, MediaError};
use vultus_native::stream::{self, RenderError};

use crate::console::Bar;
use crate::report::{Report, Run};
use crate::speech::Speech;
use crate::{cancel, setup};

const POSE_NAMES: [&str; 6] = ["pitch", "yaw", "roll", "x", "y", "z"];

#[derive(Debug, Args)]
pub(crate) struct Coeffs {
    #[command(flatten)]
    speech: Speech,
    /// The file to write; its ending, .json or .csv, says which format.
    #[arg(short, long, value_name = "OUT.json|OUT.csv")]
    output: PathBuf,
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Csv,
}

pub(crate) fn run(weights: Option<&Path>, arguments: &Coeffs, start: Instant) -> Result<()> {
    let cancel = cancel::flag(cancel::PATIENCE, || ())?;
    let output = arguments.output.as_path();
    let format = match output.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        _ => bail!("{} ends neither in .json nor in .csv; the ending chooses the format", output.display()),
    };
    let mut bar = Bar::new();
    let parts = setup::open(weights, &arguments.speech, None, output, MOTION_FPS)?;
    let loaded = Instant::now();
    let failed = |e: io::Error| MediaError::Write { file: output.display().to_string(), cause: e };
    let mut writer = Writer::create(output, format, &parts.face).map_err(failed)?;
    let done = stream::hear(parts.reader, parts.speech, MOTION_FPS, &cancel, |frame, progress| {
        bar.show(progress);
        writer.frame(frame, parts.face.lip_gap(&frame.drive.beta)).map_err(|e| RenderError::Media(failed(e)))
    })?;
    writer.finish().map_err(failed)?;
    bar.end();
    let report = Report::new(
        &Run {
            command: "coeffs",
            speech: &arguments.speech,
            emotion: parts.emotion,
            compute: &parts.compute,
            audio: &parts.audio,
            output,
            avatar: None,
            size: None,
            generator: None,
            fps: MOTION_FPS,
            start,
            loaded,
        },
        &done,
    );
    report.tell(&done, arguments.speech.report.as_deref())
}

/// Writes frames as they come. JSON has all expressions before all poses, so the seven numbers of a frame's pose and lip gap
/// wait in memory: 28 bytes a frame, 2.5 MB an hour.
struct Writer {
    out: BufWriter<AtomicFile>,
    format: Format,
    frames: u64,
    poses: Vec<[f32; 6]>,
    lip_gaps: Vec<f32>,
}

impl Writer {
    fn create(path: &Path, format: Format, face: &FaceModel) -> io::Result<Self> {
        let mut out = BufWriter::new(AtomicFile::create(path)?);
        match format {
            Format::Json => {
                let names = serde_json::to_string(&face.expression_names)?;
                write!(out, "{{\"fps\":{MOTION_FPS},\"names\":{names},\"frames\":[")?;
            }
            Format::Csv => {
                let names = face.expression_names.join(",");
                writeln!(out, "frame,seconds,{names},{},lip_gap", POSE_NAMES.join(","))?;
            }
        }
        Ok(Self { out, format, frames: 0, poses: Vec::new(), lip_gaps: Vec::new() })
    }

    fn frame(&mut self, frame: &MotionFrame, lip_gap: f32) -> io::Result<()> {
        let Drive { beta, pose, .. } = &frame.drive;
        match self.format {
            Format::Json => {
                self.out.write_all(if self.frames == 0 { b"\n" } else { b",\n" })?;
                write_array(&mut self.out, beta)?;
                self.poses.push(*pose);
                self.lip_gaps.push(lip_gap);
            }
            Format::Csv => {
                write!(self.out, "{},{}", frame.index, frame.index as f64 / f64::from(MOTION_FPS))?;
                for value in beta.iter().chain(pose).chain([&lip_gap]) {
                    write!(self.out, ",{value}")?;
                }
                writeln!(self.out)?;
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if let Format::Json = self.format {
            write!(self.out, "\n],\"pose\":[")?;
            for (i, pose) in self.poses.iter().enumerate() {
                self.out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
                write_array(&mut self.out, pose)?;
            }
            write!(self.out, "\n],\"lip_gap\":")?;
            write_array(&mut self.out, &self.lip_gaps)?;
            writeln!(self.out, "}}")?;
        }
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.commit()
    }
}

fn write_array(out: &mut impl Write, values: &[f32]) -> io::Result<()> {
    // Coefficients are finite: the shortest decimal that reads back to the same number is also valid JSON.
    for (i, value) in values.iter().enumerate() {
        write!(out, "{}{value}", if i == 0 { '[' } else { ',' })?;
    }
    out.write_all(if values.is_empty() { b"[]" } else { b"]" })
}
