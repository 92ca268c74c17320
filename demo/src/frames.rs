//! The file of coefficients, frame by frame, that `coeffs` and `track` write.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Result, bail};
use vultus::drive::{Drive, MotionFrame};
use vultus::face::FaceModel;
use vultus::pipeline::MOTION_FPS;
use vultus_native::media::AtomicFile;

const POSE_NAMES: [&str; 6] = ["pitch", "yaw", "roll", "x", "y", "z"];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Json,
    Csv,
}

impl Format {
    /// By the file's ending.
    pub(crate) fn of(output: &Path) -> Result<Self> {
        match output.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            _ => bail!("{} ends neither in .json nor in .csv; the ending chooses the format", output.display()),
        }
    }
}

/// Writes frames as they come. JSON has all expressions before all poses, so the seven numbers of a frame's pose and lip gap
/// wait in memory: 28 bytes a frame, 2.5 MB an hour.
pub(crate) struct Writer {
    out: BufWriter<AtomicFile>,
    format: Format,
    frames: u64,
    poses: Vec<[f32; 6]>,
    lip_gaps: Vec<f32>,
    seen: Vec<bool>,
}

impl Writer {
    pub(crate) fn create(path: &Path, format: Format, face: &FaceModel) -> io::Result<Self> {
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
        Ok(Self { out, format, frames: 0, poses: Vec::new(), lip_gaps: Vec::new(), seen: Vec::new() })
    }

    /// `seen`: whether a camera saw the face, where one looked.
    pub(crate) fn frame(&mut self, frame: &MotionFrame, lip_gap: f32, seen: Option<bool>) -> io::Result<()> {
        let Drive { beta, pose, .. } = &frame.drive;
        match self.format {
            Format::Json => {
                self.out.write_all(if self.frames == 0 { b"\n" } else { b",\n" })?;
                write_array(&mut self.out, beta)?;
                self.poses.push(*pose);
                self.lip_gaps.push(lip_gap);
                self.seen.extend(seen);
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

    pub(crate) fn finish(mut self) -> io::Result<()> {
        if let Format::Json = self.format {
            write!(self.out, "\n],\"pose\":[")?;
            for (i, pose) in self.poses.iter().enumerate() {
                self.out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
                write_array(&mut self.out, pose)?;
            }
            write!(self.out, "\n],\"lip_gap\":")?;
            write_array(&mut self.out, &self.lip_gaps)?;
            if !self.seen.is_empty() {
                write!(self.out, ",\"seen\":{}", serde_json::to_string(&self.seen)?)?;
            }
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
